/**
 * A real PgBouncer between runner and server is refused before anything changes, or accepted if it pools by session.
 */
import { expect } from 'chai';
import pg from 'pg';

import { expectExit, runCli, startCli, type CliProcess, type CliResult } from '../support/cli.ts';
import { closeGate, openSnapshot } from '../support/gate.ts';
import { file, FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS, versionsOf } from '../support/migrations.ts';
import { requirePgBouncer, startPgBouncer, type PgBouncer } from '../support/pgbouncer.ts';
import type { FrontendMessage } from '../support/frontend-messages.ts';
import { useWorkspace } from '../support/workspace.ts';
import { StepProxy } from './support/step-proxy.ts';

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

/** Settings of a backend that a run changes. */
const SETTINGS = `SELECT current_setting('search_path') AS path, current_setting('idle_session_timeout') AS idle, current_setting('lock_timeout') AS lock`;
const DEFAULTS = { path: '"$user", public', idle: '0', lock: '0' };

describe('PgBouncer', () => {
  before(function () {
    requirePgBouncer(this);
  });
  const workspace = useWorkspace();

  async function pooler(
    mode: (typeof MODES)[number],
    options: { size?: number; resets?: boolean } = {},
  ): Promise<PgBouncer> {
    const started = await startPgBouncer(workspace().url, { mode, ...options });
    workspace().defer(() => started.stop());
    return started;
  }

  const through = ({ url }: PgBouncer): Record<string, string> => ({ ...workspace().env, DATABASE_URL: url });

  const run = (bouncer: PgBouncer, ...args: readonly string[]): Promise<CliResult> =>
    runCli(args, { env: through(bouncer) });

  /** Another client of the same backends. */
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

  async function expectInterrupted(holder: CliProcess, signal: 'SIGTERM' | 'SIGINT'): Promise<void> {
    holder.kill(signal);
    expectExit(await holder.exited, signal === 'SIGTERM' ? 143 : 130);
    await expectNoLock();
    // The run was not cut off: it had time to record its result.
    const ends = await workspace().query(
      `SELECT event, code FROM schema_migrations_journal WHERE event IN ('run ended', 'run lost')`,
    );
    expect(ends).to.deep.equal([{ event: 'run ended', code: 'INTERRUPTED' }]);
  }

  /** Keeps a backend in the pool, so that the run can get the same one again. */
  async function warmUp(bouncer: PgBouncer): Promise<void> {
    await ask(bouncer, 'SELECT 1');
    expect(await bouncer.backends()).to.have.lengthOf(1);
  }

  /** No lock of the run remains at the moment its process has ended; the pooler did not clean up. */
  async function expectNoLock(): Promise<void> {
    expect(
      await workspace().query(`SELECT l.pid, l.mode, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE l.locktype = 'advisory' AND a.application_name LIKE 'lockstep %'`),
    ).to.deep.equal([]);
  }

  /** No lock and no setting of the run remains on a backend that other clients will get. */
  async function expectNothingLeft(bouncer: PgBouncer): Promise<void> {
    const pids = await bouncer.backends();
    expect(
      await workspace().query(`SELECT pid, mode FROM pg_locks WHERE locktype = 'advisory' AND pid = ANY ($1)`, [pids]),
    ).to.deep.equal([]);
    expect(await workspace().lockSessions()).to.deep.equal([]);
    const [found] = await ask<object>(bouncer, SETTINGS);
    expect(found, 'what the next client of the pool finds').to.deep.equal(DEFAULTS);
  }

  async function expectUntouched(bouncer: PgBouncer): Promise<void> {
    expect(
      await workspace().query('SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace', [
        workspace().schema,
      ]),
    ).to.deep.equal([]);
    await expectNothingLeft(bouncer);
  }

  function expectRefused(result: CliResult): void {
    expectExit(result, 20);
    const [error] = result.logs
      .filter(({ event }) => event === 'run.failed')
      .map((line) => line['error'] as Record<string, string>);
    expect(error, result.stderr).to.include({ code: 'CONFIG_INVALID' });
    expect(error!['summary']).to.include('pooler');
    expect(error!['next']).to.include('give the address of PostgreSQL itself').and.include('--allow-pooler');
  }

  async function expectAllApplied(): Promise<void> {
    const versions = versionsOf(FILES);
    expect(await workspace().versions()).to.deep.equal(versions);
    expect(await workspace().journalCounts('applied')).to.deep.equal(
      Object.fromEntries(versions.map((version) => [version, 1])),
    );
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
    expect(await workspace().invalidIndexes()).to.deep.equal([]);
  }

  beforeEach(() => workspace().write(FILES));

  it('may be absent: --allow-pooler changes nothing', async () => {
    expectExit(await runCli(['up', '--allow-pooler'], workspace()), 0);
    await expectAllApplied();
    expectExit(await runCli(['up', '--allow-pooler'], workspace()), 0);
  });

  for (const mode of MODES) {
    describe(`pooling by ${mode}`, () => {
      it('is refused by every command before anything changes', async () => {
        const bouncer = await pooler(mode);
        for (const command of COMMANDS) {
          expectRefused(await run(bouncer, ...command));
          await expectUntouched(bouncer);
        }
      });

      it('is refused when nothing is pending, and when the address has no parameters', async () => {
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
    it('supports a concurrent index and waiters, and nothing is left on the backends', async () => {
      const bouncer = await pooler('session');
      const snapshot = await openSnapshot(workspace());
      const holder = startCli(['up', '--allow-pooler'], { env: through(bouncer) });
      await snapshot.awaited();
      const waiters = [1, 2, 3].map(() => startCli(['up', '--allow-pooler'], { env: through(bouncer) }));
      await Promise.all(waiters.map((waiter) => waiter.waitForLog('lock.waiting')));
      await snapshot.end();
      for (const result of await Promise.all([holder, ...waiters].map(({ exited }) => exited))) expectExit(result, 0);
      // The tables are in the schema of the address's search_path.
      await expectAllApplied();
      await expectNothingLeft(bouncer);
    });

    it('frees the lock after SIGKILL of the holder, and the next run completes', async () => {
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

    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      it(`has rolled back and freed the lock by the time a run ends after ${signal} in a transaction`, async () => {
        const bouncer = await pooler('session', { resets: false });
        const gate = await closeGate(workspace());
        await workspace().write(file(7, 'half', `CREATE TABLE half ();\n${gate.sql}`));
        const holder = startCli(['up', '--allow-pooler'], { env: through(bouncer) });
        await gate.arrived();
        await expectInterrupted(holder, signal);
        expect(await workspace().query(`SELECT to_regclass('half') AS half`)).to.deep.equal([{ half: null }]);
        await gate.open();
        expectExit(await run(bouncer, 'up', '--allow-pooler'), 0);
        expect(await workspace().journalCounts('applied')).to.include({ '006_index': 1, '007_half': 1 });
        await expectNoLock();
      });
    }

    it('cancels a concurrent build after SIGTERM, with no spare backend in the pool', async () => {
      const bouncer = await pooler('session', { size: 2, resets: false });
      const snapshot = await openSnapshot(workspace());
      const holder = startCli(['up', '--allow-pooler'], { env: through(bouncer) });
      await snapshot.awaited();
      const other = new pg.Client({ connectionString: bouncer.url });
      other.on('error', () => undefined);
      await other.connect();
      workspace().defer(() => other.end());
      await other.query('SELECT 1');
      await expectInterrupted(holder, 'SIGTERM');
      expect(await workspace().invalidIndexes()).to.deep.equal([]);
      await snapshot.end();
      await other.end();
      expectExit(await run(bouncer, 'up', '--allow-pooler'), 0);
      await expectAllApplied();
    });

    it('removes a waiter from the queue after SIGTERM and after its timeout', async () => {
      const bouncer = await pooler('session', { resets: false });
      const gate = await closeGate(workspace());
      await workspace().write(file(7, 'half', `CREATE TABLE half ();\n${gate.sql}`));
      const holder = startCli(['up'], workspace());
      await gate.arrived();
      const waiter = startCli(['up', '--allow-pooler'], { env: through(bouncer) });
      await waiter.waitForLog('lock.waiting');
      waiter.kill('SIGTERM');
      expectExit(await waiter.exited, 143);
      expectExit(await run(bouncer, 'up', '--allow-pooler', '--lock-wait', '1s'), 31);
      const backends = await bouncer.backends();
      expect(backends).to.not.deep.equal([]);
      expect(
        await workspace().query(`SELECT pid, mode FROM pg_locks WHERE locktype = 'advisory' AND pid = ANY ($1)`, [
          backends,
        ]),
      ).to.deep.equal([]);
      await gate.open();
      expectExit(await holder.exited, 0);
    });

    it('does not keep the lock when the attempt is cancelled just after it acquired the lock', async () => {
      const bouncer = await pooler('session', { resets: false });
      const gate = await closeGate(workspace());
      // Simulates a server whose answer arrives late.
      const proxy = await StepProxy.start(bouncer.url, async ({ link, message }) => {
        link.forward(slowly(message, gate.sql.replace(';', ''))).catch(() => undefined);
      });
      workspace().defer(() => proxy.stop());
      const holder = startCli(['up', '--allow-pooler'], { env: { ...through(bouncer), DATABASE_URL: proxy.url } });
      await gate.arrived();
      expect(await workspace().lockSessions()).to.have.lengthOf(1);
      holder.kill('SIGTERM');
      expectExit(await holder.exited, 143);
      await expectNoLock();
    });

    it('reports a pool without a spare backend, and changes nothing', async () => {
      const bouncer = await pooler('session', { size: 1 });
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

/** The same query, but the row that reports the acquired lock arrives only after `wait`. */
function slowly(message: FrontendMessage, wait: string): FrontendMessage {
  if (message.type !== 'Q' || !message.text.includes('pg_try_advisory_lock(')) return message;
  const text = Buffer.from(
    `${message.text.replace(/pg_try_advisory_lock\([^)]*\)/, (call) => `${call} AS had, (${wait}) IS NULL`)}\0`,
  );
  const head = Buffer.alloc(5, 'Q');
  head.writeUInt32BE(text.length + 4, 1);
  return { ...message, bytes: Buffer.concat([head, text]) };
}
