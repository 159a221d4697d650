/** Many schemas of one database: --schemas on up, down, wait and status. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';

import { expectExit, startCli, type CliProcess, type CliResult } from '../support/cli.ts';
import { useDatabase } from '../support/databases.ts';
import { blockOnKey, holdKey } from '../support/holder.ts';
import { documentOf, valid } from '../support/json-documents.ts';
import { useWorkspace } from '../support/workspace.ts';
import { WireProxy } from '../support/wire-proxy.ts';

/** Of a table that is named schema_migrations. */
const KEY = '7244554146635925501';

const FILES = {
  '001_users.up.sql': 'CREATE TABLE users (id int PRIMARY KEY, name text);',
  '001_users.down.sql': 'DROP TABLE users;',
  '002_orders.up.sql': 'CREATE TABLE orders (id int, owner int REFERENCES users);',
  '002_orders.down.sql': 'DROP TABLE orders;',
};

interface Entry {
  readonly schema: string;
  readonly state: string;
  readonly done: readonly { readonly version: string }[];
  readonly error?: { readonly code: string; readonly sqlstate?: string };
}

describe('many schemas', () => {
  const workspace = useWorkspace();
  const database = useDatabase();

  beforeEach(async () => {
    await workspace().write(FILES);
    // Each test has the schemas that it makes.
    await query(
      `DO $$ DECLARE s text; BEGIN FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$'` +
        ` LOOP EXECUTE format('DROP SCHEMA %I CASCADE', s); END LOOP; CREATE SCHEMA public; END $$`,
    );
  });

  async function query<R extends pg.QueryResultRow>(sql: string): Promise<R[]> {
    const client = new pg.Client({ connectionString: database() });
    await client.connect();
    try {
      return (await client.query<R>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async function make(...schemas: readonly string[]): Promise<void> {
    await query(schemas.map((schema) => `CREATE SCHEMA ${pg.escapeIdentifier(schema)}`).join(';'));
  }

  /** `t001`, `t002`, … */
  async function makeMany(count: number): Promise<string[]> {
    const names = Array.from({ length: count }, (_, index) => `t${String(index + 1).padStart(3, '0')}`);
    await make(...names);
    return names;
  }

  function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): CliProcess {
    const { PATH = '', LOCKSTEP_DIR = '' } = workspace().env;
    return startCli(args, { env: { PATH, LOCKSTEP_DIR, DATABASE_URL: database(), ...env } });
  }

  const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> =>
    start(args, env).exited;

  function entries(result: CliResult): Entry[] {
    return documentOf('tenants', result)['schemas'] as Entry[];
  }

  /** By schema, how often each version was applied. */
  async function appliedTimes(schemas: readonly string[]): Promise<Record<string, number>[]> {
    const rows = await query<{ times: Record<string, number> | null }>(
      schemas
        .map(
          (schema) =>
            `SELECT json_object_agg(version, n) AS times FROM (SELECT version, count(*) AS n FROM ${pg.escapeIdentifier(schema)}.schema_migrations_journal WHERE event = 'applied' GROUP BY 1 ORDER BY 1) x`,
        )
        .join(' UNION ALL '),
    );
    return rows.map(({ times }) => times ?? {});
  }

  it('get the same migrations, each with a history of its own, whatever their names are', async () => {
    const names = ['tenant_1', 'Tenant.2', 'tenant "3"', 'tenant_' + 'ü'.repeat(28)];
    await make(...names, 'other');
    const first = await run(['up', '--schemas', 'tenant*,Tenant*']);
    expectExit(first, 0);
    expect(first.stdout).to.include('new, without a history: Tenant.2, tenant "3", tenant_1, tenant_ü');
    for (const name of names) expect(first.stdout).to.include(`  ${name}: up 001_users, 002_orders\n`);
    expect(first.stdout).to.match(/Done\.\n$/);
    expect(await appliedTimes(names)).to.deep.equal(names.map(() => ({ '001_users': 1, '002_orders': 1 })));
    expect(
      await query(
        `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('other', 'public')`,
      ),
    ).to.deep.equal([]);

    await make('tenant_new');
    const second = await run([
      'up',
      '--json',
      '--schemas',
      'tenant*',
      '--schemas',
      'Tenant*',
      '--exclude-schemas',
      '*"3"',
    ]);
    expect(entries(second).map(({ schema, state }) => [schema, state])).to.deep.equal([
      ['Tenant.2', 'up to date'],
      ['tenant_1', 'up to date'],
      ['tenant_new', 'done'],
      ['tenant_' + 'ü'.repeat(28), 'up to date'],
    ]);
    // A run in one of them alone goes on with the history as it is.
    expect((await run(['up', '--table', 'tenant_1.schema_migrations'])).stdout).to.include('skip 2 migrations');
  });

  it('are never those of PostgreSQL or of an extension, and public only by name', async () => {
    await make('ext', 'shop');
    await query('CREATE EXTENSION pg_trgm SCHEMA ext');
    expect(entries(await run(['up', '--json', '--schemas', '*'])).map(({ schema }) => schema)).to.deep.equal(['shop']);
    expect(entries(await run(['up', '--json', '--schemas', 'public'])).map(({ schema }) => schema)).to.deep.equal([
      'public',
    ]);
    for (const pattern of ['pg_catalog', 'pg_*', 'information_schema', 'Shop', 'sho', 'sh?'])
      expect((await run(['up', '--schemas', pattern])).code, pattern).to.equal(20);
    expect((await run(['up', '--schemas', 'sh?p'])).code).to.equal(0);
  });

  it('see behind them what is on the path, such as an extension in public', async () => {
    await make('shop');
    await query('CREATE EXTENSION pg_trgm SCHEMA public');
    await workspace().write({ '003_x.up.sql': 'CREATE INDEX ON users USING gin (name gin_trgm_ops);' });
    expectExit(await run(['up', '--schemas', 'shop']), 0);
    expect(await query(`SELECT schemaname FROM pg_indexes WHERE indexdef LIKE '%gin_trgm_ops%'`)).to.deep.equal([
      { schemaname: 'shop' },
    ]);
  });

  it('go with neither a lock key nor a schema of the table', async () => {
    for (const more of [
      ['--lock-key', '7'],
      ['--table', 'a.b'],
    ])
      expect((await run(['up', '--schemas', 'a', ...more])).code).to.equal(20);
    expect((await run(['status', '--exclude-schemas', 'a'])).code).to.equal(20);
  });

  it('with nothing pending take the same number of messages, however many they are', async () => {
    const counts: number[] = [];
    for (const count of [10, 120]) {
      await query(
        `DO $$ BEGIN FOR i IN 1..${count} LOOP EXECUTE format('CREATE SCHEMA IF NOT EXISTS t%s', i); END LOOP; END $$`,
      );
      expectExit(await run(['up', '--schemas', 't*', '--schemas-parallel', '2']), 0);
      const proxy = await WireProxy.start(database());
      const result = await run(['up', '--schemas', 't*'], { DATABASE_URL: proxy.url });
      expectExit(result, 0);
      expect(result.stdout).to.equal(`  skip ${count} schemas (already applied)\nDone.\n`);
      counts.push(proxy.queries.length);
      await proxy.stop();
    }
    expect(counts[0]).to.be.within(2, 4);
    expect(counts[1]).to.equal(counts[0]);
  });

  it('are shared by four runs: each applied once, and a killed run is no loss', async () => {
    const names = await makeMany(60);
    const runs = Array.from({ length: 4 }, () => start(['up', '--schemas', 't*'], { LOCKSTEP_LOG_FORMAT: 'json' }));
    await runs[0]!.waitForLog((line) => line.event === 'tenant.done');
    runs[0]!.kill('SIGKILL');
    const results = await Promise.all(runs.map(({ exited }) => exited));
    for (const result of results.slice(1)) expectExit(result, 0);
    expect(await appliedTimes(names)).to.deep.equal(names.map(() => ({ '001_users': 1, '002_orders': 1 })));
    const done = results.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line.includes(': up ')));
    expect(new Set(done).size, 'no schema is done twice').to.equal(done.length);
  });

  it('keep runs in one schema alone, and the original Go runner, out meanwhile', async () => {
    await make('a', 'b');
    await workspace().write({ '003_wait.up.sql': 'SELECT pg_sleep(60);' });
    const tenants = start(['up', '--schemas', '?']);
    await tenants.waitForLog((line) => line.event === 'migration.started' && line['version'] === '003_wait');
    const alone = await run(['up', '--table', 'a.schema_migrations', '--lock-wait', '1s']);
    expect(alone.code, alone.stderr).to.equal(31);
    const older = await blockOnKey(database(), KEY);
    tenants.kill('SIGTERM');
    const ended = await tenants.exited;
    expect(ended.code, ended.stderr).to.equal(143);
    expect(await older.ended).to.equal('acquired');
    await older.close();
  });

  it('wait for a run in one schema alone, and name it when the time is up', async () => {
    await make('a', 'b');
    const holder = await holdKey(database(), KEY, 'the original runner');
    const late = await run(['up', '--schemas', '?', '--lock-wait', '1s']);
    expect(late.code).to.equal(31);
    expect(late.stderr).to.include('the original runner');
    const patient = start(['up', '--schemas', '?']);
    await patient.waitForLog('lock.waiting');
    await holder.release();
    expectExit(await patient.exited, 0);
  });

  it('do not stop for one that fails, which is named; with --fail-fast they do', async () => {
    const names = await makeMany(12);
    await query('CREATE TABLE t004.orders (); CREATE TABLE t007.users ()');
    const terminationLog = join(workspace().dir, 'termination');
    await writeFile(terminationLog, '');
    const result = await run(['up', '--json', '--schemas', 't*'], { LOCKSTEP_TERMINATION_LOG: terminationLog });
    expect(result.code).to.equal(40);
    const failed = entries(result).filter(({ state }) => state === 'failed');
    expect(failed.map(({ schema, error }) => [schema, error?.code, error?.sqlstate])).to.deep.equal([
      ['t004', 'MIGRATION_FAILED', '42P07'],
      ['t007', 'MIGRATION_FAILED', '42P07'],
    ]);
    expect(failed[0]!.done.map(({ version }) => version)).to.deep.equal(['001_users']);
    const message = valid('termination', await readFile(terminationLog, 'utf8'));
    expect(message).to.deep.include({
      code: 'MIGRATION_FAILED',
      summary: '2 of 12 schemas failed',
      problems: [
        't004: MIGRATION_FAILED (exit 40) at 002_orders, SQLSTATE 42P07',
        't007: MIGRATION_FAILED (exit 40) at 001_users, SQLSTATE 42P07',
      ],
      schemas: { total: 12, done: 10, upToDate: 0, failed: 2, notRun: 0, gone: 0 },
    });

    await query(
      names
        .map((name) => `DROP SCHEMA ${name} CASCADE; CREATE SCHEMA ${name}; CREATE TABLE ${name}.users ()`)
        .join(';'),
    );
    const fast = await run(['up', '--json', '--schemas', 't*', '--fail-fast']);
    expect(documentOf('tenants', fast)['counts']).to.include({ failed: 1, notRun: 11 });
  });

  it('are rolled back, and a dry run says what would run where', async () => {
    await make('a', 'b', 'c');
    expectExit(await run(['up', '--schemas', '?', '--exclude-schemas', 'c']), 0);
    const dry = await run(['down', '--schemas', '?', '--to', '1', '--dry-run']);
    expect(dry.stdout).to.include('Dry run: nothing was changed.\nIn a, b:\n  would roll back 002_orders');
    const down = await run(['down', '--schemas', '?', '--to', '001_users']);
    expectExit(down, 0);
    expect(down.stdout)
      .to.include('  a: down 002_orders\n')
      .and.include('  b: down 002_orders\n')
      .and.include('skip 1 schema');
    expect((await run(['down', '--schemas', '?'])).code).to.equal(24);
    expect(
      await query(`SELECT relnamespace::regnamespace::text AS s FROM pg_class WHERE relname = 'users' ORDER BY 1`),
    ).to.deep.equal([{ s: 'a' }, { s: 'b' }]);
  });

  it('are read by status, and wait returns when nothing is pending in any', async () => {
    await make('a', 'b');
    expectExit(await run(['up', '--schemas', 'a']), 0);
    const table = await run(['status', '--schemas', '?', '--exit-code']);
    expect(table.code).to.equal(33);
    expect(table.stdout)
      .to.match(/^a +002_orders *$/m)
      .and.match(/^b +2$/m);
    const document = documentOf('schemas', await run(['status', '--schemas', '?', '--json']));
    expect(document['schemas']).to.deep.equal([
      { schema: 'a', upToDate: true, version: '002_orders', pending: [], held: [], inPart: [] },
      { schema: 'b', upToDate: false, pending: ['001_users', '002_orders'], held: [], inPart: [] },
    ]);
    expect((await run(['wait', '--schemas', '?', '--timeout', '0'])).code).to.equal(33);
    const waiting = start(['wait', '--schemas', '?', '--json']);
    await waiting.waitForLog('wait.pending');
    expectExit(await run(['up', '--schemas', 'b']), 0);
    expect(documentOf('schemas', await waiting.exited)['upToDate']).to.equal(true);
  });

  it('that are dropped meanwhile are a line, and no failure', async () => {
    await make('a', 'b');
    await workspace().write({ '000_wait.up.sql': 'SELECT pg_advisory_xact_lock(42);' });
    const holder = await holdKey(database(), '42');
    const tenants = start(['up', '--schemas', '?']);
    const line = await tenants.waitForLog((one) => one.event === 'migration.started');
    const other = line['schema'] === 'a' ? 'b' : 'a';
    await query(`DROP SCHEMA ${other} CASCADE`);
    await holder.release();
    const result = await tenants.exited;
    expectExit(result, 0);
    expect(result.stdout).to.include(`  ${other}: it was dropped meanwhile\n`);
  });
});
