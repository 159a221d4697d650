/** Files with statements that cannot run in a transaction: recognised, journalled, and resumed where they stopped. */
import { expect } from 'chai';

import type { StatusDocument } from '../../src/output/documents.ts';
import { runCli, startCli } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';
import { done, down, failure, up } from '../support/running.ts';

interface Kind {
  readonly what: string;
  readonly given: string;
  readonly sql: string;
  readonly look: string;
  readonly found: object;
  /** Runs in the migration's transaction after all. */
  readonly transactional?: true;
}

const KINDS: readonly Kind[] = [
  {
    what: 'DROP INDEX CONCURRENTLY',
    given: 'CREATE TABLE t (x int); CREATE INDEX t_x ON t (x);',
    sql: 'DROP INDEX CONCURRENTLY t_x;',
    look: `SELECT to_regclass('t_x') AS found`,
    found: { found: null },
  },
  {
    what: 'REINDEX INDEX CONCURRENTLY',
    given:
      "CREATE TABLE t (x int); CREATE INDEX t_x ON t (x); CREATE TABLE before AS SELECT pg_relation_filenode('t_x') AS node;",
    sql: 'REINDEX INDEX CONCURRENTLY t_x;',
    look: `SELECT node <> pg_relation_filenode('t_x') AS rebuilt FROM before`,
    found: { rebuilt: true },
  },
  {
    what: 'REINDEX TABLE CONCURRENTLY',
    given:
      "CREATE TABLE t (x int); CREATE INDEX t_x ON t (x); CREATE TABLE before AS SELECT pg_relation_filenode('t_x') AS node;",
    sql: 'REINDEX (CONCURRENTLY) TABLE t;',
    look: `SELECT node <> pg_relation_filenode('t_x') AS rebuilt FROM before`,
    found: { rebuilt: true },
  },
  {
    what: 'DETACH PARTITION CONCURRENTLY',
    given: 'CREATE TABLE p (x int) PARTITION BY RANGE (x); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);',
    sql: 'ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;',
    look: `SELECT count(*)::int AS partitions FROM pg_inherits WHERE inhparent = 'p'::regclass`,
    found: { partitions: 0 },
  },
  {
    what: 'VACUUM',
    given: 'CREATE TABLE t (x int); INSERT INTO t VALUES (1);',
    sql: 'VACUUM (ANALYZE) t;',
    look: `SELECT reltuples::int AS rows FROM pg_class WHERE oid = 't'::regclass`,
    found: { rows: 1 },
  },
  {
    what: 'ALTER TYPE ADD VALUE',
    given: `CREATE TYPE e AS ENUM ('a');`,
    sql: `ALTER TYPE e ADD VALUE 'b';`,
    look: 'SELECT enum_range(NULL::e)::text AS e',
    found: { e: '{a,b}' },
    transactional: true,
  },
  {
    what: 'REFRESH MATERIALIZED VIEW CONCURRENTLY',
    given:
      'CREATE TABLE t (x int); CREATE MATERIALIZED VIEW v AS SELECT x FROM t; CREATE UNIQUE INDEX ON v (x); INSERT INTO t VALUES (7);',
    sql: 'REFRESH MATERIALIZED VIEW CONCURRENTLY v;',
    look: 'SELECT x FROM v',
    found: { x: 7 },
    transactional: true,
  },
];

describe('statements that cannot run in a transaction', () => {
  const workspace = useWorkspace();

  for (const { what, given, sql, look, found, transactional } of KINDS) {
    it(`${what} runs ${transactional ? 'in the transaction' : 'outside a transaction'}, without a directive`, async () => {
      await workspace().write({ '001_given.up.sql': given, '002_it.up.sql': sql });
      const reporter = new Recorder();
      expect(done(await up(workspace(), { reporter }))).to.deep.equal(['001_given', '002_it']);
      expect(await workspace().query(look)).to.deep.equal([found]);
      expect(await workspace().journalCounts('statement started')).to.deep.equal(transactional ? {} : { '002_it': 1 });
      expect(reporter.of('statement.finished')).to.have.lengthOf(transactional ? 0 : 1);
    });
  }

  it('journals a statement that runs alone when it starts, and one that runs in a transaction when it is done', async () => {
    await workspace().write({
      '001_a.up.sql': 'CREATE TABLE t (x int);\nCREATE INDEX CONCURRENTLY t_x ON t (x);\nINSERT INTO t VALUES (1);',
    });
    await up(workspace());
    const rows = await workspace().query<{ told: string }>(
      `SELECT concat_ws(' ', event, statement) AS told FROM schema_migrations_journal ORDER BY id`,
    );
    expect(rows.map(({ told }) => told)).to.deep.equal([
      ...['run started', 'started', 'statement done 1', 'statement started 2', 'statement done 2', 'statement done 3'],
      ...['applied', 'run ended'],
    ]);
  });
});

describe('a statement-by-statement file that failed half-way', () => {
  const workspace = useWorkspace();
  const STOPPED = 'CREATE TABLE t (x int);\nCREATE TEMPORARY TABLE here (y int);\nVACUUM t;\nINSERT INTO t SELECT 1/0;';

  beforeEach(async () => {
    await workspace().write({ '001_a.up.sql': STOPPED });
    const error = await failure('MIGRATION_FAILED', up(workspace()));
    expect(error.details.location).to.include({ line: 4, column: 1 });
    expect(error.details.problems?.[0]).to.include('statement 4');
  });

  it('is resumed: finished statements do not run again, except for those that only changed the session', async () => {
    await workspace().write({
      '001_a.up.sql': STOPPED.replace(
        'INSERT INTO t SELECT 1/0;',
        'INSERT INTO here VALUES (5);\nINSERT INTO t SELECT y FROM here;',
      ),
    });
    expect(done(await up(workspace()))).to.deep.equal(['001_a']);
    expect(await workspace().query('SELECT x FROM t')).to.deep.equal([{ x: 5 }]);
    expect(await workspace().journalCounts('statement done')).to.deep.equal({ '001_a': 6 });
    expect(await workspace().journalCounts('statement started')).to.deep.equal({ '001_a': 1 });
  });

  it('appears in status until it is complete, in both directions', async () => {
    const inPart = async (): Promise<unknown> =>
      (JSON.parse((await runCli(['status', '--json'], workspace())).stdout) as StatusDocument).migrations[0]?.inPart;
    expect((await runCli(['status'], workspace())).stdout).to.include(
      'in part: 001_a is applied in part: of its up file statements 1 to 3 are done',
    );
    expect(await inPart()).to.equal('up');
    await workspace().write({
      '001_a.up.sql': STOPPED.replace('1/0', '1'),
      '001_a.down.sql': 'VACUUM t;\nDROP TABLE nowhere;',
    });
    await up(workspace());
    expect(await inPart()).to.equal(undefined);
    await failure('MIGRATION_FAILED', down(workspace(), { steps: 1 }));
    expect(await inPart()).to.equal('down');
  });

  it('with a changed finished statement is refused: exit 22, and nothing runs', async () => {
    await workspace().write({ '001_a.up.sql': STOPPED.replace('x int', 'x bigint').replace('1/0', '1') });
    const { code, stderr } = await runCli(['up'], workspace());
    expect(code, stderr).to.equal(22);
    expect(stderr).to.include('statement 1');
    expect(await workspace().query('SELECT x FROM t')).to.deep.equal([]);
    expect(await workspace().versions()).to.deep.equal([]);
  });

  it('with fewer statements than are finished is refused: exit 22', async () => {
    await workspace().write({ '001_a.up.sql': '-- lockstep: no-transaction\nCREATE TABLE t (x int);' });
    expect((await failure('HISTORY_CONFLICT', up(workspace()))).exit).to.equal(22);
  });

  it('that was changed into a transactional file is refused too: its first statements are committed', async () => {
    await workspace().write({ '001_a.up.sql': 'CREATE TABLE u (x int);' });
    expect((await failure('HISTORY_CONFLICT', up(workspace()))).exit).to.equal(22);
    expect(await workspace().query(`SELECT to_regclass('u') AS u`)).to.deep.equal([{ u: null }]);
  });
});

describe('a statement that may commit before it ends', () => {
  const workspace = useWorkspace();
  const DO = (body: string): string => `-- lockstep: no-transaction\nDO $$ BEGIN ${body} END $$;`;
  const rows = async (): Promise<number> => (await workspace().query('SELECT FROM t')).length;

  beforeEach(async () => {
    await workspace().query('CREATE TABLE t (x int)');
    await workspace().query(
      'CREATE PROCEDURE half() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); COMMIT; PERFORM 1/0; END $$',
    );
  });

  it('is rolled back when it fails before a commit: exit 40, and the next run runs it again', async () => {
    await workspace().write({
      '001_a.up.sql': DO(
        'INSERT INTO t VALUES (1); BEGIN PERFORM 1/0; EXCEPTION WHEN division_by_zero THEN NULL; END; PERFORM 1/0;',
      ),
    });
    expect((await failure('MIGRATION_FAILED', up(workspace()))).details.server?.sqlstate).to.equal('22012');
    expect(await rows()).to.equal(0);
    await workspace().write({ '001_a.up.sql': DO('INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2);') });
    expect(done(await up(workspace()))).to.deep.equal(['001_a']);
    expect(await rows()).to.equal(2);
  });

  const FAILING: Readonly<Record<string, readonly [sql: string, sqlstate: string]>> = {
    'by an error': [DO('INSERT INTO t VALUES (1); COMMIT; PERFORM 1/0;'), '22012'],
    'by an error in a procedure': ['-- lockstep: no-transaction\nCALL half();', '22012'],
    'by an error after a ROLLBACK of its own': [
      DO('INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (1); ROLLBACK; PERFORM 1/0;'),
      '22012',
    ],
    'by a timeout': [DO('INSERT INTO t VALUES (1); COMMIT; PERFORM pg_sleep(60);'), '57014'],
  };
  for (const [how, [sql, sqlstate]] of Object.entries(FAILING)) {
    it(`does not run again when it commits and then fails ${how}, until a person has decided: exit 41`, async () => {
      await workspace().write({ '001_a.up.sql': sql });
      const error = await failure('MIGRATION_INCOMPLETE', up(workspace(), { statementTimeoutMs: 500 }));
      expect(error).to.include({ exit: 41 });
      expect(error.details.server?.sqlstate).to.equal(sqlstate);
      expect(error.hint).to.include('lockstep repair --only 001_a --statement done');
      await failure('MIGRATION_INCOMPLETE', up(workspace()));
      expect(await rows()).to.equal(1);
      expect((await runCli(['repair', '--statement', 'done'], workspace())).code).to.equal(0);
      expect(done(await up(workspace()))).to.deep.equal(['001_a']);
      expect(await rows()).to.equal(1);
    });
  }

  it('does not run again when it has committed and a signal ends it', async () => {
    const gate = await closeGate(workspace());
    await workspace().write({
      '001_a.up.sql': DO(`INSERT INTO t VALUES (1); COMMIT; ${gate.sql.replace('SELECT', 'PERFORM')}`),
    });
    const run = startCli(['up'], workspace());
    await gate.arrived();
    run.kill('SIGTERM');
    expect((await run.exited).code).to.equal(143);
    await gate.open();
    expect((await runCli(['up'], workspace())).code).to.equal(41);
    expect(await rows()).to.equal(1);
  });
});
