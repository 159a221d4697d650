/** Many schemas of one database: --schemas on up, down, wait and status. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { expectExit } from '../support/cli.ts';
import { holdKey } from '../support/holder.ts';
import { documentOf, valid } from '../support/json-documents.ts';
import { entriesOf, useTenants } from '../support/tenants.ts';

describe('many schemas', () => {
  const tenants = useTenants();

  it('get the same migrations, each with a history of its own, whatever their names are', async () => {
    const names = ['tenant_1', 'Tenant.2', 'tenant "3"', 'tenant_' + 'ü'.repeat(28)];
    await tenants().make(...names, 'other');
    const first = await tenants().run(['up', '--schemas', 'tenant*,Tenant*']);
    expectExit(first, 0);
    expect(first.stdout).to.include('new, without a history: Tenant.2, tenant "3", tenant_1, tenant_ü');
    for (const name of names) expect(first.stdout).to.include(`  ${name}: up 001_users, 002_orders\n`);
    expect(first.stdout).to.match(/Done\.\n$/);
    expect(await tenants().appliedTimes(names)).to.deep.equal(names.map(() => ({ '001_users': 1, '002_orders': 1 })));
    expect(
      await tenants().query(
        `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('other', 'public')`,
      ),
    ).to.deep.equal([]);

    await tenants().make('tenant_new');
    const second = await tenants().run([
      'up',
      '--json',
      '--schemas',
      'tenant*',
      '--schemas',
      'Tenant*',
      '--exclude-schemas',
      '*"3"',
    ]);
    expect(entriesOf(second).map(({ schema, state }) => [schema, state])).to.deep.equal([
      ['Tenant.2', 'up to date'],
      ['tenant_1', 'up to date'],
      ['tenant_new', 'done'],
      ['tenant_' + 'ü'.repeat(28), 'up to date'],
    ]);
    // A run in one of them alone goes on with the history as it is.
    expect((await tenants().run(['up', '--table', 'tenant_1.schema_migrations'])).stdout).to.include(
      'skip 2 migrations',
    );
  });

  it('are never those of PostgreSQL or of an extension, and public only by name', async () => {
    await tenants().make('ext', 'shop');
    await tenants().query('CREATE EXTENSION pg_trgm SCHEMA ext');
    expect(
      entriesOf(await tenants().run(['up', '--json', '--schemas', '*'])).map(({ schema }) => schema),
    ).to.deep.equal(['shop']);
    expect(
      entriesOf(await tenants().run(['up', '--json', '--schemas', 'public'])).map(({ schema }) => schema),
    ).to.deep.equal(['public']);
    for (const pattern of ['pg_catalog', 'pg_*', 'information_schema', 'Shop', 'sho', 'sh?'])
      expect((await tenants().run(['up', '--schemas', pattern])).code, pattern).to.equal(20);
    expect((await tenants().run(['up', '--schemas', 'sh?p'])).code).to.equal(0);
  });

  it('see behind them what is on the path, such as an extension in public', async () => {
    await tenants().make('shop');
    await tenants().query('CREATE EXTENSION pg_trgm SCHEMA public');
    await tenants().workspace.write({ '003_x.up.sql': 'CREATE INDEX ON users USING gin (name gin_trgm_ops);' });
    expectExit(await tenants().run(['up', '--schemas', 'shop']), 0);
    expect(
      await tenants().query(`SELECT schemaname FROM pg_indexes WHERE indexdef LIKE '%gin_trgm_ops%'`),
    ).to.deep.equal([{ schemaname: 'shop' }]);
  });

  it('go with neither a lock key nor a schema of the table', async () => {
    for (const more of [
      ['--lock-key', '7'],
      ['--table', 'a.b'],
    ])
      expect((await tenants().run(['up', '--schemas', 'a', ...more])).code).to.equal(20);
    expect((await tenants().run(['status', '--exclude-schemas', 'a'])).code).to.equal(20);
  });

  it('do not stop for one that fails, which is named; with --fail-fast they do', async () => {
    const names = await tenants().makeMany(12);
    await tenants().query('CREATE TABLE t0004.orders (); CREATE TABLE t0007.users ()');
    const terminationLog = join(tenants().workspace.dir, 'termination');
    await writeFile(terminationLog, '');
    const result = await tenants().run(['up', '--json', '--schemas', 't*'], {
      LOCKSTEP_TERMINATION_LOG: terminationLog,
    });
    expect(result.code).to.equal(40);
    const failed = entriesOf(result).filter(({ state }) => state === 'failed');
    expect(failed.map(({ schema, error }) => [schema, error?.code, error?.sqlstate])).to.deep.equal([
      ['t0004', 'MIGRATION_FAILED', '42P07'],
      ['t0007', 'MIGRATION_FAILED', '42P07'],
    ]);
    expect(failed[0]!.done.map(({ version }) => version)).to.deep.equal(['001_users']);
    const message = valid('termination', await readFile(terminationLog, 'utf8'));
    expect(message).to.deep.include({
      code: 'MIGRATION_FAILED',
      summary: '2 of 12 schemas failed',
      problems: [
        't0004: MIGRATION_FAILED (exit 40) at 002_orders, SQLSTATE 42P07',
        't0007: MIGRATION_FAILED (exit 40) at 001_users, SQLSTATE 42P07',
      ],
      schemas: { total: 12, done: 10, upToDate: 0, failed: 2, notRun: 0, gone: 0 },
    });

    await tenants().query(
      names
        .map((name) => `DROP SCHEMA ${name} CASCADE; CREATE SCHEMA ${name}; CREATE TABLE ${name}.users ()`)
        .join(';'),
    );
    const fast = await tenants().run(['up', '--json', '--schemas', 't*', '--fail-fast']);
    expect(documentOf('tenants', fast)['counts']).to.include({ failed: 1, notRun: 11 });
  });

  it('are rolled back, and a dry run says what would run where', async () => {
    await tenants().make('a', 'b', 'c');
    expectExit(await tenants().run(['up', '--schemas', '?', '--exclude-schemas', 'c']), 0);
    const dry = await tenants().run(['down', '--schemas', '?', '--to', '1', '--dry-run']);
    expect(dry.stdout).to.include('Dry run: nothing was changed.\nIn a, b:\n  would roll back 002_orders');
    const down = await tenants().run(['down', '--schemas', '?', '--to', '001_users']);
    expectExit(down, 0);
    expect(down.stdout)
      .to.include('  a: down 002_orders\n')
      .and.include('  b: down 002_orders\n')
      .and.include('skip 1 schema');
    expect((await tenants().run(['down', '--schemas', '?'])).code).to.equal(24);
    expect(
      await tenants().query(
        `SELECT relnamespace::regnamespace::text AS s FROM pg_class WHERE relname = 'users' ORDER BY 1`,
      ),
    ).to.deep.equal([{ s: 'a' }, { s: 'b' }]);
  });

  it('are read by status, and wait returns when nothing is pending in any', async () => {
    await tenants().make('a', 'b');
    expectExit(await tenants().run(['up', '--schemas', 'a']), 0);
    const table = await tenants().run(['status', '--schemas', '?', '--exit-code']);
    expect(table.code).to.equal(33);
    expect(table.stdout)
      .to.match(/^a +002_orders *$/m)
      .and.match(/^b +2$/m);
    const document = documentOf('schemas', await tenants().run(['status', '--schemas', '?', '--json']));
    expect(document['schemas']).to.deep.equal([
      { schema: 'a', upToDate: true, version: '002_orders', pending: [], held: [], inPart: [] },
      { schema: 'b', upToDate: false, pending: ['001_users', '002_orders'], held: [], inPart: [] },
    ]);
    expect((await tenants().run(['wait', '--schemas', '?', '--timeout', '0'])).code).to.equal(33);
    const waiting = tenants().start(['wait', '--schemas', '?', '--json']);
    await waiting.waitForLog('wait.pending');
    expectExit(await tenants().run(['up', '--schemas', 'b']), 0);
    expect(documentOf('schemas', await waiting.exited)['upToDate']).to.equal(true);
  });

  it('that are dropped meanwhile are a line, and no failure', async () => {
    await tenants().make('a', 'b');
    await tenants().workspace.write({ '000_wait.up.sql': 'SELECT pg_advisory_xact_lock(42);' });
    const holder = await holdKey(tenants().url, '42');
    const running = tenants().start(['up', '--schemas', '?']);
    const line = await running.waitForLog((one) => one.event === 'migration.started');
    const other = line['schema'] === 'a' ? 'b' : 'a';
    await tenants().query(`DROP SCHEMA ${other} CASCADE`);
    await holder.release();
    const result = await running.exited;
    expectExit(result, 0);
    expect(result.stdout).to.include(`  ${other}: it was dropped meanwhile\n`);
  });
});
