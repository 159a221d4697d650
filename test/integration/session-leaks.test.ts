/** Whatever a migration leaves in the session does not affect the next one, and the lock stays. */
import { expect } from 'chai';

import { useWorkspace } from '../support/workspace.ts';
import { createRole } from '../support/roles.ts';
import { done, failure, up } from '../support/running.ts';

interface Leak {
  readonly what: string;
  /** The file that runs before, on its own. */
  readonly given?: string;
  readonly leak: string;
  /** The next file, which the leak would affect. */
  readonly next: string;
  /** A query whose one row shows that the leak did not affect it. */
  readonly look: string;
  readonly unharmed: object;
}

const TABLE_LANDS_IN_THE_SCHEMA = {
  next: 'CREATE TABLE next_one (x int);',
  look: `SELECT schemaname = current_schema() AS here FROM pg_tables WHERE tablename = 'next_one' AND schemaname IN (current_schema(), 'public')`,
  unharmed: { here: true },
};
const SETTING_IS_OURS = (setting: string, value: string): Pick<Leak, 'next' | 'look' | 'unharmed'> => ({
  next: `CREATE TABLE setting AS SELECT current_setting('${setting}') AS value;`,
  look: 'SELECT value FROM setting',
  unharmed: { value },
});

const LEAKS: readonly Leak[] = [
  {
    what: "pg_dump's empty search_path",
    leak: `SELECT pg_catalog.set_config('search_path', '', false);`,
    ...TABLE_LANDS_IN_THE_SCHEMA,
  },
  { what: 'SET search_path', leak: 'SET search_path TO public;', ...TABLE_LANDS_IN_THE_SCHEMA },
  {
    what: 'session_replication_role, which switches triggers off',
    given: `CREATE TABLE t (x int); CREATE FUNCTION double() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.x := 2 * NEW.x; RETURN NEW; END';
            CREATE TRIGGER double BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION double();`,
    leak: 'SET session_replication_role = replica;',
    next: 'INSERT INTO t VALUES (21);',
    look: 'SELECT x FROM t',
    unharmed: { x: 42 },
  },
  {
    what: 'default_transaction_read_only',
    leak: 'SET default_transaction_read_only = on;',
    ...TABLE_LANDS_IN_THE_SCHEMA,
  },
  {
    what: 'a temporary table that hides a real one',
    given: 'CREATE TABLE t (x int);',
    leak: 'CREATE TEMPORARY TABLE t (x int);',
    next: 'ALTER TABLE t ADD COLUMN y int;',
    look: `SELECT count(*)::int AS columns FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = 't'`,
    unharmed: { columns: 2 },
  },
  {
    what: 'LISTEN',
    leak: 'LISTEN gossip;',
    next: 'CREATE TABLE channels AS SELECT count(*)::int AS count FROM pg_listening_channels();',
    look: 'SELECT count FROM channels',
    unharmed: { count: 0 },
  },
  {
    what: 'a prepared statement',
    leak: 'PREPARE p AS SELECT 1;',
    next: 'PREPARE p AS SELECT 2 AS x; CREATE TABLE t AS EXECUTE p;',
    look: 'SELECT x FROM t',
    unharmed: { x: 2 },
  },
  { what: 'statement_timeout', leak: `SET statement_timeout = '1min';`, ...SETTING_IS_OURS('statement_timeout', '0') },
  { what: 'lock_timeout', leak: `SET lock_timeout = '1min';`, ...SETTING_IS_OURS('lock_timeout', '5s') },
  { what: 'synchronous_commit', leak: 'SET synchronous_commit = off;', ...SETTING_IS_OURS('synchronous_commit', 'on') },
  {
    what: 'a cursor WITH HOLD',
    leak: 'DECLARE c CURSOR WITH HOLD FOR SELECT 1;',
    next: 'DECLARE c CURSOR WITH HOLD FOR SELECT 2; CREATE TABLE t AS SELECT count(*)::int AS count FROM pg_cursors;',
    look: 'SELECT count FROM t',
    unharmed: { count: 1 },
  },
  {
    what: "a sequence's current value",
    given: 'CREATE SEQUENCE s;',
    leak: `SELECT nextval('s');`,
    next: `CREATE TABLE t (x bigint); DO $$ BEGIN INSERT INTO t VALUES (currval('s')); EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$;`,
    look: 'SELECT count(*)::int AS rows FROM t',
    unharmed: { rows: 0 },
  },
];

/** A file whose statement counts how often its own session holds the key exclusively. */
const heldBy = (key: string): string =>
  `CREATE TABLE held AS SELECT count(*)::int AS count FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
     AND mode = 'ExclusiveLock' AND pid = pg_backend_pid() AND ((classid::bigint << 32) | objid::bigint) = ${key};`;

describe('what a migration leaves in the session', () => {
  const workspace = useWorkspace();

  for (const { what, given = 'SELECT 1;', leak, next, look, unharmed } of LEAKS) {
    for (const way of ['in a transaction', 'statement by statement']) {
      it(`${what}, ${way}`, async () => {
        const directive = way === 'in a transaction' ? '' : '-- lockstep: no-transaction\n';
        await workspace().write({
          '001_given.up.sql': given,
          '002_leak.up.sql': directive + leak,
          '003_next.up.sql': next,
          '004_held.up.sql': heldBy(workspace().lockKey),
        });
        expect(done(await up(workspace()))).to.have.lengthOf(4);
        expect(await workspace().query(look)).to.deep.equal([unharmed]);
        expect(await workspace().query('SELECT count FROM held')).to.deep.equal([{ count: 1 }]);
      });
    }
  }

  for (const change of ['SET ROLE', 'SET SESSION AUTHORIZATION']) {
    it(`${change}: the migration is recorded all the same, and the next file runs as the original role`, async () => {
      const other = await createRole(workspace());
      await workspace().write({
        '001_other.up.sql': `${change} ${other.name};\nCREATE TABLE theirs (x int);`,
        '002_next.up.sql': 'CREATE TABLE ours (x int);',
        '003_alone.up.sql': `-- lockstep: no-transaction\n${change} ${other.name};\nCREATE TABLE theirs_too (x int);`,
        '004_next.up.sql': 'CREATE TABLE ours_too (x int);',
      });
      expect(done(await up(workspace()))).to.have.lengthOf(4);
      const owned = await workspace().query(
        `SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tableowner = $2 ORDER BY 1`,
        [workspace().schema, other.name],
      );
      expect(owned.map(({ tablename }) => tablename)).to.deep.equal(['theirs', 'theirs_too']);
    });
  }

  for (const way of ['', '-- lockstep: no-transaction\n']) {
    it(`client_encoding, ${way === '' ? 'in a transaction' : 'statement by statement'}: non-ASCII names stay unchanged`, async () => {
      const schema = `${workspace().schema}_ü`;
      const here = workspace();
      await here.query(`CREATE SCHEMA "${schema}"`);
      here.defer(() => here.query(`DROP SCHEMA "${schema}" CASCADE`));
      const url = new URL(here.url);
      url.searchParams.set('search_path', `"${schema}",public`);
      await here.write({
        '001_ü.up.sql': `${way}SET client_encoding = 'LATIN1';\nCREATE TABLE "größe" (x int);`,
        '001_ü.down.sql': 'DROP TABLE "größe";',
        '002_ö.up.sql': 'CREATE TABLE next_one (x int);',
        '003_ä.up.sql': `${way}SET client_encoding = 'LATIN1';`,
      });
      const versions = ['001_ü', '002_ö', '003_ä'];
      expect(done(await up(here, { connectionString: url.href }))).to.deep.equal(versions);
      expect(await here.versions(`"${schema}".schema_migrations`)).to.deep.equal(versions);
      expect(
        await here.query('SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename NOT LIKE $2 ORDER BY 1', [
          schema,
          'schema%',
        ]),
      ).to.deep.equal([{ tablename: 'größe' }, { tablename: 'next_one' }]);
      const told = await here.query(
        `SELECT DISTINCT version FROM "${schema}".schema_migrations_journal WHERE version IS NOT NULL ORDER BY 1`,
      );
      expect(told.map(({ version }) => version)).to.deep.equal(versions);
      expect(
        await here.query(`SELECT down_sql FROM "${schema}".schema_migrations_journal WHERE down_sql IS NOT NULL`),
      ).to.deep.equal([{ down_sql: 'DROP TABLE "größe";' }]);
    });
  }

  for (const leak of [
    'SET default_transaction_read_only = on;',
    `SET statement_timeout = '100ms';`,
    `DO $$ BEGIN EXECUTE 'SET default_transaction_isolation = serializable'; END $$;`,
  ]) {
    it(`${leak} in the last file does not end the run`, async () => {
      await workspace().write({ '001_last.up.sql': leak, '002_alone.up.sql': `-- lockstep: no-transaction\n${leak}` });
      expect(done(await up(workspace()))).to.deep.equal(['001_last', '002_alone']);
    });
  }

  it(`SET idle_session_timeout = '100ms' in the last file does not end the run`, async () => {
    await workspace().write({ '001_last.up.sql': `SET idle_session_timeout = '100ms';` });
    expect(done(await up(workspace()))).to.deep.equal(['001_last']);
  });

  it('does not affect a hook either', async () => {
    await workspace().write({
      '001_leak.up.sql': `SET idle_session_timeout = '300ms';`,
      '002_hook.before.mjs': 'export default () => new Promise((resolve) => setTimeout(resolve, 800));',
      '002_hook.up.sql': 'SELECT 1;',
      '003_alone.up.sql': `-- lockstep: no-transaction\nSET idle_session_timeout = '300ms';`,
      '004_hook.before.mjs': 'export default () => new Promise((resolve) => setTimeout(resolve, 800));',
      '004_hook.up.sql': 'SELECT 1;',
    });
    expect(done(await up(workspace()))).to.have.lengthOf(4);
  });

  it('--role is set again for each file, whatever the one before did', async () => {
    const role = await createRole(workspace());
    await workspace().write({
      '001_away.up.sql': 'RESET ROLE;',
      '002_table.up.sql': 'CREATE TABLE a (x int);',
      '003_none.up.sql': 'SET ROLE NONE;',
      '004_table.up.sql': 'CREATE TABLE b (x int);',
      '005_reset.up.sql': 'RESET ALL; SET SESSION AUTHORIZATION DEFAULT;',
      '006_table.up.sql':
        '-- lockstep: no-transaction\nCREATE TABLE c (x int);\nCREATE INDEX CONCURRENTLY c_x ON c (x);',
    });
    await up(workspace(), { role: role.name });
    const owners = await workspace().query('SELECT DISTINCT tableowner AS owner FROM pg_tables WHERE schemaname = $1', [
      workspace().schema,
    ]);
    expect(owners).to.deep.equal([{ owner: role.name }]);
  });
});

describe('a migration that gives up the lock', () => {
  const workspace = useWorkspace();
  const GIVE_UP = 'DO $$ BEGIN PERFORM pg_advisory_unlock_all(); END $$;';
  const WAYS: Readonly<Record<string, () => string>> = {
    pg_advisory_unlock_all: () => GIVE_UP,
    pg_advisory_unlock: () => `DO $$ BEGIN PERFORM pg_advisory_unlock(${workspace().lockKey}); END $$;`,
    'pg_advisory_unlock, and takes it shared': () =>
      `DO $$ BEGIN PERFORM pg_advisory_unlock(${workspace().lockKey}), pg_advisory_lock_shared(${workspace().lockKey}); END $$;`,
    'pg_advisory_unlock, and takes it for the transaction only': () =>
      `DO $$ BEGIN PERFORM pg_advisory_unlock(${workspace().lockKey}), pg_advisory_xact_lock(${workspace().lockKey}); END $$;`,
  };

  for (const [how, giveUp] of Object.entries(WAYS)) {
    it(`in a transaction, by ${how}, is rolled back and not recorded, and nothing after it runs`, async () => {
      await workspace().write({
        '001_a.up.sql': 'CREATE TABLE a (x int);',
        '002_free.up.sql': `CREATE TABLE b (x int);\n${giveUp()}`,
        '003_c.up.sql': 'CREATE TABLE c (x int);',
      });
      const error = await failure('MIGRATION_FAILED', up(workspace()));
      expect(error.summary).to.include('gave up the lock');
      expect(error.details.outcome).to.include({ failedVersion: '002_free' });
      expect(error.details.outcome?.notRun).to.deep.equal(['003_c']);
      expect(await workspace().versions()).to.deep.equal(['001_a']);
      expect(await workspace().query(`SELECT to_regclass('b') AS b, to_regclass('c') AS c`)).to.deep.equal([
        { b: null, c: null },
      ]);
    });
  }

  it('statement by statement, stops: no later statement runs', async () => {
    await workspace().write({
      '001_free.up.sql': `-- lockstep: no-transaction\nCREATE TABLE a (x int);\n${GIVE_UP}\nCREATE TABLE b (x int);`,
    });
    const error = await failure('MIGRATION_FAILED', up(workspace()));
    expect(error.summary).to.include('gave up the lock');
    expect(await workspace().versions()).to.deep.equal([]);
    expect(
      await workspace().query(`SELECT to_regclass('a') IS NULL AS a, to_regclass('b') IS NULL AS b`),
    ).to.deep.equal([{ a: false, b: true }]);
  });

  it('with a plain call is refused before anything runs', async () => {
    await workspace().write({
      '001_a.up.sql': 'CREATE TABLE a (x int);',
      '002_free.up.sql': 'SELECT pg_advisory_unlock_all();',
      '003_all.up.sql': 'DISCARD ALL;',
    });
    const error = await failure('MIGRATIONS_INVALID', up(workspace()));
    expect(error.details.problems?.map((problem) => problem.split(':')[0])).to.deep.equal([
      '002_free.up.sql',
      '003_all.up.sql',
    ]);
    expect(await workspace().query(`SELECT to_regclass('a') AS a`)).to.deep.equal([{ a: null }]);
  });
});
