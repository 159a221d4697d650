/**
 * A file's own error exits with 40, even when its SQLSTATE usually means a server failure; a server failure does not.
 */
import { expect } from 'chai';

import { done, failure, up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';
import type { ErrorCode } from '../../src/core/errors.ts';

interface Fault {
  readonly sql: string;
  readonly sqlstate: string;
  readonly code: ErrorCode;
}

const raise = (sqlstate: string): string => `DO $$ BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = '${sqlstate}'; END $$;`;

/**
 * A SQLSTATE of every class of the manual's appendix that the run otherwise attributes to the server or to other
 * sessions.
 */
const RAISED = [
  '08000',
  '08006',
  '08P01',
  '25006',
  '28000',
  '28P01',
  '3D000',
  '42501',
  '53000',
  '53100',
  '53200',
  '53300',
  '53400',
  '57000',
  '57014',
  '57P01',
  '57P02',
  '57P03',
  '57P05',
  '58000',
  '58030',
  '58P01',
  'F0000',
  'P0001',
  'XX000',
  '22012',
  '23505',
  '23502',
  '42P01',
  '25001',
];

const FAULTS: Readonly<Record<string, Fault>> = {
  'COPY from a file that does not exist': {
    sql: `COPY t FROM '/no/such/file';`,
    sqlstate: '58P01',
    code: 'MIGRATION_FAILED',
  },
  'a function whose library does not exist': {
    sql: `CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/no/such/library', 'f';`,
    sqlstate: '58P01',
    code: 'MIGRATION_FAILED',
  },
  LOAD: { sql: `LOAD '/no/such/library';`, sqlstate: '58P01', code: 'MIGRATION_FAILED' },
  'a transaction that makes itself read-only': {
    sql: 'SET TRANSACTION READ ONLY;\nCREATE TABLE w ();',
    sqlstate: '25006',
    code: 'MIGRATION_FAILED',
  },
  'a session that makes itself read-only': {
    sql: 'SET transaction_read_only = on;\nCREATE TABLE w ();',
    sqlstate: '25006',
    code: 'MIGRATION_FAILED',
  },
  ...Object.fromEntries(
    RAISED.map((sqlstate) => [
      `RAISE with ${sqlstate}`,
      { sql: raise(sqlstate), sqlstate, code: 'MIGRATION_FAILED' as const },
    ]),
  ),
};

describe('an error of a migration file', () => {
  const workspace = useWorkspace();

  beforeEach(() => workspace().query('CREATE TABLE t (x int)'));

  for (const [what, { sql, sqlstate, code }] of Object.entries(FAULTS)) {
    for (const [how, more] of [
      ['in one transaction', ''],
      ['statement by statement', 'CREATE INDEX CONCURRENTLY t_x ON t (x);\n'],
    ] as const) {
      // SET TRANSACTION has no effect on the next transaction.
      if (more !== '' && sqlstate === '25006' && !sql.startsWith('DO')) continue;
      it(`ends the run with ${code}, also in the journal: ${what}, ${how}`, async function () {
        this.timeout(60_000);
        await workspace().write({ '001_a.up.sql': more + sql });
        const error = await failure(code, up(workspace()));
        expect(error.details.server).to.include({ sqlstate });
        expect(error.exit).to.equal(40);
        expect(
          await workspace().query(`SELECT code FROM schema_migrations_journal WHERE event = 'failed'`),
        ).to.deep.equal([{ code }]);
        expect(await workspace().versions()).to.deep.equal([]);
      });
    }
  }

  for (const sqlstate of ['40001', '40P01', '55P03']) {
    it(`is retried when it is RAISE with ${sqlstate}, as the next try may succeed`, async () => {
      await workspace().query('CREATE SEQUENCE tries');
      await workspace().write({
        '001_a.up.sql': `DO $$ BEGIN IF nextval('tries') = 1 THEN RAISE EXCEPTION 'once' USING ERRCODE = '${sqlstate}'; END IF; END $$;\nCREATE TABLE made ();`,
      });
      expect(done(await up(workspace()))).to.deep.equal(['001_a']);
    });
  }

  it('does not occur when the server rejects a statement in a transaction and the file says no-transaction: it runs in its own message', async () => {
    // Like a statement of an extension that calls PreventInTransactionBlock: the first try sends other statements in
    // the same message.
    await workspace().query('CREATE SEQUENCE tries');
    await workspace().query(`CREATE FUNCTION refuses() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('tries') = 1 THEN RAISE EXCEPTION 'refuses() cannot run inside a transaction block' USING ERRCODE = '25001'; END IF; RETURN 1; END $$`);
    await workspace().write({
      '001_a.up.sql': '-- lockstep: no-transaction\nCREATE TABLE before ();\nSELECT refuses();\nCREATE TABLE after ();',
    });
    expect(done(await up(workspace()))).to.deep.equal(['001_a']);
    const rows = await workspace().query<{ event: string; statement: number | null }>(
      `SELECT event, statement FROM schema_migrations_journal WHERE version = '001_a' AND event LIKE 'statement%' ORDER BY id`,
    );
    expect(rows.map(({ event, statement }) => `${event} ${statement}`)).to.deep.equal([
      'statement done 1',
      'statement started 2',
      'statement done 2',
      'statement done 3',
    ]);
  });
});
