/** A real PgBouncer between runner and server: refused before anything is touched, or let through if it pools by session. */
import { expect } from 'chai';
import pg from 'pg';

import { expectExit, runCli, startCli, type CliResult } from '../support/cli.ts';
import { closeGate, openSnapshot } from '../support/gate.ts';
import { file, FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS, versionsOf } from '../support/migrations.ts';
import { requirePgBouncer, startPgBouncer, type PgBouncer } from '../support/pgbouncer.ts';
import { useWorkspace } from '../support/workspace.ts';

const FILES = { ...FIVE_FILES, ...file(6, 'index', 'CREATE INDEX CONCURRENTLY orders_total ON orders (total);') };
const MODES = ['session', 'transaction', 'statement'] as const;
const COMMANDS = [
  ['up'],
  ['up', '--dry-run'],
  ['down', '--steps', '1'],
  ['baseline', '--to', '002_orders'],
  ['repair'],
  ['wait', '--timeout', '0'],
  ['status'],
  ['history'],
  ['lock'],
];

/** A backend's settings that a run changes. */
const SETTINGS = `SELECT current_setting('search_path') AS path, current_setting('idle_session_timeout') AS idle, current_setting('lock_timeout') AS lock`;
const DEFAULTS = { path: '"$user", public', idle: '0', lock: '0' };

describe('PgBouncer', () => {
  before(function () {
    requirePgBouncer(this);
  });
  const workspace = useWorkspace();

  async function pooler(mode: (typeof MODES)[number], size?: number): Promise<PgBouncer> {
    const started = await startPgBouncer(workspace().url, { mode, ...(size !== undefined && { size }) });
    workspace().defer(() => started.stop());
    return started;
  }

  const through = ({ url }: PgBouncer): Record<string, string> => ({ ...workspace().env, DATABASE_URL: url });

  const run = (bouncer: PgBouncer, ...args: readonly string[]): Promise<CliResult> => runCli(args, { env: through(bouncer) });

  /** Somebody else who comes to the same backends. */
  async function ask<R extends object>({ url }: PgBouncer, sql: string): Promise<R[]> {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<R>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Keeps a backend in the pool, so that there is one to come back to. */
  async function warmUp(bouncer: PgBouncer): Promise<void> {
    await ask(bouncer, 'SELECT 1');
    expect(await bouncer.backends()).to.have.lengthOf(1);
  }

  /** No lock and no setting of ours on a backend that others will get. */
  async function expectNothingLeft(bouncer: PgBouncer): Promise<void> {
    const pids = await bouncer.backends();
    expect(await workspace().query(`SELECT pid, mode FROM pg_locks WHERE locktype = 'advisory' AND pid = ANY ($1)`, [pids])).to.deep.equal([]);
    expect(await workspace().lockSessions()).to.deep.equal([]);
    const [found] = await ask<object>(bouncer, SETTINGS);
    expect(found, 'what the next client of the pool finds').to.deep.equal(DEFAULTS);
  }

  async function expectUntouched(bouncer: PgBouncer): Promise<void> {
    expect(await workspace().query('SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace', [workspace().schema])).to.deep.equal([]);
    await expectNothingLeft(bouncer);
  }

  function expectRefused(result: CliResult): void {
    expectExit(result, 20);
    const [error] = result.logs.filter(({ event }) => event === 'run.failed').map((line) => line['error'] as Record<string, string>);
    expect(error, result.stderr).to.include({ code: 'CONFIG_INVALID' });
    expect(error!['summary']).to.include('pooler');
    expect(error!['next']).to.include('give the address of PostgreSQL itself').and.include('--allow-pooler');
  }

  async function expectAllApplied(): Promise<void> {
    const versions = versionsOf(FILES);
    expect(await workspace().versions()).to.deep.equal(versions);
    expect(await workspace().journalCounts('applied')).to.deep.equal(Object.fromEntries(versions.map((version) => [version, 1])));
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
    expect(await workspace().invalidIndexes()).to.deep.equal([]);
  }

  beforeEach(() => workspace().write(FILES));

  it('none in between: --allow-pooler changes nothing', async () => {
    expectExit(await runCli(['up', '--allow-pooler'], workspace()), 0);
    await expectAllApplied();
    expectExit(await runCli(['up', '--allow-pooler'], workspace()), 0);
  });

  for (const mode of MODES) {
    describe(`pooling by ${mode}`, () => {
      it('is refused by every command before anything is touched', async () => {
        const bouncer = await pooler(mode);
        for (const command of COMMANDS) {
          expectRefused(await run(bouncer, ...command));
          await expectUntouched(bouncer);
        }
      });

      it('is refused also when nothing is pending, and when the address has no parameters', async () => {
        expectExit(await runCli(['up'], workspace()), 0);
        const bouncer = await pooler(mode);
        await warmUp(bouncer);
        expectRefused(await run(bouncer, 'up'));
        const url = new URL(bouncer.url);
        url.search = '';
        expectRefused(await run({ ...bouncer, url: url.href }, 'up'));
        await expectNothingLeft(bouncer);
        await expectAllApplied();
      });
    });
  }

  describe('pooling by session, with --allow-pooler', () => {
    it('is used: a concurrent index, waiters, and nothing is left on the backends', async () => {
      const bouncer = await pooler('session');
      const snapshot = await openSnapshot(workspace());
      const holder = startCli(['up', '--allow-pooler'], { env: through(bouncer) });
      await snapshot.awaited();
      const waiters = [1, 2, 3].map(() => startCli(['up', '--allow-pooler'], { env: through(bouncer) }));
      await Promise.all(waiters.map((waiter) => waiter.waitForLog('lock.waiting')));
      await snapshot.end();
      for (const result of await Promise.all([holder, ...waiters].map(({ exited }) => exited))) expectExit(result, 0);
      // The tables are where the address's search_path says.
      await expectAllApplied();
      await expectNothingLeft(bouncer);
    });

    it('SIGKILL of the holder frees the lock; the next run finishes the work', async () => {
      const bouncer = await pooler('session');
      const gate = await closeGate(workspace());
      await workspace().write(file(7, 'half', `CREATE TABLE half ();\n${gate.sql}`));
      const holder = startCli(['up', '--allow-pooler'], { env: through(bouncer) });
      await gate.arrived();
      holder.kill('SIGKILL');
      expect((await holder.exited).signal).to.equal('SIGKILL');
      const next = startCli(['up', '--allow-pooler'], { env: through(bouncer) });
      await next.waitForLog('lock.acquired');
      await gate.open();
      expectExit(await next.exited, 0);
      expect(await workspace().journalCounts('applied')).to.include({ '006_index': 1, '007_half': 1 });
      await expectNothingLeft(bouncer);
    });

    it('and no backend to spare: it says so, and changes nothing', async () => {
      const bouncer = await pooler('session', 1);
      const result = await run(bouncer, 'up', '--allow-pooler');
      expect(result.code, result.stderr).to.be.oneOf([20, 30]);
      expect(result.stderr).to.include('pooler');
      await expectUntouched(bouncer);
    });
  });

  for (const mode of ['transaction', 'statement'] as const) {
    describe(`pooling by ${mode}, with --allow-pooler`, () => {
      it('is refused while the pool is idle, on an empty database', async () => {
        const bouncer = await pooler(mode);
        await warmUp(bouncer);
        expectRefused(await run(bouncer, 'up', '--allow-pooler'));
        await expectUntouched(bouncer);
      });

      it('is refused while the pool is idle, with some versions applied', async () => {
        expectExit(await runCli(['up', '--to', '002_orders'], workspace()), 0);
        const bouncer = await pooler(mode);
        await warmUp(bouncer);
        expectRefused(await run(bouncer, 'up', '--allow-pooler'));
        expect(await workspace().versions()).to.deep.equal(['001_accounts', '002_orders']);
        await expectNothingLeft(bouncer);
      });

      it('is refused while others use the pool', async () => {
        const bouncer = await pooler(mode);
        const others = [1, 2].map(() => new pg.Client({ connectionString: bouncer.url }));
        for (const other of others) {
          other.on('error', () => undefined);
          await other.connect();
          workspace().defer(() => other.end());
        }
        const busy = Promise.all(others.map((other) => other.query('SELECT pg_sleep(2)')));
        expectRefused(await run(bouncer, 'up', '--allow-pooler'));
        await busy;
        await expectUntouched(bouncer);
      });
    });
  }
});
