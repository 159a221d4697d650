/** The two tables: who owns them, what their comments say, and when they are refused. */
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import pg from 'pg';

import { closeGate } from '../support/gate.ts';
import { expectExit, startCli, runCli } from '../support/cli.ts';
import { FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';
import { createRole } from '../support/roles.ts';
import { done, down, failure, up } from '../support/running.ts';
import { stateOf } from '../support/state.ts';

const VERSIONS = versionsOf(FIVE_FILES);

describe('the tables', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  const commentOf = async (table = 'schema_migrations'): Promise<string> => {
    const [row] = await workspace().query<{ comment: string }>(
      `SELECT obj_description($1::regclass, 'pg_class') AS comment`,
      [table],
    );
    return row!.comment;
  };

  it('grant nothing to other roles, whatever the default privileges grant', async () => {
    const app = await createRole(workspace());
    await workspace().query(
      `ALTER DEFAULT PRIVILEGES IN SCHEMA ${workspace().schema} GRANT ALL ON TABLES TO ${app.name}`,
    );
    await workspace().query(
      `ALTER DEFAULT PRIVILEGES IN SCHEMA ${workspace().schema} GRANT SELECT, INSERT ON TABLES TO PUBLIC`,
    );
    await up(workspace());
    const grants = await workspace().query(
      `SELECT c.relname, a.grantee FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.relname IN ('schema_migrations', 'schema_migrations_journal') AND c.relnamespace = $1::regnamespace AND a.grantee <> c.relowner`,
      [workspace().schema],
    );
    expect(grants).to.deep.equal([]);
    // The migrations' own tables have the default privileges.
    expect(
      await workspace().query(`SELECT has_table_privilege($1, 'accounts', 'INSERT') AS may`, [app.name]),
    ).to.deep.equal([{ may: true }]);
  });

  it('keep the grants of a table that is taken over', async () => {
    const app = await createRole(workspace());
    await workspace().query(
      'CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    await workspace().query(`GRANT SELECT ON schema_migrations TO ${app.name}`);
    await up(workspace());
    expect(
      await workspace().query(`SELECT has_table_privilege($1, 'schema_migrations', 'SELECT') AS may`, [app.name]),
    ).to.deep.equal([{ may: true }]);
  });

  it('state in their comment which key locks them and which format they have', async () => {
    await up(workspace());
    expect(await commentOf())
      .to.match(/format \d+, readable since \d+/)
      .and.include(`lock key ${workspace().lockKey}`);
  });

  it('are locked only by that key: another --lock-key is refused with 20, and the error names both', async () => {
    await up(workspace());
    const before = await stateOf(workspace());
    const error = await failure('CONFIG_INVALID', up(workspace(), { lockKey: '42' }));
    expect(error.exit).to.equal(20);
    expect(error.summary)
      .to.include(workspace().lockKey)
      .and.match(/\b42\b/);
    expect((await runCli(['status', '--lock-key', '42'], workspace())).code).to.equal(20);
    expect(await stateOf(workspace())).to.deep.equal(before);
  });

  it('of a newer, compatible format are used; of an incompatible one refused with 20, and the error names both versions', async () => {
    await up(workspace(), { to: '003_first_orders' });
    const comment = await commentOf();
    const set = (text: string) => workspace().query(`COMMENT ON TABLE schema_migrations IS '${text}'`);
    await set(comment.replace(/format \d+/, 'format 99'));
    await workspace().query(`ALTER TABLE schema_migrations ADD COLUMN of_the_future text DEFAULT 'x'`);
    await workspace().query('ALTER TABLE schema_migrations_journal ADD COLUMN of_the_future text');
    expect(done(await up(workspace(), { to: '004_bonus' }))).to.deep.equal(['004_bonus']);
    expect(await commentOf()).to.include('format 99');
    await set(comment.replace(/format \d+, readable since \d+/, 'format 99, readable since 98'));
    const error = await failure('CONFIG_INVALID', up(workspace()));
    expect(error.exit).to.equal(20);
    expect(error.summary)
      .to.include('format 99')
      .and.include('readable since 98')
      .and.match(/format \d\b/);
    expect(await workspace().versions()).to.deep.equal(VERSIONS.slice(0, 4));
  });

  it('have a different key under another name, the same with every search path', async () => {
    const names = ['history', `${workspace().schema}.history`];
    const keys: string[] = [];
    for (const table of names) {
      const reporter = new Recorder();
      await up(workspace(), {
        table,
        lockKey: undefined,
        reporter,
        to: keys.length === 0 ? '001_accounts' : '002_orders',
      });
      keys.push(reporter.of('lock.acquired')[0]!.key);
    }
    expect(keys[0]).to.equal(keys[1]).and.not.equal('7244554146635925501');
    expect(await workspace().versions('history')).to.deep.equal(['001_accounts', '002_orders']);
  });

  it('may have names with quotes, upper case and spaces, taken literally', async () => {
    const table = `Ünusual "quoted"; DROP TABLE x -- '`;
    expect(done(await up(workspace(), { table }))).to.deep.equal(VERSIONS);
    expect(done(await down(workspace(), { table, steps: 1 }))).to.deep.equal(['005_order_notes']);
    const tables = await workspace().query<{ tablename: string }>(
      `SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename LIKE 'Ü%' ORDER BY 1`,
      [workspace().schema],
    );
    expect(tables.map(({ tablename }) => tablename)).to.deep.equal([table, `${table}_journal`]);
  });

  for (const kind of ['App', 'my-app', 'a "b" c', 'schü']) {
    it(`may be in a schema whose name needs quotes, found by the search path: ${kind}`, async () => {
      const schema = `${workspace().schema} ${kind}`;
      const quoted = pg.escapeIdentifier(schema);
      await workspace().query(`CREATE SCHEMA ${quoted}`);
      const here = workspace();
      here.defer(() => here.query(`DROP SCHEMA ${quoted} CASCADE`));
      const { LOCKSTEP_LOCK_KEY: _, ...env } = here.env;
      const url = new URL(here.url);
      url.searchParams.set('search_path', quoted);
      // libpq reads a plus sign as a plus sign, not as a space.
      const address = { connectionString: url.href.replaceAll('+', '%20'), table: 'hist', lockKey: undefined };
      await up(here, { ...address, to: '002_orders' });
      await up(here, address);
      expect(done(await down(here, { ...address, steps: 1 }))).to.deep.equal(['005_order_notes']);
      expect(done(await up(here, address))).to.deep.equal(['005_order_notes']);
      for (const args of [['status', '--exit-code'], ['history']]) {
        expectExit(
          await runCli(args, { env: { ...env, DATABASE_URL: address.connectionString, LOCKSTEP_TABLE: 'hist' } }),
          0,
        );
      }
      expect(await workspace().versions(`${quoted}.hist`)).to.deep.equal(VERSIONS);
      const key = createHash('sha256').update(`${schema}.hist`).digest().readBigInt64BE(0);
      expect(
        await workspace().query(`SELECT obj_description($1::regclass, 'pg_class') LIKE '%lock key ' || $2 AS fits`, [
          `${quoted}.hist`,
          String(key),
        ]),
      ).to.deep.equal([{ fits: true }]);
      // Also by its qualified name.
      expect((await up(here, { table: `${schema}.hist`, lockKey: undefined })).skipped).to.deep.equal(VERSIONS);
    });
  }

  it('are refused under names of three parts, with empty parts, or too long for the journal', async () => {
    for (const table of ['a.b.c', '"a.b".c', 'a..b', '.', 'x'.repeat(56), 'é'.repeat(28)]) {
      expect((await failure('CONFIG_INVALID', up(workspace(), { table }))).exit, table).to.equal(20);
    }
    expect(done(await up(workspace(), { table: 'x'.repeat(55) }))).to.deep.equal(VERSIONS);
    expect(
      await workspace().query(
        'SELECT count(*)::int AS runs FROM ' + 'x'.repeat(55) + `_journal WHERE event = 'run started'`,
      ),
    ).to.deep.equal([{ runs: 1 }]);
  });

  it('are not created in a schema that does not exist: exit 20, and the error names the schema', async () => {
    const error = await failure('CONFIG_INVALID', up(workspace(), { table: 'no such schema.history' }));
    expect(error.summary).to.include('"no such schema"');
  });
});

describe('the journal', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  const rows = () => workspace().query('SELECT * FROM schema_migrations_journal ORDER BY id');

  it('has a row for each event of a run, with who ran it, how long it took, and the down script', async () => {
    await up(workspace(), { to: '002_orders', runnerName: 'shop-1', release: 'shop/7@1.2', image: 'shop:1.2' });
    const all = await rows();
    expect(all.map(({ event, version }) => `${String(event)} ${String(version)}`)).to.deep.equal([
      ...[
        'run started null',
        'started 001_accounts',
        'applied 001_accounts',
        'started 002_orders',
        'applied 002_orders',
        'run ended null',
      ],
    ]);
    for (const row of all)
      expect(row).to.include({ command: 'up', runner: 'shop-1', release: 'shop/7@1.2', image: 'shop:1.2' });
    expect(new Set(all.map(({ run }) => run)).size).to.equal(1);
    const applied = all.find(({ event, version }) => event === 'applied' && version === '001_accounts');
    expect(applied).to.include({ direction: 'up', down_sql: FIVE_FILES['001_accounts.down.sql'] });
    expect(applied!['checksum']).to.match(/^[0-9a-f]{64}$/);
    expect(Number(applied!['duration_ms'])).to.be.at.least(0);
    expect(all.at(-1)).to.include({ event: 'run ended', error: null });
  });

  it("records failures with the server's message but without rows", async () => {
    await workspace().write({
      '002_orders.up.sql': `CREATE TABLE u (name text UNIQUE); INSERT INTO u VALUES ('Ada of row one'), ('Ada of row one');`,
    });
    await failure('MIGRATION_FAILED', up(workspace()));
    const all = await rows();
    const failed = all.find(({ event }) => event === 'failed');
    expect(failed).to.include({ version: '002_orders', direction: 'up' });
    expect(failed!['error']).to.include('duplicate key value').and.include('23505');
    expect(all.at(-1)!['error']).to.include('duplicate key value');
    expect(JSON.stringify(all)).to.not.include('Ada of');
  });

  it('is append-only: rows of earlier runs do not change', async () => {
    await up(workspace());
    const before = await rows();
    await down(workspace(), { steps: 2 });
    await up(workspace());
    expect((await rows()).slice(0, before.length)).to.deep.equal(before);
    expect(await workspace().journalCounts('rolled back')).to.deep.equal({ '004_bonus': 1, '005_order_notes': 1 });
  });

  it('has no row of a run that had nothing to do', async () => {
    await up(workspace());
    const before = await rows();
    await up(workspace());
    await runCli(['wait', '--timeout', '0'], workspace());
    expect(await rows()).to.deep.equal(before);
  });

  it('gets a row from the next holder about a run that was killed', async () => {
    const gate = await closeGate(workspace());
    await workspace().write({ '002_orders.up.sql': `${FIVE_FILES['002_orders.up.sql']}\n${gate.sql}` });
    const killed = startCli(['up', '--pod', 'killed'], workspace());
    const pid = await gate.arrived();
    killed.kill('SIGKILL');
    await killed.exited;
    await gate.open();
    const reporter = new Recorder();
    await up(workspace(), { reporter, runnerName: 'next' });
    const lost = reporter.of('run.lost');
    expect(lost.map(({ runner }) => runner)).to.deep.equal(['killed']);
    const all = await rows();
    const runs = Map.groupBy(all, ({ run }) => run);
    expect(runs.size).to.equal(2);
    expect(runs.get(lost[0]!.run)!.map(({ event }) => event))
      .to.include('run started')
      .and.include('run lost')
      .and.not.include('run ended');
    expect(await workspace().versions()).to.deep.equal(VERSIONS);
    expect(await workspace().query('SELECT FROM pg_stat_activity WHERE pid = $1', [pid])).to.deep.equal([]);
  });
});
