import { expect } from 'chai';

import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';
import { parseDirectives } from '../../src/core/migration.ts';
import { analyze } from '../../src/engine/analyze.ts';

const parser = createSqlParser();

async function lossesOf(text: string): Promise<string[]> {
  const { losses } = await analyze({ file: '001_x.down.sql', text, checksum: '', directives: parseDirectives(text).directives }, 'down', parser);
  return losses.map(({ kind, name, column, table }) => [kind, name, column ?? '', table?.schema ?? '', table?.name ?? ''].join(' ').trim());
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
    ['DROP OWNED BY bob', ['dependents a role']],
    ['DO $$ BEGIN DROP TABLE a; END $$', ['unknown a DO block']],
    ['CALL p()', ['unknown a procedure']],
    ['selec 1', ['unknown a script that the parser cannot read']],
    ['DROP INDEX i; DROP TYPE mood; DELETE FROM a WHERE b; CREATE TABLE c (); ALTER TABLE a ADD b int; INSERT INTO a VALUES (1)', []],
  ] as const) {
    it(text, async () => {
      expect(await lossesOf(text)).to.deep.equal(expected);
    });
  }
});
