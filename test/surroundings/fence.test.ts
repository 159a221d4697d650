/**
 * The fence: whatever a file does to the history, the journal or its session, it is recorded correctly or not at all.
 */
import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import { createRole } from '../support/roles.ts';
import { done, down, failure, up } from '../support/running.ts';
import { stateOf } from '../support/state.ts';
import { useWorkspace, type Workspace } from '../support/workspace.ts';

const ROW = `version = '002_x'`;
const COPY = (table: string): string =>
  `CREATE TABLE copy (LIKE ${table} INCLUDING ALL); INSERT INTO copy SELECT * FROM ${table}; DROP TABLE ${table}; ALTER TABLE copy RENAME TO ${table};`;
const TRIGGER = (body: string): string =>
  `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body}; END $$;`;
const DEFERRED = (body: string): string =>
  `CREATE TABLE d (x int); ${TRIGGER(`${body}; RETURN NULL`)}
   CREATE CONSTRAINT TRIGGER later AFTER INSERT ON d DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f(); INSERT INTO d VALUES (1);`;

/** `blocking`: recorded correctly, and later files are refused (22) with the obstacle. */
type End = 'recorded' | 'refused' | 'blocking';

/** The SQL of a file, and how it ends: as one transaction, and statement by statement. */
interface Case {
  readonly sql: (names: { readonly schema: string; readonly role: string }) => string;
  readonly transaction: End;
  readonly statement: End;
}

const both = (end: End, sql: Case['sql'] | string): Case => ({
  sql: typeof sql === 'string' ? () => sql : sql,
  transaction: end,
  statement: end,
});
/** Statement by statement, the tables are checked after each statement. */
const blocking = (sql: Case['sql'] | string): Case => ({ ...both('refused', sql), transaction: 'blocking' });
/** The file can see its own row only within one transaction. */
const ownRow = (sql: string): Case => ({ sql: () => sql, transaction: 'refused', statement: 'recorded' });

const CASES: Readonly<Record<string, Case>> = {
  'deletes its row': ownRow(`DELETE FROM schema_migrations WHERE ${ROW};`),
  'changes the version of its row': ownRow(`UPDATE schema_migrations SET version = '009_y' WHERE ${ROW};`),
  'changes the checksum of its row': ownRow(`UPDATE schema_migrations SET checksum = 'none' WHERE ${ROW};`),
  'updates its row within a savepoint': ownRow(
    `DO $d$ BEGIN UPDATE schema_migrations SET checksum = checksum WHERE ${ROW}; EXCEPTION WHEN OTHERS THEN NULL; END $d$;`,
  ),
  'deletes its row in a deferred trigger': ownRow(DEFERRED(`DELETE FROM schema_migrations WHERE ${ROW}`)),
  'truncates the history': ownRow(
    "TRUNCATE schema_migrations; INSERT INTO schema_migrations SELECT version FROM schema_migrations_journal WHERE event = 'applied';",
  ),
  'renames the history': both('refused', 'ALTER TABLE schema_migrations RENAME TO old;'),
  'renames the journal': both('refused', 'ALTER TABLE schema_migrations_journal RENAME TO old;'),
  'renames the schema': both('refused', ({ schema }) => `ALTER SCHEMA ${schema} RENAME TO ${schema}_old;`),
  'moves the history': both(
    'refused',
    ({ schema }) => `CREATE SCHEMA ${schema}_old; ALTER TABLE schema_migrations SET SCHEMA ${schema}_old;`,
  ),
  'moves the journal': both(
    'refused',
    ({ schema }) => `CREATE SCHEMA ${schema}_old; ALTER TABLE schema_migrations_journal SET SCHEMA ${schema}_old;`,
  ),
  'replaces the history by a copy': both('refused', COPY('schema_migrations')),
  'replaces the journal by a copy': both('refused', COPY('schema_migrations_journal')),
  'replaces the history by a view': both(
    'refused',
    'ALTER TABLE schema_migrations RENAME TO old; CREATE VIEW schema_migrations AS SELECT * FROM old;',
  ),
  'drops the history': both('refused', 'DROP TABLE schema_migrations;'),
  'drops the journal': both('refused', 'DROP TABLE schema_migrations_journal;'),
  'drops the schema': both('refused', ({ schema }) => `DROP SCHEMA ${schema} CASCADE;`),
  'drops a column of the history': both('refused', 'ALTER TABLE schema_migrations DROP COLUMN checksum;'),
  'drops a column of the journal that early versions lack': both(
    'recorded',
    'ALTER TABLE schema_migrations_journal DROP COLUMN hold;',
  ),
  'drops the primary key': both('refused', 'ALTER TABLE schema_migrations DROP CONSTRAINT schema_migrations_pkey;'),
  'renames a column': both('refused', 'ALTER TABLE schema_migrations RENAME COLUMN applied_at TO at;'),
  'gives the history to another role': blocking(({ role }) => `ALTER TABLE schema_migrations OWNER TO ${role};`),
  'puts a rule on the history': blocking('CREATE RULE r AS ON INSERT TO schema_migrations DO INSTEAD NOTHING;'),
  'puts a rule on the journal': both(
    'refused',
    'CREATE RULE r AS ON INSERT TO schema_migrations_journal DO INSTEAD NOTHING;',
  ),
  'puts a trigger on the history': blocking(
    `${TRIGGER('RETURN NULL')} CREATE TRIGGER t BEFORE INSERT ON schema_migrations FOR EACH ROW EXECUTE FUNCTION f();`,
  ),
  'puts a trigger on the journal': both(
    'refused',
    `${TRIGGER('RETURN NULL')} CREATE TRIGGER t BEFORE INSERT ON schema_migrations_journal FOR EACH ROW EXECUTE FUNCTION f();`,
  ),
  'deletes its row when the journal is written': both(
    'refused',
    `${TRIGGER(`DELETE FROM schema_migrations WHERE ${ROW}; RETURN NULL`)} CREATE TRIGGER t AFTER INSERT ON schema_migrations_journal FOR EACH ROW EXECUTE FUNCTION f();`,
  ),
  'enables row security, which hides nothing from this role': both(
    'recorded',
    'ALTER TABLE schema_migrations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;',
  ),
  'makes a child of the history': blocking('CREATE TABLE child () INHERITS (schema_migrations);'),
  'releases the lock': both('refused', 'DO $d$ BEGIN PERFORM pg_advisory_unlock_all(); END $d$;'),
  'keeps the lock in shared mode only': both(
    'refused',
    () => `CREATE FUNCTION g(k bigint) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
     EXECUTE format('SELECT pg_%s_unlock(%s), pg_%s_lock_shared(%s)', 'advisory', k, 'advisory', k); END $$;
     DO $d$ BEGIN PERFORM g((l.classid::bigint << 32) | l.objid::bigint) FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.locktype = 'advisory' AND l.mode = 'ExclusiveLock'; END $d$;`,
  ),
  'makes its transaction read-only': { ...both('refused', 'SET TRANSACTION READ ONLY;'), statement: 'refused' },

  'references the history in a foreign key': both(
    'recorded',
    'CREATE TABLE notes (version text REFERENCES schema_migrations);',
  ),
  'uses a deferred trigger under its own path': both(
    'recorded',
    `CREATE TABLE seen (x int); ${DEFERRED('INSERT INTO seen SELECT x FROM d')}`,
  ),
  'leaves a role behind': both('recorded', ({ role }) => `SET ROLE ${role};`),
  'leaves another user behind': both('recorded', ({ role }) => `SET SESSION AUTHORIZATION ${role};`),
  'leaves a path behind': both('recorded', `SET search_path = pg_temp;`),
  'leaves no path behind': both('recorded', `SET search_path = '';`),
  'resets all': both('recorded', 'RESET ALL;'),
  'leaves limits behind': both(
    'recorded',
    `SET lock_timeout = '1ms'; SET statement_timeout = '1s'; SET idle_in_transaction_session_timeout = '1s';`,
  ),
  'leaves other text formats behind': both(
    'recorded',
    `SET standard_conforming_strings = on; SET client_encoding = 'LATIN1'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard'; SET quote_all_identifiers = on;`,
  ),
  'leaves row security off': both('recorded', 'SET row_security = off; SET session_replication_role = replica;'),
  'leaves read-only as the default': both('recorded', 'SET default_transaction_read_only = on;'),
  'leaves temporary tables behind': both(
    'recorded',
    'CREATE TEMP TABLE schema_migrations (version text); CREATE TEMP TABLE pg_class (x int);',
  ),
  'discards temporary tables': both('recorded', 'CREATE TEMP TABLE x (); DISCARD TEMP; DISCARD PLANS;'),
};

/** SQL of a down file, before it drops the objects of its up file. */
const DOWN: typeof CASES = {
  'puts its row back': both('refused', `INSERT INTO schema_migrations (version) VALUES ('002_x');`),
  'puts its row back in a deferred trigger': ownRow(
    DEFERRED(`DELETE FROM schema_migrations WHERE ${ROW}; INSERT INTO schema_migrations (version) VALUES ('002_x')`),
  ),
  'keeps rows from being deleted': blocking('CREATE RULE r AS ON DELETE TO schema_migrations DO INSTEAD NOTHING;'),
  'deletes its row': both('recorded', `DELETE FROM schema_migrations WHERE ${ROW};`),
  ...Object.fromEntries(
    Object.entries(CASES).filter(([what]) =>
      /^(?:drops|renames|moves|replaces|gives the lock|refers|leaves)/.test(what),
    ),
  ),
};
/** In a file that is too large to be parsed: each ends Lockstep's transaction. */
const ENDINGS = [
  'COMMIT',
  'COMMIT AND CHAIN',
  'COMMIT; BEGIN',
  'COMMIT; BEGIN READ ONLY',
  'END',
  'ROLLBACK',
  'ROLLBACK AND CHAIN',
  'ROLLBACK; BEGIN',
  'ABORT',
];
const LARGE = `-- ${'x'.repeat(100)}\n`.repeat(20_500);

describe('the fence', () => {
  const workspace = useWorkspace();

  /** All state except the journal's records of attempts. */
  async function state(): Promise<unknown> {
    const { relations, rows } = (await stateOf(workspace())) as {
      relations: { relname: string }[];
      rows: Record<string, unknown>;
    };
    return {
      relations: relations.filter(({ relname }) => /^schema_migrations/.test(relname)),
      history: rows['schema_migrations'],
    };
  }

  async function begin(here: Workspace, sql: Case['sql']): Promise<string> {
    const { schema } = here;
    // Most cases need neither a role nor a target schema.
    const name = sql.length === 0 ? '' : (await createRole(here)).name;
    if (name !== '') here.defer(() => here.query(`DROP SCHEMA IF EXISTS ${schema}_old CASCADE`));
    await here.write({ '001_a.up.sql': 'CREATE TABLE a (x int);', '003_z.up.sql': 'CREATE TABLE z (x int);' });
    await up(here, { to: '001_a' });
    return sql({ schema, role: name });
  }

  async function expectEnd(end: End, before: unknown, run: Promise<unknown>): Promise<void> {
    const result = await run.catch((error: unknown) => error);
    if (end === 'refused') {
      expect(await workspace().query(`SELECT to_regclass('x') AS x, to_regclass('z') AS z`)).to.deep.equal([
        { x: null, z: null },
      ]);
      expect(result).to.be.instanceOf(MigratorError).and.to.include({ code: 'MIGRATION_FAILED' });
      expect(await state()).to.deep.equal(before);
      expect(await workspace().journalCounts('applied')).to.deep.equal({ '001_a': 1 });
      return;
    }
    if (end === 'blocking') {
      expect(result).to.be.instanceOf(MigratorError).and.to.include({ code: 'HISTORY_CONFLICT' });
      expect(await workspace().versions()).to.deep.equal(['001_a', '002_x']);
      expect(await workspace().journalCounts('applied')).to.deep.equal({ '001_a': 1, '002_x': 1 });
      await failure('HISTORY_CONFLICT', up(workspace()));
      return;
    }
    if (result instanceof Error) throw result;
    expect(
      await workspace().query(`SELECT to_regclass($1) IS NOT NULL AS made`, [`${workspace().schema}.z`]),
    ).to.deep.equal([{ made: true }]);
    expect(await workspace().versions()).to.include.members(['002_x', '003_z']);
    expect(await workspace().journalCounts('applied')).to.deep.equal({ '001_a': 1, '002_x': 1, '003_z': 1 });
    // The next file finds the expected state.
    expect(done(await up(workspace()))).to.deep.equal([]);
  }

  for (const [what, { sql, transaction, statement }] of Object.entries(CASES)) {
    it(`a file that ${what} is ${transaction}`, async () => {
      const text = await begin(workspace(), sql);
      await workspace().write({ '002_x.up.sql': text });
      await expectEnd(transaction, await state(), up(workspace()));
    });

    it(`a no-transaction file in which one statement ${what} is ${statement}`, async () => {
      await workspace().write({ '002_x.up.sql': `-- lockstep: no-transaction\n${await begin(workspace(), sql)}\n` });
      await expectEnd(statement, await state(), up(workspace()));
    });
  }

  for (const [what, { sql, ...ends }] of Object.entries(DOWN)) {
    for (const mode of ['transaction', 'statement'] as const) {
      it(`a rollback by ${mode} that ${what} is ${ends[mode]}`, async () => {
        const text = await begin(workspace(), sql);
        const head = mode === 'statement' ? '-- lockstep: no-transaction\n' : '';
        const sqls = ends[mode] === 'refused' ? [text, 'DROP TABLE x;'] : ['DROP TABLE x;', text];
        await workspace().write({
          '002_x.up.sql': 'CREATE TABLE x ();',
          '002_x.down.sql': head + sqls.join('\n'),
          '003_z.down.sql': 'DROP TABLE z;',
        });
        await up(workspace(), { to: '002_x' });
        const before = await state();
        const run = down(workspace(), { steps: 1 });
        if (ends[mode] === 'refused') {
          await failure('MIGRATION_FAILED', run);
          expect(await state()).to.deep.equal(before);
          expect(await workspace().journalCounts('rolled back')).to.deep.equal({});
        } else {
          if (ends[mode] === 'blocking') await failure('HISTORY_CONFLICT', run);
          else expect(done(await run)).to.deep.equal(['002_x']);
          expect(await workspace().versions()).to.deep.equal(['001_a']);
          expect(await workspace().journalCounts('rolled back')).to.deep.equal({ '002_x': 1 });
        }
        const x = ends[mode] === 'refused' ? 'x' : null;
        expect(await workspace().query(`SELECT to_regclass($1)::text AS x`, [`${workspace().schema}.x`])).to.deep.equal(
          [{ x }],
        );
      });
    }
  }

  for (const ending of ENDINGS) {
    for (const rest of ['CREATE TABLE y ();', 'SELECT 1 / 0;']) {
      it(`a file too large to be parsed is refused: ${ending}; ${rest}`, async () => {
        await begin(workspace(), () => '');
        await workspace().write({ '002_x.up.sql': `${LARGE}CREATE TABLE x ();\n${ending};\n${rest}` });
        await failure('MIGRATION_FAILED', up(workspace()));
        expect(await workspace().versions()).to.deep.equal(['001_a']);
        expect(await workspace().journalCounts('applied')).to.deep.equal({ '001_a': 1 });
      });
    }
  }

  for (const ending of ENDINGS) {
    it(`a down file too large to be parsed is refused: ${ending}, and then a failure`, async () => {
      await begin(workspace(), () => '');
      await workspace().write({
        '002_x.up.sql': 'CREATE TABLE x ();',
        '002_x.down.sql': `${LARGE}${ending};\nSELECT 1 / 0;`,
      });
      await up(workspace(), { to: '002_x' });
      const rows = await workspace().query('SELECT version, checksum FROM schema_migrations ORDER BY 1');
      await failure('MIGRATION_FAILED', down(workspace(), { steps: 1 }));
      expect(await workspace().query('SELECT version, checksum FROM schema_migrations ORDER BY 1')).to.deep.equal(rows);
      expect(await workspace().journalCounts('rolled back')).to.deep.equal({});
    });
  }
});
