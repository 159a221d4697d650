/**
 * Every migration runs at read committed, whatever sets another default: a file sees rows that were committed while it
 * waited for its LOCK.
 */
import { expect } from 'chai';

import { runMigrations } from '../../src/index.ts';
import { eventually } from '../support/bounded.ts';
import { expectExit, runCli } from '../support/cli.ts';
import { useDatabase } from '../support/databases.ts';
import { createRole } from '../support/roles.ts';
import { down, failure, up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

const SETTING = 'default_transaction_isolation';
const LEVELS = ['repeatable read', 'serializable'];

/** Recreates the table while other sessions write to it. */
const REMAKE = [
  'LOCK TABLE orders;',
  `CREATE TABLE orders_new AS SELECT * FROM orders;`,
  'DROP TABLE orders;',
  'ALTER TABLE orders_new RENAME TO orders;',
  `INSERT INTO levels SELECT current_setting('transaction_isolation');`,
].join('\n');
const IN_BLOCK = `DO $$ BEGIN\n${REMAKE}\nEND $$;`;

const TABLES = {
  '001_orders.up.sql': 'CREATE TABLE orders (id int); INSERT INTO orders VALUES (1); CREATE TABLE levels (level text);',
};

/** Each way in which a file runs. */
const FILES: Readonly<
  Record<string, { readonly direction: 'up' | 'down'; readonly files: Readonly<Record<string, string>> }>
> = {
  'one transaction': { direction: 'up', files: { '002_remake.up.sql': REMAKE } },
  'BEGIN and COMMIT': { direction: 'up', files: { '002_remake.up.sql': `BEGIN;\n${REMAKE}\nCOMMIT;` } },
  'statement by statement': {
    direction: 'up',
    files: { '002_remake.up.sql': `CREATE INDEX CONCURRENTLY levels_level ON levels (level);\n${IN_BLOCK}` },
  },
  'after files that set it': {
    direction: 'up',
    files: {
      '002_a.up.sql': `DO $$ BEGIN EXECUTE 'SET ${SETTING} = serializable'; END $$;`,
      '003_remake.up.sql': `-- lockstep: no-transaction\nDO $$ BEGIN EXECUTE 'SET ${SETTING} = serializable'; END $$;\n${IN_BLOCK}`,
    },
  },
  'DO that commits': {
    direction: 'up',
    files: {
      '002_remake.up.sql': `-- lockstep: no-transaction\nDO $$ BEGIN PERFORM 1; COMMIT;\n${REMAKE}\nCOMMIT; END $$;`,
    },
  },
  'a file too large to be parsed': {
    direction: 'up',
    files: { '002_remake.up.sql': `-- ${'x'.repeat(100)}\n`.repeat(20_500) + REMAKE },
  },
  'down, one transaction': {
    direction: 'down',
    files: { '002_remake.up.sql': 'SELECT 1;', '002_remake.down.sql': REMAKE },
  },
  'down, statement by statement': {
    direction: 'down',
    files: { '002_remake.up.sql': 'SELECT 1;', '002_remake.down.sql': `-- lockstep: no-transaction\n${IN_BLOCK}` },
  },
};

describe('another default isolation level', () => {
  const database = useDatabase();
  const workspace = useWorkspace(database);

  type Direction = 'up' | 'down';

  function lent(connection: object, direction: Direction): Promise<unknown> {
    const { dir, lockKey } = workspace();
    return runMigrations({
      ...connection,
      dir,
      lockKey,
      direction,
      ...(direction === 'down' && { steps: 1 }),
    } as Parameters<typeof runMigrations>[0]);
  }
  const run = (direction: Direction, connectionString: string): Promise<unknown> =>
    direction === 'up' ? up(workspace(), { connectionString }) : down(workspace(), { connectionString, steps: 1 });
  const withParameter = (name: string, value: string): string => {
    const url = new URL(workspace().url);
    url.search += `&${name}=${encodeURIComponent(value)}`;
    return url.href;
  };
  const escaped = (level: string): string => level.replace(' ', '\\ ');

  type Start = (direction: Direction) => Promise<unknown>;

  /** Each way to set the level; returns the function that runs the migrations. */
  const WAYS: Readonly<Record<string, (level: string) => Promise<Start> | Start>> = {
    'the role': async (level) => {
      const role = await createRole(workspace(), { settings: { [SETTING]: level } });
      for (const table of ['orders', 'levels', 'schema_migrations', 'schema_migrations_journal'])
        await workspace().query(`ALTER TABLE ${table} OWNER TO ${role.name}`);
      return (direction) => run(direction, role.url);
    },
    'the database': async (level) => {
      const name = new URL(database()).pathname.slice(1);
      const here = workspace();
      await here.query(`ALTER DATABASE ${name} SET ${SETTING} = '${level}'`);
      here.defer(() => here.query(`ALTER DATABASE ${name} RESET ${SETTING}`));
      return (direction) => run(direction, here.url);
    },
    'the address': (level) => (direction) => run(direction, withParameter(SETTING, level)),
    "the address's options": (level) => (direction) =>
      run(direction, withParameter('options', `-c ${SETTING}=${escaped(level)}`)),
    PGOPTIONS: (level) => async (direction) => {
      const env = { ...workspace().env, PGOPTIONS: `-c ${SETTING}=${escaped(level)}` };
      expectExit(await runCli([direction, ...(direction === 'down' ? ['--steps', '1'] : [])], { env }), 0);
    },
    "a caller's pool": (level) => {
      const pool = workspace().pool({
        max: 2,
        options: `-c search_path=${workspace().schema} -c ${SETTING}=${escaped(level)}`,
      });
      return (direction) => lent({ pool }, direction);
    },
    "a caller's session": async (level) => {
      const connection = await workspace().client();
      await connection.query(`SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL ${level}`);
      return async (direction) => {
        await lent({ connection }, direction);
        // The session has the caller's setting again.
        expect((await connection.query(`SELECT current_setting('${SETTING}') AS level`)).rows).to.deep.equal([
          { level },
        ]);
      };
    },
  };

  for (const [by, set] of Object.entries(WAYS)) {
    for (const [how, { direction, files }] of Object.entries(FILES)) {
      // Both levels take one snapshot per transaction, so each combination runs with one of them.
      const level = LEVELS[(Object.keys(WAYS).indexOf(by) + Object.keys(FILES).indexOf(how)) % LEVELS.length]!;
      it(`loses no row: ${level} set by ${by}; ${how}`, async () => {
        await workspace().write(TABLES);
        await up(workspace());
        await workspace().write(files);
        if (direction === 'down') await up(workspace());
        const start = await set(level);
        const application = await workspace().client();
        await application.query('BEGIN ISOLATION LEVEL READ COMMITTED; INSERT INTO orders VALUES (2)');
        const running = start(direction);
        const waiting = eventually('the migration to wait for its LOCK', async () => {
          const [lock] = await workspace().query(
            `SELECT FROM pg_locks WHERE relation = to_regclass('orders') AND mode = 'AccessExclusiveLock' AND NOT granted`,
          );
          return lock !== undefined;
        });
        // A run that ends earlier has failed, and its error is shown.
        await Promise.race([waiting, running]);
        await waiting;
        await application.query('COMMIT');
        await running;
        expect(await workspace().query('SELECT id FROM orders ORDER BY id')).to.deep.equal([{ id: 1 }, { id: 2 }]);
        expect(await workspace().query('SELECT level FROM levels')).to.deep.equal([{ level: 'read committed' }]);
      });
    }
  }

  const REFUSED = [
    `SET ${SETTING} = 'serializable';`,
    `SET SESSION ${SETTING} TO 'repeatable read';`,
    `SET LOCAL ${SETTING} = serializable;`,
    `SET Default_Transaction_ISOLATION = serializable;`,
    `SET "${SETTING}" = serializable;`,
    `SET ${SETTING} FROM CURRENT;`,
    `SET ${SETTING} TO DEFAULT;`,
    `RESET ${SETTING};`,
    `SET transaction_isolation = 'serializable';`,
    'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE;',
    'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE, ISOLATION LEVEL REPEATABLE READ;',
    'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;',
    'SET LOCAL TRANSACTION ISOLATION LEVEL REPEATABLE READ;',
    `SELECT set_config('${SETTING}', 'serializable', false);`,
    `SELECT pg_catalog.set_config('${SETTING.toUpperCase()}', 'serializable', true);`,
    `SELECT x FROM (SELECT set_config('transaction_isolation', 'serializable', true) AS x) s;`,
    'BEGIN ISOLATION LEVEL SERIALIZABLE;\nSELECT 1;\nCOMMIT;',
    'START TRANSACTION READ WRITE, ISOLATION LEVEL REPEATABLE READ;\nSELECT 1;\nCOMMIT;',
  ];
  for (const sql of REFUSED) {
    it(`is refused in a file: ${sql}`, async () => {
      for (const head of ['', '-- lockstep: no-transaction\n']) {
        await workspace().write({ '001_a.up.sql': 'CREATE TABLE a ();', '002_b.up.sql': head + sql });
        const error = await failure('MIGRATIONS_INVALID', up(workspace()));
        expect(error.details.problems?.join()).to.match(/^002_b\.up\.sql:\d+:\d+: .*read committed/);
      }
      expect(await workspace().query(`SELECT to_regclass('a') AS a`)).to.deep.equal([{ a: null }]);
    });
  }

  it('may be set by a file for a role or a function', async () => {
    const role = await createRole(workspace());
    await workspace().write({
      '001_a.up.sql': `ALTER ROLE ${role.name} SET ${SETTING} = 'serializable'; CREATE FUNCTION f() RETURNS int LANGUAGE sql SET ${SETTING} = 'serializable' AS 'SELECT 1';`,
    });
    await up(workspace());
    expect(await workspace().versions()).to.deep.equal(['001_a']);
  });
});
