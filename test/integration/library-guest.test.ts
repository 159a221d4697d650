/** `runMigrations` on the caller's pool or client leaves the pool, the client and their settings as they were. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import pg from 'pg';

import { runMigrations } from '../../src/index.ts';
import { closeGate } from '../support/gate.ts';
import { FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { createRole } from '../support/roles.ts';
import { done, failure, up } from '../support/running.ts';

const VERSIONS = versionsOf(FIVE_FILES);

/** Everything in a session that a later user of it would notice. */
async function sessionOf(client: Pick<pg.ClientBase, 'query'>): Promise<unknown> {
  const { rows } = await client.query<Record<string, unknown>>(
    `SELECT pg_backend_pid() AS pid, current_user AS role, (SELECT json_object_agg(name, current_setting(name) ORDER BY name) FROM pg_settings
        WHERE source IN ('session', 'client') AND name NOT LIKE 'transaction%') AS settings,
       (SELECT count(*)::int FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory') AS locks,
       (SELECT count(*)::int FROM pg_listening_channels()) AS channels`,
  );
  return rows[0];
}

function listenersOf(client: pg.ClientBase): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of client.eventNames())
    if (client.listenerCount(name) > 0) counts[String(name)] = client.listenerCount(name);
  return counts;
}

describe("a caller's pool", () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  const options = () => ({ dir: workspace().dir, lockKey: workspace().lockKey, direction: 'up' as const });

  async function look(pool: pg.Pool): Promise<unknown> {
    const client = await pool.connect();
    try {
      return {
        session: await sessionOf(client),
        listeners: listenersOf(client),
        total: pool.totalCount,
        waiting: pool.waitingCount,
      };
    } finally {
      client.release();
    }
  }

  it('gets the same client back, unchanged, when nothing was pending', async () => {
    await up(workspace());
    const pool = workspace().pool({ max: 1 });
    const before = await look(pool);
    for (let run = 1; run <= 3; run += 1)
      expect((await runMigrations({ ...options(), pool })).skipped).to.deep.equal(VERSIONS);
    expect(await look(pool)).to.deep.equal(before);
  });

  it('gets no client back whose session was changed, and keeps its size', async () => {
    const pool = workspace().pool({ max: 2 });
    const [one, other] = await Promise.all([pool.connect(), pool.connect()]);
    const processes = await Promise.all(
      [one, other].map(
        async (client) => (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid,
      ),
    );
    one.release();
    expect(done(await runMigrations({ ...options(), pool }))).to.deep.equal(VERSIONS);
    other.release();
    const [first, second] = await Promise.all([pool.connect(), pool.connect()]);
    const afterwards = await Promise.all([first, second].map((client) => sessionOf(client)));
    for (const client of [first, second]) client.release();
    expect(afterwards.map((session) => processes.includes((session as { pid: number }).pid)).sort()).to.deep.equal([
      false,
      true,
    ]);
    for (const session of afterwards) expect(session).to.deep.include({ locks: 0, channels: 0 });
    expect(JSON.stringify(afterwards)).to.not.match(
      /idle_session_timeout|client_connection_check_interval|lockstep up/,
    );
    expect([pool.totalCount, pool.idleCount, pool.waitingCount]).to.deep.equal([2, 2, 0]);
  });

  it('gets its only client back after a failure', async () => {
    await workspace().write({ '002_orders.up.sql': 'SELECT nope;' });
    const pool = workspace().pool({ max: 1 });
    await failure('MIGRATION_FAILED', runMigrations({ ...options(), pool }));
    expect((await pool.query('SELECT 1 AS one')).rows).to.deep.equal([{ one: 1 }]);
    expect(await workspace().lockSessions()).to.deep.equal([]);
  });

  it('keeps the settings that it makes when it connects, from one migration to the next', async () => {
    const { serverUrl, schema } = workspace();
    const pool = new pg.Pool({ connectionString: serverUrl, max: 1, application_name: 'the shop' });
    workspace().defer(() => pool.end());
    // The driver sends the queries of a new client before any others.
    const settings = `SET search_path TO ${schema}; SET work_mem = '7MB'; SET statement_timeout = '55s'`;
    pool.on('connect', (client) => {
      client.query(settings).catch(() => undefined);
    });
    await workspace().write({
      '006_look.up.sql': `CREATE TABLE seen AS SELECT current_setting('work_mem') AS memory, current_setting('statement_timeout') AS timeout;`,
      '007_leak.up.sql': `SET work_mem = '1MB'; SET search_path TO public;`,
      '008_look.up.sql': `INSERT INTO seen SELECT current_setting('work_mem'), current_setting('statement_timeout');`,
      '009_alone.up.sql': `-- lockstep: no-transaction\nINSERT INTO seen SELECT current_setting('work_mem'), current_setting('statement_timeout');`,
    });
    await runMigrations({ ...options(), pool });
    expect(await workspace().query('SELECT DISTINCT memory, timeout FROM seen')).to.deep.equal([
      { memory: '7MB', timeout: '55s' },
    ]);
    expect(await workspace().versions()).to.have.lengthOf(9);
    expect((await pool.query(`SHOW application_name`)).rows).to.deep.equal([{ application_name: 'the shop' }]);
  });

  it('shows the name of the runner in pg_stat_activity, not that of the application', async () => {
    const gate = await closeGate(workspace());
    await workspace().write({ '001_accounts.up.sql': `${FIVE_FILES['001_accounts.up.sql']}\n${gate.sql}` });
    const run = runMigrations({
      ...options(),
      pool: workspace().pool({ application_name: 'the shop' }),
      runnerName: 'shop-1',
    });
    await gate.arrived();
    expect((await workspace().lockSessions()).map(({ name }) => name.replace(/ \d\S* /, ' … '))).to.deep.equal([
      'lockstep up … shop-1',
    ]);
    await gate.open();
    await run;
  });
});

describe("a caller's client or pool", () => {
  const workspace = useWorkspace();
  beforeEach(() =>
    workspace().write({
      ...FIVE_FILES,
      '006_last.up.sql': `COMMENT ON TABLE accounts IS 'é';`,
      '007_i.up.sql': 'CREATE INDEX CONCURRENTLY on_id ON accounts (id);',
      '007_i.down.sql': 'DROP INDEX on_id;',
    }),
  );

  for (const kind of ['pool', 'connection'] as const) {
    it(`of the kind ${kind} causes no warning of the driver`, async () => {
      // A process of its own, because the driver warns once a process.
      const { dir, lockKey, serverUrl, schema } = workspace();
      const script = `import pg from 'pg';
        import { runMigrations } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)};
        const config = ${JSON.stringify({ connectionString: serverUrl, options: `-c search_path=${schema}` })};
        const ${kind} = new pg.${kind === 'pool' ? 'Pool' : 'Client'}(config);
        ${kind === 'pool' ? '' : 'await connection.connect();'}
        const options = ${JSON.stringify({ dir, lockKey })};
        const hooks = { '004_bonus': async ({ pool }) => { await Promise.all(Array.from({ length: 9 }, () => pool.query('SELECT 1'))); } };
        for (const more of [{ direction: 'up'${kind === 'pool' ? ', hooks' : ''} }, { direction: 'up' }, { direction: 'down', steps: 1 }]) await runMigrations({ ${kind}, ...options, ...more });
        await ${kind}.end();`;
      const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
        cwd: import.meta.dirname,
      });
      expect(stderr).to.equal('');
      expect(await workspace().versions()).to.have.lengthOf(6);
    });
  }
});

describe("a caller's client", () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  it('stays open, with its settings, its role and its listeners, after a run and after an idle run', async () => {
    const role = await createRole(workspace());
    const connection = await workspace().client({ application_name: 'the shop' });
    await connection.query(`SET work_mem = '7MB'; SET ROLE ${role.name}`);
    const [before, listeners] = [await sessionOf(connection), listenersOf(connection)];
    const { dir, lockKey } = workspace();
    for (const expected of [VERSIONS, []]) {
      expect(done(await runMigrations({ connection, dir, lockKey, direction: 'up' }))).to.deep.equal(expected);
      expect(await sessionOf(connection)).to.deep.equal(before);
      expect(listenersOf(connection)).to.deep.equal(listeners);
    }
  });

  it('is in no transaction after a check of a table that has no journal yet', async () => {
    await workspace().query(
      'CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    for (const version of VERSIONS)
      await workspace().query('INSERT INTO schema_migrations (version) VALUES ($1)', [version]);
    const connection = await workspace().client();
    const { dir, lockKey } = workspace();
    expect(
      (await runMigrations({ connection, dir, lockKey, direction: 'up', release: 'shop/7@2' })).skipped,
    ).to.deep.equal(VERSIONS);
    expect((await connection.query('SELECT 1 AS one')).rows).to.deep.equal([{ one: 1 }]);
    const pool = workspace().pool({ max: 1 });
    const backend = async (): Promise<unknown> => (await pool.query('SELECT pg_backend_pid() AS pid')).rows;
    const before = await backend();
    await runMigrations({ pool, dir, lockKey, direction: 'up' });
    expect(await backend()).to.deep.equal(before);
  });

  it('can still use the statements that it has prepared', async () => {
    const connection = await workspace().client();
    const prepared = { name: 'one', text: 'SELECT 1 AS one' };
    await connection.query(prepared);
    const { dir, lockKey } = workspace();
    await runMigrations({ connection, dir, lockKey, direction: 'up' });
    expect((await connection.query(prepared)).rows).to.deep.equal([{ one: 1 }]);
  });

  it('has no pool for a hook: an error before anything is applied, and only if a hook is to run', async () => {
    const connection = await workspace().client();
    const { dir, lockKey } = workspace();
    const options = { connection, dir, lockKey, direction: 'up' } as const;
    const hooks = { '003_first_orders': () => undefined };
    for (const given of [{ hooks }, {}]) {
      const error = await failure('CONFIG_INVALID', runMigrations({ ...options, ...given }));
      expect(error.hint).to.include('pool or a connectionString');
      expect(await workspace().query(`SELECT to_regclass('accounts') AS accounts`)).to.deep.equal([{ accounts: null }]);
      await workspace().write({ '003_first_orders.before.mjs': 'export default () => undefined;' });
    }
    expect((await runMigrations({ ...options, dryRun: true })).wouldRun).to.have.lengthOf(5);
    await up(workspace());
    expect((await runMigrations({ ...options, hooks })).skipped).to.deep.equal(VERSIONS);
    expect(done(await runMigrations({ ...options, hooks, direction: 'down', steps: 1 }))).to.deep.equal(
      ['005_'].map((start) => VERSIONS.find((version) => version.startsWith(start))),
    );
  });

  it('inside a transaction is refused: the lock and the records would be part of that transaction', async () => {
    const connection = await workspace().client();
    await connection.query('BEGIN; CREATE TABLE mine (x int)');
    const { dir, lockKey } = workspace();
    const error = await runMigrations({ connection, dir, lockKey, direction: 'up' }).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(Error).and.to.include({ code: 'CONFIG_INVALID' });
    // The transaction is still open: only the caller may end it.
    expect((await connection.query(`SELECT to_regclass('mine') IS NOT NULL AS mine`)).rows).to.deep.equal([
      { mine: true },
    ]);
    await connection.query('ROLLBACK');
    expect(
      await workspace().query(`SELECT to_regclass('mine') AS mine, to_regclass('accounts') AS accounts`),
    ).to.deep.equal([{ mine: null, accounts: null }]);
  });
});
