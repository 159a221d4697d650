import { expect } from 'chai';
import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';
import { parseDirectives } from '../../src/core/migration.ts';
import { analyze } from '../../src/engine/apply/analyze.ts';

const parser = createSqlParser();

/** `line:column message` of each hazard. */
async function hazardsOf(text: string, file = '001_x.up.sql'): Promise<string[]> {
  const { hazards } = await analyze(
    { file, text, checksum: '', directives: parseDirectives(text).directives },
    file.endsWith('.down.sql') ? 'down' : 'up',
    parser,
  );
  return hazards.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

describe('hazards', () => {
  for (const [text, expected] of [
    ['CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)', /^1:1 IF NOT EXISTS accepts an INVALID index/],
    ['SELECT 1;\nCREATE INDEX CONCURRENTLY i ON t (a)', /^2:1 .*a file of its own/],
    ['REINDEX TABLE CONCURRENTLY t; SELECT 1', /^1:1 .*a file of its own/],
    ['-- lockstep: no-transaction\nCREATE TEMP TABLE x AS SELECT 1;', /^2:1 .*temporary tables are filled again/],
    ['CREATE INDEX i ON t (a)', /^1:1 blocks writes/],
    ['CREATE TABLE u (a int); CREATE UNIQUE INDEX i ON t (a)', /^1:25 blocks writes/],
    ['CREATE TABLE other.t (a int); CREATE INDEX ON s.t (a)', /^1:31 blocks writes/],
    ['ALTER TABLE t ADD COLUMN a int NOT NULL', /^1:1 fails if the table has rows/],
    ['ALTER TABLE t ADD a int PRIMARY KEY', /^1:1 fails if the table has rows/],
    ['ALTER TABLE t ALTER COLUMN a TYPE bigint', /^1:1 .*rewrite the table/],
    ['ALTER TABLE t ALTER a SET NOT NULL', /^1:1 reads the whole table/],
    ['ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)', /^1:1 checks all rows/],
    ['ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u', /^1:1 checks all rows/],
    ['ALTER TABLE t ADD UNIQUE (a)', /^1:1 builds an index/],
    ['ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (a)', /^1:1 builds an index/],
    ['DROP TABLE IF EXISTS s.t CASCADE', /^1:1 .*still use the table/],
    ['CREATE TABLE t (); DROP TABLE t, u', /^1:20 .*still use the table/],
    ['ALTER TABLE t DROP COLUMN a', /^1:1 .*still use the column/],
    ['ALTER TABLE t RENAME TO u', /^1:1 .*old name/],
    ['ALTER TABLE t RENAME a TO b', /^1:1 .*old name/],
    ["SELECT 1;\n  ALTER TYPE s.e ADD VALUE 'é';\nINSERT INTO t VALUES ('é')", /^2:3 .*55P04/],
    ["ALTER TYPE e ADD VALUE 'x'; ALTER TABLE t ALTER a SET DEFAULT 'x'", /^1:1 .*55P04/],
    ['VACUUM FULL t', /^1:1 rewrites the table/],
    ['VACUUM (FULL, VERBOSE)', /^1:1 rewrites the table/],
    ['CLUSTER t USING i', /^1:1 rewrites the table/],
    ['CLUSTER', /^1:1 rewrites the table/],
  ] as const) {
    it(`reports ${JSON.stringify(text)}`, async () => {
      const hazards = await hazardsOf(text);
      expect(hazards, hazards.join('\n')).to.have.lengthOf(1);
      expect(hazards[0]).to.match(expected);
    });
  }

  for (const text of [
    'CREATE INDEX CONCURRENTLY i ON t (a)',
    "SET lock_timeout = '1h'; CREATE INDEX CONCURRENTLY i ON t (a)",
    'DROP INDEX CONCURRENTLY IF EXISTS i',
    'CREATE INDEX i ON ONLY p (a)',
    'CREATE TABLE t (a int); CREATE INDEX ON t (a); ALTER TABLE t ADD b int NOT NULL, ADD UNIQUE (a), ADD CHECK (a > 0), ALTER a SET NOT NULL, ALTER a TYPE text, DROP a',
    'CREATE TABLE s.t (a int); CREATE INDEX ON t (a)',
    'CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t RENAME a TO b; CLUSTER t; DROP TABLE t',
    'SELECT 1 AS a INTO t; CREATE INDEX ON t (a)',
    'ALTER TABLE t ADD a int, ADD b int NOT NULL DEFAULT 1, ADD c serial NOT NULL, ADD d int GENERATED ALWAYS AS IDENTITY NOT NULL',
    'ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID, ADD FOREIGN KEY (a) REFERENCES u NOT VALID',
    'ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i',
    'ALTER TABLE t VALIDATE CONSTRAINT c',
    'DROP VIEW v; DROP INDEX i; ALTER INDEX i RENAME TO j; ALTER TABLE t RENAME CONSTRAINT c TO d',
    "ALTER TYPE e ADD VALUE 'x'; INSERT INTO t VALUES ('y')",
    "ALTER TYPE e RENAME VALUE 'x' TO 'y'; INSERT INTO t VALUES ('y')",
    "INSERT INTO t VALUES ('x'); ALTER TYPE e ADD VALUE 'x'",
    "CREATE TYPE e AS ENUM (); ALTER TYPE e ADD VALUE 'x'; CREATE TABLE t (a e DEFAULT 'x')",
    "-- lockstep: no-transaction\nALTER TYPE e ADD VALUE 'x'; INSERT INTO t VALUES ('x')",
    'VACUUM t; ANALYZE',
    'VACUUM (FULL false) t',
    'CREATE TEMP TABLE t AS SELECT 1',
  ]) {
    it(`does not report ${JSON.stringify(text)}`, async () => {
      expect(await hazardsOf(text)).to.deep.equal([]);
    });
  }

  it('finds several in one statement', async () => {
    expect(await hazardsOf('ALTER TABLE t ALTER a SET NOT NULL, DROP b, ADD UNIQUE (c)')).to.have.lengthOf(3);
  });

  it('accepts drops and renames in a down script', async () => {
    const text = 'DROP TABLE t; ALTER TABLE u DROP a; ALTER TABLE u RENAME TO v; CREATE INDEX ON u (a)';
    expect(await hazardsOf(text, '001_x.down.sql')).to.have.lengthOf(1);
    expect(await hazardsOf(text)).to.have.lengthOf(4);
  });

  it('are found in a script of very many statements in linear time', async () => {
    // Quadratic time would take minutes.
    const hazards = await hazardsOf('DROP TABLE t;CREATE INDEX CONCURRENTLY i ON t (a);'.repeat(10_000));
    expect(hazards).to.have.lengthOf(20_000);
    expect(hazards.at(-1)).to.match(/^1:499964 .*a file of its own/);
  });

  it('handles a very deep expression', async () => {
    expect(await hazardsOf(`ALTER TYPE e ADD VALUE 'x'; SELECT ${'1+'.repeat(3_000)}1`)).to.deep.equal([]);
  });
});
