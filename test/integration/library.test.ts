/** `runMigrations` as an application calls it: every way to connect, every refusal, and every outcome. */
import { expect } from 'chai';
import pg from 'pg';

import { type Hook, MigratorError, runMigrations, type RunMigrationsOptions } from '../../src/index.ts';
import { closeGate } from '../support/gate.ts';
import { FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS, file, versionsOf } from '../support/migrations.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';
import { done, down, failure, proxyOf, up } from '../support/running.ts';

const VERSIONS = versionsOf(FIVE_FILES);

describe('runMigrations', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  const WAYS: Readonly<Record<string, () => Promise<Pick<RunMigrationsOptions, 'pool'> | object>>> = {
    pool: async () => ({ pool: workspace().pool({ max: 1 }) }),
    connection: async () => ({ connection: await workspace().client() }),
    connectionString: async () => ({ connectionString: workspace().url }),
  };
  for (const [way, place] of Object.entries(WAYS)) {
    it(`applies and rolls back by ${way}, and returns each outcome`, async () => {
      const { dir, lockKey } = workspace();
      const options = { ...(await place()), dir, lockKey } as RunMigrationsOptions;
      const first = await runMigrations({ ...options, direction: 'up', to: '003_first_orders' });
      expect(first).to.deep.include({
        command: 'up',
        skipped: [],
        notRun: [],
        pending: VERSIONS.slice(3),
        dryRun: false,
      });
      expect(done(first)).to.deep.equal(VERSIONS.slice(0, 3));
      expect(await runMigrations({ ...options, direction: 'up' })).to.deep.include({
        skipped: VERSIONS.slice(0, 3),
        pending: [],
      });
      expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
      expect(await runMigrations({ ...options, direction: 'up' })).to.deep.include({ done: [], skipped: VERSIONS });
      const back = await runMigrations({ ...options, direction: 'down', steps: 2 });
      expect(back).to.deep.include({ command: 'down', pending: ['004_bonus', '005_order_notes'] });
      expect(done(back)).to.deep.equal(['005_order_notes', '004_bonus']);
      expect(await workspace().lockSessions()).to.deep.equal([]);
    });
  }

  it('accepts single files from any directory', async () => {
    const { dir } = workspace();
    const files = ['001_accounts.up.sql', '002_orders.up.sql', '002_orders.down.sql'].map((name) => `${dir}/${name}`);
    expect(done(await up(workspace(), { dir: undefined, files } as never))).to.deep.equal([
      '001_accounts',
      '002_orders',
    ]);
  });

  it('accepts a table with its schema, also with special characters, and uses only that one', async () => {
    const here = workspace();
    await here.query(`CREATE SCHEMA "${here.schema} Odd"`);
    here.defer(() => here.query(`DROP SCHEMA "${here.schema} Odd" CASCADE`));
    const table = `${here.schema} Odd.The "history" of it`;
    expect(done(await up(workspace(), { table }))).to.deep.equal(VERSIONS);
    expect((await up(workspace(), { table })).skipped).to.deep.equal(VERSIONS);
    expect(await workspace().versions(`"${workspace().schema} Odd"."The ""history"" of it"`)).to.deep.equal(VERSIONS);
    expect(await workspace().query(`SELECT to_regclass('schema_migrations') AS found`)).to.deep.equal([
      { found: null },
    ]);
  });

  it('dry runs of both directions change nothing', async () => {
    expect(await up(workspace(), { dryRun: true })).to.deep.include({ done: [], notRun: VERSIONS, dryRun: true });
    expect(await workspace().query(`SELECT to_regclass('schema_migrations') AS found`)).to.deep.equal([
      { found: null },
    ]);
    await up(workspace());
    expect(await down(workspace(), { steps: 1, dryRun: true })).to.deep.include({
      done: [],
      notRun: ['005_order_notes'],
    });
    expect(await workspace().versions()).to.deep.equal(VERSIONS);
  });

  it('reports events in order', async () => {
    const reporter = new Recorder();
    await up(workspace(), { to: '001_accounts', reporter });
    const types = reporter.events.map(({ type }) => type).filter((type) => type !== 'server.notice');
    expect(types).to.deep.equal([
      ...['session.opened', 'lock.acquired', 'run.planned', 'migration.started', 'migration.applied'],
      ...['lock.released', 'run.finished'],
    ]);
  });

  const FAILING: Readonly<Record<string, () => unknown>> = {
    throws: () => {
      throw new Error('no disk');
    },
    'rejects, although its promise is not awaited': () => Promise.reject(new Error('no disk')),
  };
  for (const [how, fail] of Object.entries(FAILING)) {
    const report = fail;
    it(`continues when a reporter ${how}, and warns`, async () => {
      const outcome = await up(workspace(), { reporter: { report } });
      expect(done(outcome)).to.deep.equal(VERSIONS);
      expect(outcome.warnings).to.deep.equal(['the reporter failed: no disk']);
      expect(await workspace().journalCounts('failed')).to.deep.equal({});
      expect(await workspace().versions()).to.deep.equal(VERSIONS);
    });
  }

  it('accepts the largest integers that are exact as a lock key', async () => {
    for (const lockKey of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
      const reporter = new Recorder();
      await up(workspace(), {
        lockKey: lockKey as unknown as string,
        table: `history_${lockKey < 0 ? 'low' : 'high'}`,
        to: '001_accounts',
        reporter,
      }).catch(() => undefined);
      expect(reporter.of('lock.acquired').map(({ key }) => key)).to.deep.equal([String(lockKey)]);
    }
  });

  it("runs hooks in the caller's thread, with a pool of their own", async () => {
    const pool = workspace().pool({ max: 1 });
    const { dir, lockKey } = workspace();
    const seen: unknown[] = [];
    const reporter = new Recorder();
    await runMigrations({
      ...{ pool, dir, lockKey, reporter, direction: 'up' },
      hooks: {
        '002_orders': async ({ pool: own, version, log, signal }) => {
          expect(own).to.not.equal(pool);
          log('here');
          const { rows } = await own.query('SELECT count(*)::int AS count FROM accounts');
          seen.push(version, rows[0].count, signal.aborted);
        },
      },
    });
    expect(seen).to.deep.equal(['002_orders', 10, false]);
    expect(reporter.of('hook.log').map(({ message }) => message)).to.deep.equal(['here']);
    const failing = { '006_more': () => Promise.reject(new Error('not yet')) };
    await workspace().write(file(6, 'more', 'SELECT 1;'));
    const error = await failure('HOOK_FAILED', runMigrations({ pool, dir, lockKey, direction: 'up', hooks: failing }));
    expect(error.summary).to.include('not yet');
    expect(await workspace().versions()).to.deep.equal(VERSIONS);
  });

  it('does not blame a hook that loses its connection, in a query or between queries', async () => {
    const { dir, lockKey } = workspace();
    const hooks: Readonly<Record<string, Hook>> = {
      'in a query': ({ pool }) => pool.query('SELECT pg_terminate_backend(pg_backend_pid())'),
      'between queries': async ({ pool }) => {
        const client = await pool.connect();
        const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
        await pool.query('SELECT pg_terminate_backend($1, 5000)', [rows[0].pid]);
        try {
          while (true) await client.query('SELECT 1');
        } finally {
          client.release();
        }
      },
    };
    for (const [when, hook] of Object.entries(hooks)) {
      const pool = workspace().pool({ max: 1 });
      const run = runMigrations({ pool, dir, lockKey, direction: 'up', hooks: { '002_orders': hook } });
      const error = await failure('DATABASE_UNAVAILABLE', run);
      expect(error.summary, when).to.include('the connection of the hook of 002_orders failed');
    }
  });

  it('rolls back, frees the lock and rejects when its signal aborts', async () => {
    const gate = await closeGate(workspace());
    await workspace().write({ '002_orders.up.sql': `${FIVE_FILES['002_orders.up.sql']}\n${gate.sql}` });
    for (const way of Object.values(WAYS)) {
      const stop = new AbortController();
      const { dir, lockKey } = workspace();
      const run = runMigrations({ ...(await way()), dir, lockKey, direction: 'up', signal: stop.signal });
      run.catch(() => undefined);
      await gate.arrived();
      stop.abort();
      const error = await failure('INTERRUPTED', run);
      expect(error.details.outcome?.notRun).to.deep.equal(VERSIONS.slice(2));
      await workspace().query(`SELECT pg_advisory_lock($1::bigint)`, [lockKey]);
      await workspace().query(`SELECT pg_advisory_unlock($1::bigint)`, [lockKey]);
      expect(await workspace().query(`SELECT to_regclass('orders') AS found`)).to.deep.equal([{ found: null }]);
      expect(await workspace().versions()).to.deep.equal(['001_accounts']);
    }
  });

  it('throws an error with the outcome, the exit code and the cause', async () => {
    await workspace().write({ '003_first_orders.up.sql': 'SELECT nope;' });
    const error = await failure('MIGRATION_FAILED', up(workspace()));
    expect(error).to.be.instanceOf(MigratorError).and.be.instanceOf(Error);
    expect(error.exit).to.equal(40);
    expect(error.details.outcome).to.deep.include({
      failedVersion: '003_first_orders',
      notRun: VERSIONS.slice(3),
      pending: VERSIONS.slice(2),
    });
    expect(done(error.details.outcome)).to.deep.equal(VERSIONS.slice(0, 2));
    expect(error.cause).to.be.instanceOf(Error);
  });
});

describe('runMigrations refuses before any connection is made', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  const WRONG: Readonly<Record<string, readonly object[]>> = {
    'a direction that is not "up" or "down"': ['', 'UP', 'DOWN', 'rollback', 'x', ' up ', undefined, null, 1].map(
      (direction) => ({ direction }),
    ),
    'a table name': ['', '.', 'a.', '.a', 'a.b.c', ' a', 'a '.repeat(30)].map((table) => ({ table })),
    'a lock key': ['', 'x', '1.5', 2n ** 63n, 1.5, Number.NaN, 2 ** 53, -(2 ** 53), 7_244_554_146_635_925_501].map(
      (lockKey) => ({ lockKey }),
    ),
    'a target': [
      { connectionString: undefined },
      { pool: new pg.Pool() },
      { connectionString: 'postgres://h/d?nonsense=1' },
      { connectionString: 'mysql://h/d' },
    ],
    files: [{ dir: undefined }, { files: [] }],
    'a duration': [-1, Number.NaN, Infinity, 2 ** 31, '5s', null].flatMap((ms) => [
      { lockTimeoutMs: ms },
      { hookTimeoutMs: ms },
      { connectWaitMs: ms },
    ]),
    'an unknown option': [{ rease: 'x' }, { dryrun: true }, { '': 1 }],
    'an option of the other direction': [
      { steps: 1 },
      { all: true, confirm: 'postgres' },
      { toFiles: true },
      { from: 'stored' },
      { hold: true },
      { reason: 'x' },
      { direction: 'down', steps: 1, reapply: ['001_accounts'] },
    ],
    'an enumerated value or a type': [
      ...[
        { direction: 'down', steps: 1, from: 'Stored' },
        { reapply: '003_first_orders' },
        { reapply: [3] },
        { strict: 'yes' },
        { dryRun: 1 },
        { to: 3 },
      ],
      ...[
        { direction: 'down', steps: '1' },
        { release: 5 },
        { hooks: 'x' },
        { files: '001_a.up.sql', dir: undefined },
        { table: 5 },
        { allowPooler: null },
      ],
    ],
    'a client that is not connected': [{ connectionString: undefined, connection: new pg.Client() }],
  };
  for (const [what, options] of Object.entries(WRONG)) {
    it(`invalid: ${what}`, async () => {
      const proxy = await proxyOf(workspace());
      const { dir, lockKey } = workspace();
      for (const wrong of options) {
        const all = {
          connectionString: proxy.url,
          dir,
          lockKey,
          direction: 'up',
          ...wrong,
        } as unknown as RunMigrationsOptions;
        await failure('CONFIG_INVALID', runMigrations(all)).catch((error: unknown) => {
          throw new Error(
            `with ${Object.entries(wrong)
              .map(([key, value]) => `${key}: ${String(value)}`)
              .join()}`,
            { cause: error },
          );
        });
      }
      expect(proxy.messages).to.deep.equal([]);
    });
  }

  it('names every problem, and suggests what may be meant', async () => {
    const wrong = {
      connectionString: 'postgres://h/d',
      dir: 'x',
      direction: 'up',
      steps: 1,
      reaply: ['a'],
      from: 'Stored',
      lockKey: 'x',
    } as unknown as RunMigrationsOptions;
    expect((await failure('CONFIG_INVALID', runMigrations(wrong))).details.problems).to.deep.equal([
      'steps goes only with the other direction',
      'there is no option "reaply"; did you mean reapply?',
      'from "Stored" is neither "files" nor "stored"',
      'lockKey "x" is not a whole number',
    ]);
  });

  it('a rollback without exactly one target', async () => {
    const proxy = await proxyOf(workspace());
    for (const target of [
      {},
      { steps: 0 },
      { steps: 1.5 },
      { steps: 1, to: '001_accounts' },
      { all: true },
      { all: false },
    ]) {
      await failure('ROLLBACK_REFUSED', down(workspace(), { connectionString: proxy.url, ...target }));
    }
    expect(proxy.messages).to.deep.equal([]);
  });
});
