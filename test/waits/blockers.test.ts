/**
 * Another session holds a table that a migration needs: the run reports it, retries or waits, and ends with the right
 * exit code.
 */
import { expect } from 'chai';
import type pg from 'pg';

import { MigratorError } from '../../src/core/errors.ts';
import { formatError } from '../../src/output/error-text.ts';
import { eventually } from '../support/bounded.ts';
import { expectExit, runCli, startCli, type CliProcess } from '../support/cli.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';
import { hurried, upByEngine } from '../support/in-process.ts';

const BLOCKING_QUERY = 'SELECT count(*) FROM orders';

interface LoggedBlocker {
  readonly pid: number;
  readonly applicationName: string;
  readonly state: string;
  readonly query: string;
  readonly since: string;
}

describe('a session that holds the table of a migration', () => {
  const workspace = useWorkspace();

  beforeEach(async () => {
    await workspace().query('CREATE TABLE orders (id int CHECK (id > 0))');
    await workspace().query('INSERT INTO orders SELECT generate_series(1, 100)');
  });

  /** A report that reads the table in a transaction that stays open. */
  async function block(lock = ''): Promise<{ client: pg.Client; pid: number }> {
    const client = await workspace().client({ application_name: 'long report' });
    await client.query('BEGIN');
    if (lock !== '') await client.query(lock);
    await client.query(BLOCKING_QUERY);
    const { rows } = await client.query<{ pid: number }>(`SELECT pg_backend_pid() AS pid`);
    // The run reports the last query.
    await client.query(BLOCKING_QUERY);
    return { client, pid: rows[0]!.pid };
  }

  function expectBlocker(found: unknown, pid: number): void {
    const { since, ...blocker } = found as LoggedBlocker;
    expect(blocker).to.deep.equal({
      pid,
      applicationName: 'long report',
      state: 'idle in transaction',
      query: BLOCKING_QUERY,
    });
    const ageMs = Date.now() - Date.parse(since);
    expect(ageMs, `since ${since}`).to.be.within(0, 60_000);
  }

  it('is named in the JSON log; the migration is retried, and applied once the session has ended', async () => {
    const { client, pid } = await block();
    await workspace().write({ '001_alter.up.sql': 'ALTER TABLE orders ADD COLUMN total int;' });
    const run = startCli(['up', '--lock-timeout', '50ms'], workspace());
    const first = await run.waitForLog('migration.retrying');
    const error = first['error'] as { sqlstate: string; code: string; blockers: unknown[]; problems: string[] };
    expect(error).to.include({ sqlstate: '55P03', code: 'CONTENTION' });
    expect(error.blockers).to.have.lengthOf(1);
    expectBlocker(error.blockers[0], pid);
    expect(first['attempt']).to.equal(1);
    await run.waitForLog((line) => line.event === 'migration.retrying' && line['attempt'] === 3);
    await client.query('COMMIT');
    expectExit(await run.exited, 0);
    expect(await workspace().journalCounts('applied')).to.deep.equal({ '001_alter': 1 });
  });

  it('is named in the text log', async () => {
    const { client, pid } = await block();
    await workspace().write({ '001_alter.up.sql': 'ALTER TABLE orders ADD COLUMN total int;' });
    const run = startCli(['up', '--lock-timeout', '50ms', '--log-format', 'text'], workspace());
    await eventually('the first try to be over', async () => {
      const [waits] = await workspace().query(
        `SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' AND relation = 'orders'::regclass`,
      );
      return waits !== undefined;
    });
    await eventually('the migration to wait before its next try', async () => {
      const [idle] = await workspace().query(
        `SELECT FROM pg_stat_activity WHERE application_name LIKE 'lockstep up%' AND state = 'idle' AND query LIKE '%pg_locks%'`,
      );
      return idle !== undefined;
    });
    await client.query('COMMIT');
    const { code, stderr } = await run.exited;
    expect(code, stderr).to.equal(0);
    expect(stderr).to.match(
      new RegExp(
        `001_alter, attempt 1, retry in \\d+ ms; .*blocked by "long report" \\(pid ${pid}\\) idle in transaction since \\S+Z with: SELECT count`,
      ),
    );
  });

  it('is named when the run exits with 32 after ten tries', async () => {
    const { pid } = await block();
    await workspace().write({ '001_alter.up.sql': 'ALTER TABLE orders ADD COLUMN total int;' });
    const reporter = new Recorder();
    const error = await upByEngine(workspace(), { clock: hurried(200), reporter, limits: { lockTimeoutMs: 50 } }).then(
      () => undefined,
      (thrown: unknown) => thrown as MigratorError,
    );
    expect(error).to.be.instanceOf(MigratorError);
    expect(error).to.include({ code: 'CONTENTION', exit: 32 });
    const [blocker] = error!.details.blockers ?? [];
    expectBlocker(blocker && { ...blocker, since: blocker.since?.toISOString() }, pid);
    expect(formatError(error!)).to.include('SQLSTATE 55P03').and.include(`blocked by "long report" (pid ${pid})`);
    const retries = reporter.of('migration.retrying');
    expect(retries.map(({ attempt }) => attempt)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const [index, { retryInMs }] of retries.entries()) {
      const full = Math.min(200 * 2 ** index, 30_000);
      expect(retryInMs, `pause ${index + 1}`).to.be.within(full / 2, full);
    }
    expect(await workspace().versions()).to.deep.equal([]);
    expect(await workspace().lockSessions()).to.deep.equal([]);
  });

  it('is named by the command line at each try until the session has ended', async () => {
    const { client, pid } = await block();
    await workspace().write({ '001_alter.up.sql': 'ALTER TABLE orders ADD COLUMN total int;' });
    const run = startCli(['up', '--lock-timeout', '50ms'], workspace());
    const { error } = await run.waitForLog('migration.retrying');
    expect((error as { problems: string[] }).problems).to.satisfy((problems: string[]) =>
      problems.some((problem) => problem.includes(`(pid ${pid})`)),
    );
    await client.query('COMMIT');
    expectExit(await run.exited, 0);
  });

  it('makes the command line exit with 32 at once when the file limits the time of a data statement', async () => {
    await block('LOCK TABLE orders IN ACCESS EXCLUSIVE MODE');
    await workspace().write({
      '001_update.up.sql': `SET LOCAL lock_timeout = '50ms';\nUPDATE orders SET id = id + 1;`,
    });
    const text = await runCli(['up', '--log-format', 'text'], workspace());
    expectExit(text, 32);
    expect(text.stderr).to.match(/^error: 001_update\.up\.sql failed \(CONTENTION\)$/m);
    expect(text.stderr)
      .to.match(/^why: .*\(SQLSTATE 55P03\)$/m)
      .and.match(/^next: /m);
    const json = await runCli(['up', '--json'], workspace());
    expectExit(json, 32);
    expect(json.logs.some(({ event }) => event === 'migration.retrying')).to.equal(false);
  });

  describe('is waited for, however short --lock-timeout is:', () => {
    /** Runs while the table is held; resolves once the migration has waited for much longer than its lock timeout. */
    async function waitsFor(lock: string, sql: string): Promise<{ run: CliProcess; release: () => Promise<unknown> }> {
      const { client } = await block(lock);
      await workspace().write({ '001_wait.up.sql': sql });
      const run = startCli(['up', '--lock-timeout', '10ms'], workspace());
      await eventually('the migration to have waited for longer than its lock timeout', async () => {
        const waiting = await workspace().query(
          `SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
            WHERE NOT l.granted AND a.application_name LIKE 'lockstep up%' AND l.waitstart < now() - interval '150 ms'
              AND (l.relation = 'orders'::regclass OR l.locktype IN ('virtualxid', 'transactionid'))`,
        );
        return waiting.length > 0;
      });
      return { run, release: () => client.query('COMMIT') };
    }

    for (const [what, lock, sql] of [
      ['a data statement', 'LOCK TABLE orders IN ACCESS EXCLUSIVE MODE', 'UPDATE orders SET id = id + 1;'],
      ['a row that somebody else has changed', 'UPDATE orders SET id = id', 'UPDATE orders SET id = id + 1;'],
      [
        'a concurrent build',
        'LOCK TABLE orders IN ROW EXCLUSIVE MODE',
        'CREATE INDEX CONCURRENTLY orders_id ON orders (id);',
      ],
      ['DROP INDEX CONCURRENTLY', 'LOCK TABLE orders IN ROW EXCLUSIVE MODE', 'DROP INDEX CONCURRENTLY orders_old;'],
      [
        'VALIDATE CONSTRAINT',
        'LOCK TABLE orders IN SHARE UPDATE EXCLUSIVE MODE',
        'ALTER TABLE orders VALIDATE CONSTRAINT positive;',
      ],
    ] as const) {
      it(what, async () => {
        await workspace().query('CREATE INDEX orders_old ON orders (id)');
        await workspace().query('ALTER TABLE orders ADD CONSTRAINT positive CHECK (id > -1) NOT VALID');
        const { run, release } = await waitsFor(lock, sql);
        await release();
        const result = await run.exited;
        expectExit(result, 0);
        expect(result.logs.map(({ event }) => event)).to.not.include('migration.retrying');
        expect(await workspace().versions()).to.deep.equal(['001_wait']);
        expect(await workspace().invalidIndexes()).to.deep.equal([]);
      });
    }
  });

  it('makes other sessions queue behind the migration for no longer than --lock-timeout', async () => {
    const { client } = await block();
    await workspace().write({ '001_alter.up.sql': 'ALTER TABLE orders ADD COLUMN total int;' });
    const run = startCli(['up', '--lock-timeout', '100ms'], workspace());
    await run.waitForLog('migration.retrying');
    // A new reader passes while the report continues; behind the migration it would wait for both.
    const reader = await workspace().client();
    await reader.query(`SET statement_timeout = '2s'`);
    for (let read = 1; read <= 10; read += 1) await reader.query('SELECT count(*) FROM orders');
    await client.query('COMMIT');
    expectExit(await run.exited, 0);
  });
});
