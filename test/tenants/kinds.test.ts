/** What may be with one schema of many, and what becomes of it and the others? */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { expectExit, type CliResult } from '../support/cli.ts';
import { documentOf } from '../support/json-documents.ts';
import { entriesOf, useTenants } from '../support/tenants.ts';

const RELEASE = { LOCKSTEP_RELEASE: 'shop/1@1.0' };

describe('one schema of many', () => {
  const tenants = useTenants();

  /** By schema: its state, and the code of its error. */
  function statesOf(result: CliResult): Record<string, string> {
    return Object.fromEntries(entriesOf(result).map(({ schema, state, error }) => [schema, error?.code ?? state]));
  }

  interface Kind {
    readonly title: string;
    /** Of the schema `b`; `a` and `c` are as they should be. */
    readonly sql: string;
    readonly exit: number;
    readonly code: string;
  }

  const KINDS: readonly Kind[] = [
    {
      title: 'a view in the place of its history',
      sql: `CREATE VIEW b.schema_migrations AS SELECT '1'::text AS version, now() AS applied_at`,
      exit: 22,
      code: 'HISTORY_CONFLICT',
    },
    {
      title: "another tool's history",
      sql: 'CREATE TABLE b.schema_migrations (id int, name text)',
      exit: 22,
      code: 'HISTORY_CONFLICT',
    },
    {
      title: 'a partitioned history',
      sql: 'CREATE TABLE b.schema_migrations (version text, applied_at timestamptz) PARTITION BY LIST (version)',
      exit: 22,
      code: 'HISTORY_CONFLICT',
    },
    {
      title: 'a history with another lock key',
      sql: `CREATE TABLE b.schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
        COMMENT ON TABLE b.schema_migrations IS 'Lockstep history, format 1, readable since 1, lock key 7'`,
      exit: 20,
      code: 'CONFIG_INVALID',
    },
    {
      title: 'an object that a migration makes',
      sql: 'CREATE TABLE b.users ()',
      exit: 40,
      code: 'MIGRATION_FAILED',
    },
  ];

  for (const { title, sql, exit, code } of KINDS) {
    it(`with ${title}: ${exit}, and the others are done`, async () => {
      await tenants().make('a', 'b', 'c');
      await tenants().query(sql);
      const first = await tenants().run(['up', '--json', '--schemas', '?']);
      expect(first.code, first.stderr).to.equal(exit);
      expect(statesOf(first)).to.deep.equal({ a: 'done', b: code, c: 'done' });
      const second = await tenants().run(['up', '--json', '--schemas', '?']);
      expect(statesOf(second)).to.deep.equal({ a: 'up to date', b: code, c: 'up to date' });
    });
  }

  it('that this role may not use: 23; one that another role owns is worked in where it may', async () => {
    const role = `tenant_${String(process.pid)}`;
    await tenants().query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
    try {
      await tenants().make('a', 'b', 'c');
      await tenants().query(`ALTER SCHEMA a OWNER TO ${role}; GRANT USAGE, CREATE ON SCHEMA c TO ${role}`);
      const url = new URL(tenants().url);
      url.username = role;
      url.password = 'x';
      const result = await tenants().run(['up', '--json', '--schemas', '?'], { DATABASE_URL: url.href });
      expect(result.code, result.stderr).to.equal(23);
      expect(statesOf(result)).to.deep.equal({ a: 'done', b: 'ACCESS_REFUSED', c: 'done' });
      const wait = await tenants().run(['wait', '--schemas', '?', '--timeout', '1m'], { DATABASE_URL: url.href });
      expect(wait.code, wait.stderr).to.equal(23);
      expect(wait.stderr).to.include('b: ACCESS_REFUSED');
      const owners = await tenants().query(
        `SELECT DISTINCT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relname LIKE 'schema_migrations%'`,
      );
      expect(owners).to.deep.equal([{ owner: role }]);
    } finally {
      await tenants().query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  it('is worked in as --role, whose histories another login reads together', async () => {
    const [login, owner] = [`login_${String(process.pid)}`, `owner_${String(process.pid)}`];
    await tenants().query(`CREATE ROLE ${owner}; CREATE ROLE ${login} LOGIN PASSWORD 'x' NOINHERIT IN ROLE ${owner}`);
    try {
      await tenants().make('a', 'b');
      await tenants().query(`ALTER SCHEMA a OWNER TO ${owner}; ALTER SCHEMA b OWNER TO ${owner}`);
      const url = new URL(tenants().url);
      url.username = login;
      url.password = 'x';
      const up = (): Promise<CliResult> =>
        tenants().run(['up', '--schemas', '?', '--role', owner], { ...RELEASE, DATABASE_URL: url.href });
      expectExit(await up(), 0);
      const again = await up();
      expect(again.stdout).to.equal('  skip 2 schemas (already applied)\nDone.\n');
      expect(again.stderr).not.to.include('planned');
    } finally {
      await tenants().query(`DROP OWNED BY ${owner}; DROP ROLE ${login}, ${owner}`);
    }
  });

  it('with a version that is held: 22 from up and wait, and the others are done', async () => {
    await tenants().make('a', 'b');
    expectExit(await tenants().run(['up', '--schemas', '?'], RELEASE), 0);
    expectExit(await tenants().run(['down', '--schemas', 'b', '--steps', '1', '--reason', 'slow'], RELEASE), 0);
    await tenants().make('c');
    const up = await tenants().run(['up', '--json', '--schemas', '?'], RELEASE);
    expect(up.code, up.stderr).to.equal(22);
    expect(statesOf(up)).to.deep.equal({ a: 'up to date', b: 'HISTORY_CONFLICT', c: 'done' });
    const wait = await tenants().run(['wait', '--schemas', '?', '--timeout', '1m'], RELEASE);
    expect(wait.code, wait.stderr).to.equal(22);
    expect(wait.stderr).to.match(/b: 002_orders was rolled back by .*: slow/);
    expectExit(await tenants().run(['up', '--schemas', '?', '--reapply', '2'], RELEASE), 0);
    expectExit(await tenants().run(['wait', '--schemas', '?', '--timeout', '0'], RELEASE), 0);
  });

  it('is waited for, also when the session is lost meanwhile', async () => {
    await tenants().make('a', 'b');
    const waiting = tenants().start(['wait', '--schemas', '?'], { LOCKSTEP_LOG_FORMAT: 'json' });
    await waiting.waitForLog('wait.pending');
    await tenants().query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'lockstep wait%' AND datname = current_database()`,
    );
    expectExit(await tenants().run(['up', '--schemas', '?']), 0);
    expectExit(await waiting.exited, 0);
  });

  it('that is ahead of the files, or has changed ones, is a warning, and no work', async () => {
    await tenants().make('a', 'b');
    expectExit(await tenants().run(['up', '--schemas', '?']), 0);
    await tenants().workspace.write({ '003_new.up.sql': 'SELECT 1;' });
    expectExit(await tenants().run(['up', '--schemas', 'b']), 0);
    await rm(join(tenants().workspace.dir, '003_new.up.sql'));
    await tenants().workspace.write({ '001_users.up.sql': 'CREATE TABLE users (id int PRIMARY KEY, name text); -- x' });
    const result = await tenants().run(['up', '--schemas', '?']);
    expectExit(result, 0);
    expect(result.stdout).to.equal('  skip 2 schemas (already applied)\nDone.\n');
    expect(result.stderr)
      .to.include('b: applied, but without a file here (the database is ahead): 003_new')
      .and.include('changed after it was applied: 001_users (in 2 schemas, the first is a)');
    expect((await tenants().run(['up', '--schemas', '?', '--strict'])).code).to.equal(22);
  });

  it('with a version in part is finished, and status says so', async () => {
    await tenants().make('a', 'b');
    await tenants().workspace.write({
      '003_part.up.sql':
        '-- lockstep: no-transaction\nCREATE INDEX CONCURRENTLY i ON users (name);\nINSERT INTO orders SELECT 1 / count(*) FROM users;',
    });
    await tenants().run(['up', '--to', '2', '--schemas', '?']);
    await tenants().query(`INSERT INTO a.users VALUES (1, 'x')`);
    const up = await tenants().run(['up', '--json', '--schemas', '?']);
    expect(up.code, up.stderr).to.equal(40);
    expect(statesOf(up)).to.deep.equal({ a: 'done', b: 'MIGRATION_FAILED' });
    const status = await tenants().run(['status', '--json', '--exit-code', '--schemas', '?']);
    expect(status.code).to.equal(33);
    const [, b] = documentOf('schemas', status)['schemas'] as { inPart: string[] }[];
    expect(b?.inPart).to.deep.equal(['003_part']);
    await tenants().query(`INSERT INTO b.users VALUES (1, 'x')`);
    expectExit(await tenants().run(['up', '--schemas', '?']), 0);
  });

  it('whatever isolation level, path and dates are the default of the database', async () => {
    await tenants().make('a', 'b', 'elsewhere');
    const [row] = await tenants().query<{ name: string }>('SELECT quote_ident(current_database()) AS name');
    for (const set of [
      `default_transaction_isolation = 'serializable'`,
      `search_path = elsewhere, public`,
      `datestyle = 'German'`,
    ])
      await tenants().query(`ALTER DATABASE ${row?.name} SET ${set}`);
    try {
      expectExit(await tenants().run(['up', '--schemas', '?'], RELEASE), 0);
      const again = await tenants().run(['up', '--schemas', '?'], RELEASE);
      expect(again.stdout).to.equal('  skip 2 schemas (already applied)\nDone.\n');
      const places = await tenants().query(
        `SELECT schemaname AS s FROM pg_tables WHERE tablename = 'users' ORDER BY 1`,
      );
      expect(places).to.deep.equal([{ s: 'a' }, { s: 'b' }]);
    } finally {
      await tenants().query(`ALTER DATABASE ${row?.name} RESET ALL`);
    }
  });

  it('has a history of another name with --table, and is rolled back by steps and as a whole', async () => {
    await tenants().make('a', 'b');
    const options = ['--schemas', '?', '--table', 'versions'];
    expectExit(await tenants().run(['up', ...options]), 0);
    const steps = await tenants().run(['down', '--steps', '1', ...options]);
    expect(steps.stdout).to.include('  a: down 002_orders\n').and.include('  b: down 002_orders\n');
    const wrong = await tenants().run(['down', '--all', '--confirm', 'other', ...options]);
    expect(wrong.code).to.equal(24);
    const [row] = await tenants().query<{ name: string }>('SELECT current_database() AS name');
    const all = ['down', '--all', '--confirm', row?.name ?? '', ...options];
    expect((await tenants().run([...all, '--dry-run'])).stdout)
      .to.include('In a, b:\n  would roll back 001_users')
      .and.not.include(': down');
    expectExit(await tenants().run(all), 0);
    expect(
      await tenants().query(`SELECT FROM pg_tables WHERE tablename IN ('users', 'schema_migrations')`),
    ).to.have.length(0);
  });
});
