/**
 * Files with BEGIN … COMMIT beside other statements have the same effect as when sent in one message, as golang-migrate
 * does.
 */
import { expect } from 'chai';

import { expectExit, runCli, startCli } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import { done, failure, up } from '../support/running.ts';
import { schemaOf } from '../support/schema.ts';
import { useWorkspace } from '../support/workspace.ts';

const SHAPES: Readonly<Record<string, string>> = {
  'statements after a block':
    'BEGIN;\nCREATE TABLE a (x int PRIMARY KEY);\nINSERT INTO a VALUES (1);\nCOMMIT;\nALTER TABLE a ADD COLUMN y int DEFAULT 7;\n',
  'statements before a block': 'CREATE TABLE a (x int);\nBEGIN;\nINSERT INTO a VALUES (1);\nCOMMIT;\n',
  'statements around and between blocks': `CREATE TABLE a (x int);
BEGIN; INSERT INTO a VALUES (1); COMMIT;
INSERT INTO a VALUES (2);
BEGIN; INSERT INTO a SELECT x + 10 FROM a; END;
CREATE INDEX a_x ON a (x);`,
  'only blocks': 'BEGIN; CREATE TABLE a (x int); COMMIT; BEGIN; INSERT INTO a VALUES (1); COMMIT;',
  'a new enum value, committed before it is used': `CREATE TYPE mood AS ENUM ('ok');
BEGIN; ALTER TYPE mood ADD VALUE 'fine'; COMMIT;
CREATE TABLE a (m mood DEFAULT 'fine'); INSERT INTO a VALUES ('fine');`,
  'a session change that the next part sees': `CREATE TEMP TABLE seen AS SELECT 5 AS x; SET lockstep_test.y = '6';
BEGIN; CREATE TABLE a (x int, y int); COMMIT;
INSERT INTO a SELECT x, current_setting('lockstep_test.y')::int FROM seen;`,
  'functions whose bodies contain BEGIN and END': `CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
BEGIN; CREATE TABLE a (x int DEFAULT f()); COMMIT; -- BEGIN;
INSERT INTO a DEFAULT VALUES;`,
};

describe('BEGIN … COMMIT beside other statements', () => {
  const workspace = useWorkspace();

  async function clean(): Promise<void> {
    await workspace().query(`DO $$ BEGIN EXECUTE 'DROP SCHEMA ' || current_schema() || ' CASCADE'; END $$`);
    await workspace().query(`CREATE SCHEMA ${workspace().schema}`);
  }

  for (const [name, text] of Object.entries(SHAPES)) {
    it(`${name}: up has the same effect as one message`, async () => {
      await workspace().write({ '1_a.up.sql': text });
      expect(done(await up(workspace()))).to.deep.equal(['1_a']);
      const ours = await schemaOf(workspace());
      await clean();
      const client = await workspace().client();
      await client.query(text);
      expect(await schemaOf(workspace())).to.deep.equal(ours);
    });
  }

  it('a down file runs in parts, too', async () => {
    await workspace().write({
      '1_a.up.sql': SHAPES['only blocks']!,
      '1_a.down.sql': 'BEGIN; DELETE FROM a; COMMIT; DROP TABLE a;',
    });
    await up(workspace());
    expectExit(await runCli(['down', '--steps', '1'], workspace()), 0);
    expect(await workspace().query(`SELECT to_regclass('a') AS a`)).to.deep.equal([{ a: null }]);
  });

  it('each part is a transaction with its row: after a failure in a later part the run resumes there, and repeats no earlier part', async () => {
    const text = (last: string): string =>
      `CREATE TABLE a (x int);\nBEGIN; INSERT INTO a VALUES (1); COMMIT;\nINSERT INTO a VALUES (2);\n${last};`;
    await workspace().write({ '1_a.up.sql': text('SELECT 1/0') });
    const error = await failure('MIGRATION_FAILED', up(workspace()));
    expect(error.details.location).to.include({ line: 4 });
    expect(await workspace().query('SELECT x FROM a')).to.deep.equal([{ x: 1 }]);
    expect(await workspace().versions()).to.deep.equal([]);
    await workspace().write({ '1_a.up.sql': text('INSERT INTO a VALUES (3)') });
    expect(done(await up(workspace()))).to.deep.equal(['1_a']);
    expect(await workspace().query('SELECT x FROM a ORDER BY x')).to.deep.equal([{ x: 1 }, { x: 2 }, { x: 3 }]);
    expect(await workspace().journalCounts('statement done')).to.deep.equal({ '1_a': 2 });
  });

  for (const killed of [1, 2, 3, 4]) {
    it(`SIGKILL in part ${killed} of 4: the next run resumes there, with the same session state`, async () => {
      const gate = await closeGate(workspace());
      const at = (part: number): string => (part === killed ? gate.sql : '');
      await workspace().write({
        '1_a.up.sql': `CREATE TABLE a (x int, y int); SET lockstep_test.y = '6'; ${at(1)}
BEGIN; CREATE TEMP TABLE seen AS SELECT 5 AS x; COMMIT;
INSERT INTO a SELECT 1, current_setting('lockstep_test.y')::int; ${at(2)}
BEGIN; INSERT INTO a SELECT 2, x FROM seen; COMMIT;
BEGIN; INSERT INTO a SELECT 3, x FROM seen; ${at(3)} COMMIT;
INSERT INTO a SELECT 4, current_setting('lockstep_test.y')::int; ${at(4)}`,
      });
      const first = startCli(['up'], workspace());
      const orphan = await gate.arrived();
      first.kill('SIGKILL');
      await first.exited;
      const next = startCli(['up'], workspace());
      await next.waitForLog('lock.acquired');
      expect(await gate.arrived()).to.not.equal(orphan);
      await gate.open();
      expectExit(await next.exited, 0);
      expect(await workspace().query('SELECT x, y FROM a ORDER BY x')).to.deep.equal([
        { x: 1, y: 6 },
        { x: 2, y: 5 },
        { x: 3, y: 5 },
        { x: 4, y: 6 },
      ]);
      expect(await workspace().versions()).to.deep.equal(['1_a']);
    });
  }

  it('resumes after two kills, in two parts', async () => {
    const { sql, open } = await closeGate(workspace());
    await open();
    await workspace().write({
      '1_a.up.sql': `SET lockstep_test.y = '6'; CREATE TABLE a (x int);
BEGIN; INSERT INTO a VALUES (1); COMMIT; ${sql} INSERT INTO a VALUES (2);
BEGIN; INSERT INTO a VALUES (3); COMMIT; INSERT INTO a SELECT current_setting('lockstep_test.y')::int; ${sql}`,
    });
    for (let kills = 0; kills < 2; kills += 1) {
      const gate = await closeGate(workspace());
      const run = startCli(['up'], workspace());
      await gate.arrived();
      run.kill('SIGKILL');
      await run.exited;
      await gate.open();
    }
    expectExit(await runCli(['up'], workspace()), 0);
    expect(await workspace().query('SELECT x FROM a ORDER BY x')).to.deep.equal([1, 2, 3, 6].map((x) => ({ x })));
  });
});
