/**
 * A history table that another role has prepared: its triggers, rules and functions never run, and harmless objects do
 * not block a run.
 */
import { expect } from 'chai';

import { expectExit, runCli } from '../support/cli.ts';
import { file } from '../support/migrations.ts';
import { callsOf } from '../support/planted.ts';
import { createRole } from '../support/roles.ts';
import { done, down, failure, up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

type Answer = 'works' | 'is refused';

interface Hanging {
  /** `T` is the table, `E` the schema of the role that planted it. */
  readonly sql: string;
  readonly read: Answer;
  readonly write: Answer;
}

const harmless = (sql: string): Hanging => ({ sql, read: 'works', write: 'works' });
const onWriting = (sql: string): Hanging => ({ sql, read: 'works', write: 'is refused' });
const always = (sql: string): Hanging => ({ sql, read: 'is refused', write: 'is refused' });

const HANGING: Readonly<Record<string, Hanging>> = {
  nothing: harmless('SELECT 1'),
  'a trigger': onWriting('CREATE TRIGGER t BEFORE INSERT ON T FOR EACH ROW EXECUTE FUNCTION E.swallow()'),
  'a deferred trigger': onWriting(
    'CREATE CONSTRAINT TRIGGER t AFTER INSERT ON T DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION E.swallow()',
  ),
  'a disabled trigger': harmless(
    'CREATE TRIGGER t BEFORE INSERT ON T FOR EACH ROW EXECUTE FUNCTION E.swallow(); ALTER TABLE T DISABLE TRIGGER t',
  ),
  'a DO INSTEAD rule': onWriting('CREATE RULE r AS ON INSERT TO T DO INSTEAD NOTHING'),
  'a DO ALSO rule': onWriting('CREATE RULE r AS ON INSERT TO T DO ALSO SELECT E.run()'),
  'an inactive policy': harmless('CREATE POLICY p ON T USING (E.run() = 1); ALTER TABLE T ENABLE ROW LEVEL SECURITY'),
  'a default that calls a function': onWriting('ALTER TABLE T ADD x int; ALTER TABLE T ALTER x SET DEFAULT E.run()'),
  'a default that calls an operator': onWriting(
    'ALTER TABLE T ADD x boolean; ALTER TABLE T ALTER x SET DEFAULT (1 OPERATOR(E.===) 1)',
  ),
  'a default that runs SQL': onWriting(
    `ALTER TABLE T ADD x text; ALTER TABLE T ALTER x SET DEFAULT query_to_xml('SELECT E.run()', true, true, '')::text`,
  ),
  'a default that changes a setting': onWriting(
    `ALTER TABLE T ADD x text; ALTER TABLE T ALTER x SET DEFAULT set_config('role', 'none', false)`,
  ),
  'harmless defaults': harmless(
    `ALTER TABLE T ADD x timestamp DEFAULT (now() AT TIME ZONE 'utc'), ADD y uuid DEFAULT gen_random_uuid(), ADD z text DEFAULT (current_user || 'x'), ADD n serial`,
  ),
  'a generated column': onWriting('ALTER TABLE T ADD x int GENERATED ALWAYS AS (E.run()) STORED'),
  'a harmless generated column': harmless('ALTER TABLE T ADD x int GENERATED ALWAYS AS (length(version)) STORED'),
  'a column of a domain': onWriting('ALTER TABLE T ADD x E.checked'),
  'a column of an enum with a cast': harmless('ALTER TABLE T ADD x E.mood'),
  'a child': always('CREATE TABLE E.child () INHERITS (T)'),
  'a parent': onWriting('ALTER TABLE T INHERIT E.parent'),
  'a check': onWriting('ALTER TABLE T ADD CHECK (E.run() = 1) NOT VALID'),
  'a check that runs SQL': onWriting(
    `ALTER TABLE T ADD CHECK (query_to_xml('SELECT E.run()', true, true, '') IS NOT NULL) NOT VALID`,
  ),
  'a harmless check': harmless(`ALTER TABLE T ADD CHECK (version <> '' AND length(version) < 200)`),
  'an index on a function': always('CREATE INDEX ON T (E.run())'),
  'an index with a predicate': always('CREATE INDEX ON T (version) WHERE E.run() = 1'),
  'a harmless index': harmless('CREATE INDEX ON T (lower(version)) WHERE version IS NOT NULL'),
  'statistics on a function': always('CREATE STATISTICS E.s ON (E.run()), version FROM T'),
  'an unlogged table': onWriting('ALTER TABLE T SET UNLOGGED'),
  'a publication without a replica identity': onWriting(
    'ALTER TABLE T REPLICA IDENTITY NOTHING; CREATE PUBLICATION E FOR TABLE T',
  ),
};

const EVIL = `
CREATE SCHEMA E;
CREATE FUNCTION E.run() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
CREATE FUNCTION E.same(int, int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN true; END $$;
CREATE OPERATOR E.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = E.same);
CREATE FUNCTION E.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE DOMAIN E.checked AS text CHECK (E.run() = 1);
CREATE TYPE E.mood AS ENUM ('fine');
CREATE FUNCTION E.to_json(E.mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN '1'; END $$;
CREATE CAST (E.mood AS json) WITH FUNCTION E.to_json(E.mood);
CREATE TABLE E.parent ();
`;

describe('a history that another role has prepared', () => {
  const workspace = useWorkspace();
  let evil = '';

  /** The server counts function calls, even in transactions that are read-only or rolled back. */
  const counting = (): string => {
    const url = new URL(workspace().url);
    url.searchParams.set('track_functions', 'all');
    return url.href;
  };
  const sql = (text: string, table = ''): string =>
    text.replaceAll(/\bE\b/g, evil).replaceAll(/\bT\b/g, `${workspace().schema}.${table}`);

  beforeEach(async () => {
    evil = `${workspace().schema}_evil`;
    await workspace().query(sql(EVIL));
    const own = workspace();
    own.defer(() =>
      own.query(
        `DROP PUBLICATION IF EXISTS ${own.schema}_evil; DROP FOREIGN DATA WRAPPER IF EXISTS ${own.schema}_evil CASCADE; DROP SCHEMA ${own.schema}_evil CASCADE`,
      ),
    );
    await workspace().write(file(1, 'a', 'CREATE TABLE a ();'));
    await up(workspace());
  });

  async function expectAnswer(answer: Answer, work: () => Promise<unknown>): Promise<void> {
    if (answer === 'works') await work();
    else expect((await failure('HISTORY_CONFLICT', work())).details.problems!.join()).to.match(/schema_migrations/);
  }

  for (const table of ['schema_migrations', 'schema_migrations_journal']) {
    for (const [name, { sql: text, read, write }] of Object.entries(HANGING)) {
      it(`with ${name} on ${table}: reading ${read}, writing ${write}, and no planted function runs`, async () => {
        // Both have columns of that name.
        for (const statement of sql(text, table).split(/;(?=\s)/)) await workspace().query(statement);
        const before = await callsOf(workspace().serverUrl, evil);
        const run = { connectionString: counting() };
        await expectAnswer(table === 'schema_migrations' ? read : 'works', () => up(workspace(), run));
        await expectAnswer(read, () =>
          down(workspace(), { ...run, steps: 1, dryRun: true, from: 'stored', trustStored: true }).catch(
            (error: unknown) => {
              // The version has no down script.
              if ((error as { code?: string }).code !== 'ROLLBACK_REFUSED') throw error;
            },
          ),
        );
        await workspace().write(file(2, 'b', 'CREATE TABLE b ();'));
        await expectAnswer(write, () => up(workspace(), run));
        expect(await callsOf(workspace().serverUrl, evil)).to.deep.equal(before);
        expect(await workspace().query(`SELECT to_regclass('b') IS NOT NULL AS made`)).to.deep.equal([
          { made: write === 'works' },
        ]);
      });
    }
  }

  const KINDS: Readonly<Record<string, string>> = {
    'a view': 'CREATE VIEW T AS SELECT version, applied_at, E.run() AS checksum FROM E.rows',
    'a materialized view': 'CREATE MATERIALIZED VIEW T AS SELECT version, applied_at FROM E.rows',
    'a partitioned table': 'CREATE TABLE T (version text, applied_at timestamptz) PARTITION BY LIST (version)',
    'a foreign table': 'CREATE FOREIGN TABLE T (version text, applied_at timestamptz) SERVER E',
    'a temporary view': 'CREATE VIEW T AS SELECT version, applied_at FROM E.rows WHERE E.run() = 1',
    'a table with a domain for version':
      'CREATE TABLE T (version E.checked PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    'a table with an enum for checksum':
      'CREATE TABLE T (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now(), checksum E.mood)',
    'a table with forced row security':
      'CREATE TABLE T (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()); ALTER TABLE T ENABLE ROW LEVEL SECURITY; ALTER TABLE T FORCE ROW LEVEL SECURITY; CREATE POLICY p ON T USING (E.run() = 2)',
  };
  for (const [name, text] of Object.entries(KINDS)) {
    it(`is refused by every command when it is ${name}, and no planted function runs`, async () => {
      const owner = await createRole(workspace(), { settings: { track_functions: 'all' } });
      await workspace().query('DROP TABLE schema_migrations, schema_migrations_journal');
      await workspace().query(sql('CREATE TABLE E.rows (version text, applied_at timestamptz)'));
      await workspace().query(sql('CREATE FOREIGN DATA WRAPPER E'));
      await workspace().query(sql('CREATE SERVER E FOREIGN DATA WRAPPER E'));
      for (const statement of sql(text, 'schema_migrations').split(/;(?=\s)/)) await workspace().query(statement);
      await workspace().query(
        `ALTER TABLE ${workspace().schema}.schema_migrations OWNER TO ${owner.name}; GRANT USAGE ON SCHEMA ${evil} TO ${owner.name}`,
      );
      const env = { ...workspace().env, DATABASE_URL: owner.url };
      for (const args of [
        ['status'],
        ['up'],
        ['wait', '--timeout', '0'],
        ['lock'],
        ['history'],
        ['down', '--steps', '1', '--dry-run'],
        ['repair'],
        ['baseline', '--to', '001_a'],
      ]) {
        expectExit(await runCli(args, { env }), 22);
      }
      expect(await callsOf(workspace().serverUrl, evil)).to.deep.equal({});
    });
  }
});

describe('the owner of the history', () => {
  const workspace = useWorkspace();

  /** The role that runs, the owner of the tables, and whether the role may write. */
  const OWNERS: Readonly<
    Record<
      string,
      { runs: 'superuser' | 'role'; owner: 'itself' | 'a group' | 'another' | 'a superuser'; write: Answer }
    >
  > = {
    'a superuser, tables of its own': { runs: 'superuser', owner: 'itself', write: 'works' },
    'a superuser, tables of an application role': { runs: 'superuser', owner: 'another', write: 'is refused' },
    'a role, tables of its own': { runs: 'role', owner: 'itself', write: 'works' },
    'a role, tables of a group that it is a member of': { runs: 'role', owner: 'a group', write: 'works' },
    'a role, tables of another role that grants it writing': { runs: 'role', owner: 'another', write: 'is refused' },
    'a role, tables of a superuser that grants it writing': { runs: 'role', owner: 'a superuser', write: 'is refused' },
  };
  for (const [name, { runs, owner, write }] of Object.entries(OWNERS)) {
    it(`${name}: a run with nothing pending works, writing ${write}`, async () => {
      const role = await createRole(workspace());
      const other = await createRole(workspace());
      await workspace().write(file(1, 'a', 'CREATE TABLE a ();'));
      const run = { connectionString: runs === 'superuser' ? workspace().url : role.url };
      await up(workspace(), run);
      if (owner === 'a group') await workspace().query(`GRANT ${other.name} TO ${role.name}`);
      for (const table of ['schema_migrations', 'schema_migrations_journal']) {
        const to = { itself: undefined, 'a group': other.name, another: other.name, 'a superuser': 'CURRENT_USER' }[
          owner
        ];
        if (to !== undefined) await workspace().query(`ALTER TABLE ${table} OWNER TO ${to}`);
        await workspace().query(`GRANT ALL ON ${table} TO ${role.name}`);
      }
      expect((await up(workspace(), run)).skipped).to.deep.equal(['001_a']);
      await workspace().write(file(2, 'b', 'CREATE TABLE b ();'));
      if (write === 'works') expect(done(await up(workspace(), run))).to.deep.equal(['002_b']);
      else {
        const error = await failure('HISTORY_CONFLICT', up(workspace(), run));
        expect(error.details.problems!.join('\n')).to.match(/schema_migrations.*belongs to/);
        expect(error.hint).to.include('role OWNER').and.include('OWNER TO');
        expect(await workspace().query(`SELECT to_regclass('b') AS made`)).to.deep.equal([{ made: null }]);
        // Follows the hint.
        if (owner === 'another')
          expect(done(await up(workspace(), { connectionString: workspace().url, role: other.name }))).to.deep.equal([
            '002_b',
          ]);
      }
    });
  }

  it('needs to grant only SELECT while nothing is pending', async () => {
    const reader = await createRole(workspace(), { grant: 'USAGE' });
    await workspace().write(file(1, 'a', 'CREATE TABLE a ();'));
    await up(workspace());
    await workspace().query(`GRANT SELECT ON schema_migrations TO ${reader.name}`);
    expect((await up(workspace(), { connectionString: reader.url })).skipped).to.deep.equal(['001_a']);
    const env = { ...workspace().env, DATABASE_URL: reader.url };
    for (const args of [['status'], ['wait']]) expectExit(await runCli(args, { env }), 0);
  });
});
