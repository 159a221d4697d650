import { expect } from 'chai';

import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';
import { parseDirectives } from '../../src/core/migration.ts';
import { analyze } from '../../src/engine/apply/analyze.ts';

const parser = createSqlParser();

async function lossesOf(text: string): Promise<string[]> {
  const { losses } = await analyze(
    { file: '001_x.down.sql', text, checksum: '', directives: parseDirectives(text).directives },
    'down',
    parser,
  );
  return losses.map(({ kind, name, column, table }) =>
    [kind, name, column ?? '', table?.schema ?? '', table?.name ?? ''].join(' ').trim(),
  );
}

describe('what a script destroys', () => {
  for (const [text, expected] of [
    ['DROP TABLE a, app.b CASCADE', ['table a   a', 'table app.b  app b']],
    ['DROP TABLE IF EXISTS "A b"', ['table A b   A b']],
    ['DROP MATERIALIZED VIEW m', ['table m   m']],
    ['ALTER TABLE a DROP COLUMN b, ADD c int, DROP COLUMN IF EXISTS d', ['column a b  a', 'column a d  a']],
    ['DROP SCHEMA s, t CASCADE', ['schema s', 'schema t']],
    ['TRUNCATE a, app.b', ['rows a   a', 'rows app.b  app b']],
    ['DELETE FROM a', ['rows a   a']],
    ['DELETE FROM a USING b', ['rows a   a']],
    ['DROP DATABASE d', ['database d']],
    ['DROP TYPE app.mood CASCADE', ['dependents type app.mood']],
    ['DROP EXTENSION hstore CASCADE', ['dependents extension hstore']],
    ['DROP VIEW v CASCADE', ['dependents view v']],
    ['DROP OWNED BY bob, CURRENT_USER', ['owned bob', 'owned CURRENT_USER']],
    ['DELETE FROM a WHERE true', ['rows a   a']],
    ['DELETE FROM a WHERE b > 3', ['some rows a   a']],
    ['WITH d AS (DELETE FROM app.a RETURNING 1) SELECT count(*) FROM d', ['rows app.a  app a']],
    ['WITH d AS (DELETE FROM a WHERE b RETURNING *) INSERT INTO c SELECT * FROM d', ['some rows a   a']],
    ['EXPLAIN ANALYZE DELETE FROM a', ['rows a   a']],
    ['MERGE INTO a USING b ON a.i = b.i WHEN MATCHED THEN DELETE', ['some rows a   a']],
    ['MERGE INTO a USING b ON a.i = b.i WHEN MATCHED THEN UPDATE SET i = 1', []],
    ['ALTER TABLE a ALTER COLUMN b TYPE int USING 1', ['values a b  a']],
    ['SELECT wipe(), app.wipe()', ['unknown a call of the function app.wipe', 'unknown a call of the function wipe']],
    ["SELECT setval('s', 1), pg_catalog.anything(), pg_sleep(1)", []],
    ['EXECUTE p', ['unknown a prepared statement']],
    ['CREATE FUNCTION f() RETURNS void BEGIN ATOMIC DELETE FROM a; END', []],
    ['DO $$ BEGIN DROP TABLE a; END $$', ['unknown a DO block']],
    ['CALL p()', ['unknown a procedure']],
    ['selec 1', ['unknown a script that the parser cannot read']],
    ['DROP INDEX i; DROP TYPE mood; CREATE TABLE c (); ALTER TABLE a ADD b int; INSERT INTO a VALUES (1)', []],
  ] as const) {
    it(text, async () => {
      expect(await lossesOf(text)).to.deep.equal(expected);
    });
  }
});
