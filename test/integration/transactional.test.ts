/** A migration and its record are one transaction, whatever the file looks like. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import { eventually } from '../support/bounded.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';
import { done, failure, proxyOf, up } from '../support/running.ts';

/** Larger than 1 MB with the SQL: not parsed. */
const PADDING = `-- ${'x'.repeat(100)}\n`.repeat(10_300);

/** Whether the same transaction inserted the row of `recorded` and the history row. */
const SAME_TRANSACTION = `SELECT h.xmin = r.xmin AS same FROM schema_migrations h, recorded r WHERE h.version = '001_a'`;

/** Warnings about other tests' schemas in the same database. */
const OTHER_SCHEMA = /^this run begins a history in schema/;

describe('a migration in a transaction', () => {
  const workspace = useWorkspace();

  const file = (text: string, name = '001_a'): Promise<void> => workspace().write({ [`${name}.up.sql`]: text });

  const SHAPES: Readonly<Record<string, string>> = {
    'several statements': 'CREATE TABLE recorded (x int);\nINSERT INTO recorded VALUES (1);',
    'BEGIN … COMMIT': 'BEGIN;\nCREATE TABLE recorded (x int);\nINSERT INTO recorded VALUES (1);\nCOMMIT;',
    'START TRANSACTION … END, between comments':
      '-- first\nSTART TRANSACTION;\nCREATE TABLE recorded AS SELECT 1 AS x;\nEND; -- last',
    'no semicolon, and a comment as the last line':
      'CREATE TABLE recorded (x int);\nINSERT INTO recorded VALUES (1) -- done',
    'a block comment as the last line': 'CREATE TABLE recorded AS SELECT 1 AS x /* done */',
    'a byte order mark and CRLF':
      '\uFEFFCREATE TABLE recorded (x int);\r\nINSERT INTO recorded\r\nVALUES (1);\r\n-- done\r\n',
    'more than 1 MB': `${PADDING}CREATE TABLE recorded (x int);\nINSERT INTO recorded VALUES (1); -- done`,
    'DO and CALL': `CREATE TABLE recorded (x int); CREATE PROCEDURE p() LANGUAGE sql AS 'INSERT INTO recorded VALUES (1)'; DO 'BEGIN CALL p(); END';`,
  };
  for (const [shape, text] of Object.entries(SHAPES)) {
    it(`${shape}: one transaction with its history row`, async () => {
      await file(text);
      expect(done(await up(workspace()))).to.deep.equal(['001_a']);
      expect(await workspace().query(SAME_TRANSACTION)).to.deep.equal([{ same: true }]);
    });
  }

  it('more than 1 MB: not parsed, with a warning', async () => {
    await file(SHAPES['more than 1 MB']!);
    await expectWarning('larger than 1 MB');
  });

  it("SQL that PostgreSQL 18's parser cannot read, but this server can: one transaction, with a warning", async () => {
    // A server setting decides whether the quote after the backslash ends the string.
    await file(String.raw`CREATE TABLE recorded AS SELECT 'it\'s' AS x;`);
    await expectWarning("parser can't read", `${workspace().url}&standard_conforming_strings=off`);
    expect(await workspace().query(SAME_TRANSACTION)).to.deep.equal([{ same: true }]);
    expect(await workspace().query('SELECT x FROM recorded')).to.deep.equal([{ x: "it's" }]);
  });

  const FORGETTING: Readonly<Record<string, string>> = {
    DELETE: 'DELETE FROM schema_migrations;',
    TRUNCATE: 'TRUNCATE schema_migrations;',
    'code that empties every table': `DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP EXECUTE 'TRUNCATE ' || quote_ident(t); END LOOP; END $$;`,
  };
  for (const [how, sql] of Object.entries(FORGETTING)) {
    it(`that deletes its own record, by ${how}, is rolled back with exit 40, and all records stay`, async () => {
      await file('CREATE TABLE recorded (x int);');
      await file(sql, '002_b');
      const error = await failure('MIGRATION_FAILED', up(workspace()));
      expect(error.summary).to.include('002_b.up.sql changed schema_migrations');
      expect(await workspace().versions()).to.deep.equal(['001_a']);
    });
  }

  it('that fails at its COMMIT with a serialization failure is retried, also if it is the last', async () => {
    await workspace().query('CREATE SEQUENCE tries');
    await workspace().query(`CREATE FUNCTION once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('tries') = 1 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$`);
    await file(`CREATE TABLE recorded (x int);
      CREATE CONSTRAINT TRIGGER once AFTER INSERT ON recorded DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION once();
      INSERT INTO recorded VALUES (1);`);
    expect(done(await up(workspace()))).to.deep.equal(['001_a']);
    expect(await workspace().query(SAME_TRANSACTION)).to.deep.equal([{ same: true }]);
  });

  it('may delete and update anything in other tables', async () => {
    await file(
      'CREATE TABLE recorded (x int); INSERT INTO recorded VALUES (1); UPDATE recorded SET x = 2; DELETE FROM recorded; DROP TABLE recorded; SELECT 1;',
    );
    expect(done(await up(workspace()))).to.deep.equal(['001_a']);
  });

  describe('is sent in one round trip with the statements that prepare the session, and has no effect when that transaction', () => {
    const BROKEN: Readonly<Record<string, string>> = {
      fails: `BEGIN; SELECT 1/0; COMMIT`,
      'has a syntax error': 'SELEC',
      'is rolled back': 'BEGIN; ROLLBACK',
    };
    for (const [how, sql] of Object.entries(BROKEN)) {
      for (const applied of [[], ['000_before']]) {
        it(`${how}, ${applied.length === 0 ? 'as the first' : 'behind the one before it'}`, async () => {
          for (const version of applied) await file('SELECT 1', version);
          await file('CREATE TABLE recorded AS SELECT 1 AS x');
          const proxy = await proxyOf(workspace());
          proxy.rule = ({ text }) => (text.includes('RESET ALL') && text.includes('001_a') ? { sql } : 'pass');
          const error = await up(workspace(), { connectionString: proxy.url }).then(
            () => undefined,
            (thrown: unknown) => thrown,
          );
          expect(error).to.be.instanceOf(MigratorError);
          expect(await workspace().query(`SELECT to_regclass('recorded') AS made`)).to.deep.equal([{ made: null }]);
          expect(await workspace().versions()).to.deep.equal(applied);
        });
      }
    }
  });

  async function expectWarning(what: string, connectionString = workspace().url): Promise<void> {
    const reporter = new Recorder();
    await up(workspace(), { connectionString, reporter });
    const warnings = reporter
      .of('warning')
      .map(({ message }) => message)
      .filter((message) => !OTHER_SCHEMA.test(message));
    expect(warnings).to.have.lengthOf(1);
    expect(warnings[0])
      .to.match(/^001_a\.up\.sql:1:\d+: /)
      .and.include(what)
      .and.include('one transaction');
  }

  it('keeps exactly what a savepoint keeps', async () => {
    await file(
      'CREATE TABLE t (x int);\nSAVEPOINT a;\nINSERT INTO t VALUES (1);\nROLLBACK TO a;\nINSERT INTO t VALUES (2);\nRELEASE a;',
    );
    await up(workspace());
    expect(await workspace().query('SELECT x FROM t')).to.deep.equal([{ x: 2 }]);
  });

  it('that fails at its end leaves nothing, and is not recorded', async () => {
    await file('CREATE TABLE a (x int);\nINSERT INTO a VALUES (1/0);');
    const error = await failure('MIGRATION_FAILED', up(workspace()));
    expect(error.details.server).to.include({ sqlstate: '22012' });
    expect(
      await workspace().query(`SELECT to_regclass('a') AS a, count(*)::int AS rows FROM schema_migrations`),
    ).to.deep.equal([{ a: null, rows: 0 }]);
    expect(await workspace().journalCounts('failed')).to.deep.equal({ '001_a': 1 });
  });

  it('with a syntax error runs nothing at all', async () => {
    await file("CREATE SEQUENCE s;\nSELECT setval('s', 99);\nselec 1;");
    const error = await failure('MIGRATION_FAILED', up(workspace()));
    expect(error.details).to.deep.include({ location: { file: '001_a.up.sql', line: 3, column: 1, text: 'selec 1;' } });
    expect(error.details.server).to.include({ sqlstate: '42601' });
    // Not even effects that no rollback undoes are there.
    expect(await workspace().query(`SELECT to_regclass('s') AS s`)).to.deep.equal([{ s: null }]);
  });

  it('that fails only at COMMIT is not recorded', async () => {
    await file(
      'CREATE TABLE p (id int PRIMARY KEY);\nCREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO c VALUES (1);',
    );
    const error = await failure('MIGRATION_FAILED', up(workspace()));
    expect(error.details.server).to.include({ sqlstate: '23503' });
    expect(
      await workspace().query(`SELECT to_regclass('c') AS c, count(*)::int AS rows FROM schema_migrations`),
    ).to.deep.equal([{ c: null, rows: 0 }]);
  });

  it('that is empty is recorded, with a warning', async () => {
    await file('-- nothing yet\n');
    const reporter = new Recorder();
    expect(done(await up(workspace(), { reporter }))).to.deep.equal(['001_a']);
    expect(
      reporter
        .of('warning')
        .map(({ message }) => message)
        .filter((message) => !OTHER_SCHEMA.test(message)),
    ).to.deep.equal(['001_a.up.sql:1:1: the file contains no statements']);
  });

  it('that a runner without the lock has recorded meanwhile stops before its DDL', async () => {
    await file("CREATE SEQUENCE s; SELECT setval('s', 99);");
    await file('SELECT 1;', '000_first');
    await up(workspace(), { to: '000_first' });
    const lockless = await workspace().client();
    await lockless.query(`BEGIN; INSERT INTO schema_migrations (version) VALUES ('001_a')`);
    const run = failure('HISTORY_CONFLICT', up(workspace()));
    run.catch(() => undefined);
    await eventually('the history row to wait for the other one', async () => {
      const waiting = await workspace().query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%001_a%' AND application_name LIKE 'lockstep up %'
            AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND ((classid::bigint << 32) | objid::bigint) = $1::bigint)`,
        [workspace().lockKey],
      );
      return waiting.length === 1;
    });
    await lockless.query('COMMIT');
    expect((await run).exit).to.equal(22);
    expect(await workspace().query(`SELECT to_regclass('s') AS s`)).to.deep.equal([{ s: null }]);
  });

  it('is the same file with and without a byte order mark and CRLF', async () => {
    await file('SELECT 1;\nSELECT 2;\n');
    await up(workspace());
    await writeFile(join(workspace().dir, '001_a.up.sql'), '\uFEFFSELECT 1;\r\nSELECT 2;\r\n');
    await file('SELECT 3;', '002_b');
    expect(done(await up(workspace(), { strict: true }))).to.deep.equal(['002_b']);
  });

  it('is a different file with another text: an error while something is pending, else a warning', async () => {
    await file('SELECT 1;');
    await up(workspace());
    await file('SELECT 2;');
    expect((await up(workspace())).warnings).to.deep.equal(['changed after it was applied: 001_a']);
    expect((await failure('HISTORY_CONFLICT', up(workspace(), { strict: true }))).exit).to.equal(22);
    await file('SELECT 3;', '002_b');
    await failure('HISTORY_CONFLICT', up(workspace()));
    expect(await workspace().versions()).to.deep.equal(['001_a']);
  });
});
