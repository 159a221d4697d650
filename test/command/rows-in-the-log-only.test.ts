/** Row values that the server's message quotes appear in the log, and in no other output. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { startApiDouble } from '../support/api-double.ts';
import { expectExit, runCli } from '../support/cli.ts';
import { inCluster } from '../support/in-cluster.ts';
import { useWorkspace } from '../support/workspace.ts';

/** Letters and digits that occur in every value, and nowhere else. */
const CANARY = /canary|7307307/i;

/**
 * SQLSTATE, the row's value, and the SQL of a file that reads it as `v` of `t` (one row; the file does not contain the
 * value).
 */
const CASES: readonly (readonly [sqlstate: string, value: string, sql: string])[] = [
  // Class 22, data exceptions.
  ['22P02', 'canary@example.com', 'ALTER TABLE t ALTER v TYPE int USING v::int;'],
  ['22P02', `canary" for "canary' »canary«`, 'SELECT v::int FROM t;'],
  ['22P02', 'first\nthe second line is "canary"', 'SELECT v::int FROM t;'],
  ['22P02', 'canary', 'SELECT v::uuid FROM t;'],
  ['22P02', 'canary', 'SELECT v::boolean FROM t;'],
  ['22P02', '7307307x', 'SELECT v::numeric FROM t;'],
  ['22P02', '{"canary": canary}', 'SELECT v::jsonb FROM t;'],
  ['22P02', 'canary', 'SELECT v::inet FROM t;'],
  ['22P02', '{canary', 'SELECT v::text[] FROM t;'],
  ['22P02', '[canary', 'SELECT v::int4range FROM t;'],
  ['22P02', 'canary', "CREATE TYPE mood AS ENUM ('good'); SELECT v::mood FROM t;"],
  ['22P02', '(canary', 'SELECT v::t FROM t;'],
  ['22P02', 'canary', 'SELECT v::point FROM t;'],
  ['22P02', 'canary', 'SELECT v::pg_lsn FROM t;'],
  ['22007', 'canary', 'SELECT v::date FROM t;'],
  ['22007', 'canary', 'SELECT v::interval FROM t;'],
  ['22007', 'canary', "SELECT to_date(v, 'Month') FROM t;"],
  ['22008', '7307307-01-01', 'SELECT v::date FROM t;'],
  ['22008', '7307307', 'SELECT make_date(v::int, 1, 1) FROM t;'],
  ['22003', '73073070000000000000', 'SELECT v::int FROM t;'],
  ['22003', '7307307', 'SELECT v::smallint FROM t;'],
  ['22003', '7307307', "CREATE SEQUENCE s MAXVALUE 5; SELECT setval('s', v::int) FROM t;"],
  ['22001', 'canary', 'ALTER TABLE t ALTER v TYPE varchar(3);'],
  ['2202E', '7307307', "SELECT get_bit(B'101', v::int) FROM t;"],
  ['22012', '7307307', 'SELECT v::int / 0 FROM t;'],
  ['22023', 'canary', 'SELECT date_trunc(v, now()) FROM t;'],
  ['22023', 'canary', 'SELECT now() AT TIME ZONE v FROM t;'],
  ['22023', 'canary', "SELECT encode('x', v) FROM t;"],
  ['22023', 'canary', 'SELECT pg_size_bytes(v) FROM t;'],
  ['22023', 'canary canary', 'SELECT parse_ident(v) FROM t;'],
  ['22023', 'canary', "SELECT has_table_privilege('t', v) FROM t;"],
  ['2203A', '$.canary', "SELECT jsonb_path_query('{}', ('strict ' || v)::jsonpath) FROM t;"],
  // Class 23: DETAIL contains the row.
  ['23505', 'canary', 'INSERT INTO t SELECT v FROM t; CREATE UNIQUE INDEX t_v ON t (v);'],
  ['23502', 'canary', 'CREATE TABLE n (a text, b int NOT NULL); INSERT INTO n SELECT v, NULL FROM t;'],
  ['23503', 'canary', 'CREATE TABLE p (v text PRIMARY KEY); ALTER TABLE t ADD FOREIGN KEY (v) REFERENCES p;'],
  ['23514', 'canary', 'CREATE TABLE c (a text CHECK (length(a) < 3)); INSERT INTO c SELECT v FROM t;'],
  ['23514', 'canary', 'CREATE TABLE r (a text) PARTITION BY LIST (a); INSERT INTO r SELECT v FROM t;'],
  [
    '23P01',
    'canary',
    "CREATE TABLE e (a inet, b text, EXCLUDE USING gist (a inet_ops WITH &&)); INSERT INTO e SELECT '10.0.0.0/8'::inet, v FROM t; INSERT INTO e SELECT '10.7.30.7'::inet, v FROM t;",
  ],
  // Outside a transaction.
  ['22P02', 'canary', '-- lockstep: no-transaction\nSELECT v::int FROM t;'],
  ['22P02', 'canary', 'CREATE INDEX CONCURRENTLY t_v ON t ((v::int));'],
  ['23505', 'canary', 'INSERT INTO t SELECT v FROM t; CREATE UNIQUE INDEX CONCURRENTLY t_v ON t (v);'],
  // Other errors, in which a value is parsed as something else.
  ['42601', 'canary canary', 'SELECT v::tsquery FROM t;'],
  ['42P01', 'canary', 'SELECT v::regclass FROM t;'],
  ['42704', 'canary', 'SELECT v::regtype FROM t;'],
  ['42704', 'canary', 'SELECT v::regrole FROM t;'],
  ['42P01', 'canary', 'SELECT nextval(v) FROM t;'],
  ['42704', 'canary', 'SELECT current_setting(v) FROM t;'],
  ['42703', 'canary', "DO $$ BEGIN EXECUTE 'SELECT ' || (SELECT v FROM t); END $$;"],
  ['42601', "'canary", "DO $$ BEGIN EXECUTE 'SELECT ' || (SELECT v FROM t); END $$;"],
  ['22P02', 'canary', 'DO $$ DECLARE i int; BEGIN SELECT v INTO i FROM t; END $$;'],
];
/** Messages without the value: it is in the log's DETAIL, or nowhere. */
const NOT_EVEN_THERE = new Set(['22001', '22012', '23P01']);

describe('row values appear only in the log', () => {
  const workspace = useWorkspace();
  let folder = '';

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-rows-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const [index, [sqlstate, value, sql]] of CASES.entries()) {
    it(`${sqlstate} ${sql} of ${JSON.stringify(value)}`, async () => {
      await workspace().query('CREATE TABLE t (v text)');
      await workspace().query('INSERT INTO t VALUES ($1)', [value]);
      await workspace().write({ '001_a.up.sql': sql });
      const api = await startApiDouble([{ status: 201 }]);
      workspace().defer(() => api.stop());
      const cluster = await inCluster(api, { namespace: 'shop', token: 'token' });
      workspace().defer(() => cluster.remove());
      const terminationLog = join(folder, 'termination');
      const env = {
        ...workspace().env,
        ...cluster.env,
        LOCKSTEP_POD: 'web-1',
        LOCKSTEP_TERMINATION_LOG: terminationLog,
      };

      const run = await runCli(['up', '--json'], { env });
      expectExit(run, 40);
      const shown = {
        document: run.stdout,
        termination: await readFile(terminationLog, 'utf8'),
        events: JSON.stringify(api.received.map(({ body }) => body)),
        journal: JSON.stringify(await workspace().query('SELECT * FROM schema_migrations_journal')),
        // These commands print the failure from the journal: once for each SQLSTATE is enough.
        ...(CASES.findIndex(([other]) => other === sqlstate) === index && {
          history: (await runCli(['history'], { env })).stdout,
          historyDocument: (await runCli(['history', '--json'], { env })).stdout,
          status: (await runCli(['status', '--json'], { env })).stdout,
        }),
      };
      for (const [where, text] of Object.entries(shown)) expect(text, where).to.not.match(CANARY);
      for (const where of ['document', 'termination', 'journal'] as const)
        expect(shown[where], where).to.include(sqlstate);
      expect(api.received.map(({ body }) => body.reason)).to.include('MigrationFailed');
      if (!NOT_EVEN_THERE.has(sqlstate)) expect(run.stderr, 'the log').to.match(CANARY);
    });
  }
});
