import { expect } from 'chai';
import { EXAMPLE_SCHEMA } from '../../src/core/rules/example-schema.ts';
import { readLevels } from '../../src/core/rules/levels.ts';
import type { Rule } from '../../src/core/rules/rule.ts';
import { RULES } from '../../src/core/rules/rules.ts';
import { EVERY, findingsIn, rulesIn } from '../support/rules.ts';

/** `line:column message` of each finding. */
async function hazardsOf(text: string, file = '1_x.up.sql'): Promise<string[]> {
  return (await findingsIn([text], { file })).map(({ line, column, message }) => `${line}:${column} ${message}`);
}

const setUp = ({ before = '' }: Rule): readonly string[] => [EXAMPLE_SCHEMA, ...(before === '' ? [] : [before])];

/** Good examples that another rule finds, because it is about something else in them. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = { 'drop-cascade': ['drop-view'] };

describe('rules', () => {
  it('have one id each', () => {
    expect(new Set(RULES.map(({ id }) => id)).size).to.equal(RULES.length);
  });

  for (const rule of RULES) {
    it(`${rule.id} finds its bad example`, async () => {
      expect(await rulesIn([...setUp(rule), rule.bad], { levels: EVERY })).to.include(rule.id);
    });

    it(`${rule.id} is silent on its good example, and other rules with it`, async () => {
      for (const position of rule.good.keys()) {
        const found = await rulesIn([...setUp(rule), ...rule.good.slice(0, position + 1)]);
        const expected = EXCEPTIONS[rule.id] ?? [];
        expect(found.filter((id) => !expected.includes(id))).to.deep.equal([]);
        expect(found).not.to.include(rule.id);
      }
    });
  }

  for (const [text, expected] of [
    ['CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)', /^1:1 IF NOT EXISTS accepts an INVALID index/],
    ['SELECT 1;\nCREATE INDEX CONCURRENTLY i ON t (a)', /^2:1 .*a file of its own/],
    ['REINDEX TABLE CONCURRENTLY t; SELECT 1', /^1:1 .*a file of its own/],
    ['-- lockstep: no-transaction\nCREATE TEMP TABLE x AS SELECT 1;', /^2:1 .*temporary tables are filled again/],
    ['CREATE INDEX i ON t (a)', /^1:1 blocks writes/],
    ['CREATE TABLE u (a int); CREATE UNIQUE INDEX i ON t (a)', /^1:25 blocks writes/],
    ['CREATE TABLE other.t (a int); CREATE INDEX ON s.t (a)', /^1:31 blocks writes/],
    ['ALTER TABLE t ADD COLUMN a int NOT NULL', /^1:1 fails if the table has rows/],
    ['ALTER TABLE t ALTER COLUMN a TYPE bigint', /^1:1 .*rewrite the table/],
    ['ALTER TABLE t ALTER a SET NOT NULL', /^1:1 reads the whole table/],
    ['ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)', /^1:1 checks all rows/],
    ['ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u', /^1:1 checks all rows/],
    ['ALTER TABLE t ADD UNIQUE (a)', /^1:1 builds an index/],
    ['ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (a)', /^1:1 builds an index/],
    ['DROP TABLE IF EXISTS s.t', /^1:1 .*still use the table/],
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
    'ALTER TABLE t ADD a int, ADD b int NOT NULL DEFAULT 1',
    'ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID, ADD FOREIGN KEY (a) REFERENCES u NOT VALID',
    'ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i',
    'ALTER TABLE t VALIDATE CONSTRAINT c',
    'ALTER INDEX i RENAME TO j; ALTER TABLE t RENAME CONSTRAINT c TO d',
    "ALTER TYPE e ADD VALUE 'x'; INSERT INTO t VALUES ('y')",
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

  for (const [files, expected] of [
    // What PostgreSQL does without a rewrite or a scan.
    [['CREATE TABLE t (a varchar(9))', 'ALTER TABLE t ALTER a TYPE varchar(10)'], []],
    [['CREATE TABLE t (a varchar(9))', 'ALTER TABLE t ALTER a TYPE varchar'], []],
    [['CREATE TABLE t (a varchar(9))', 'ALTER TABLE t ALTER a TYPE text USING a::text'], []],
    [['CREATE TABLE t (a text)', 'ALTER TABLE t ALTER a TYPE varchar'], []],
    [['CREATE TABLE t (a numeric(5,2))', 'ALTER TABLE t ALTER a TYPE numeric(9,2)'], []],
    [['CREATE TABLE t (a timestamp(3))', 'ALTER TABLE t ALTER a TYPE timestamp'], []],
    [['CREATE TABLE t (a cidr)', 'ALTER TABLE t ALTER a TYPE inet'], []],
    [['ALTER TABLE t ALTER a TYPE text'], []],
    [['CREATE TABLE t (a int)', 'ALTER TABLE t ALTER a TYPE text'], ['change-column-type']],
    [['CREATE TABLE t (a varchar(9))', 'ALTER TABLE t ALTER a TYPE varchar(8)'], ['change-column-type']],
    [['CREATE TABLE t (a varchar(9))', 'ALTER TABLE t ALTER a TYPE text USING lower(a)'], ['change-column-type']],
    [['CREATE TABLE t (a varchar(9)[])', 'ALTER TABLE t ALTER a TYPE text[]'], ['change-column-type']],
    [['CREATE TABLE t (a numeric(5,2))', 'ALTER TABLE t ALTER a TYPE numeric(9,3)'], ['change-column-type']],
    [['CREATE TABLE t (a timestamp)', 'ALTER TABLE t ALTER a TYPE timestamptz'], ['change-column-type']],
    [['ALTER TABLE t ADD a timestamptz DEFAULT now()'], []],
    [['ALTER TABLE t ADD a int REFERENCES u'], []],
    [['CREATE TABLE t (a int NOT NULL)', 'ALTER TABLE t ALTER a SET NOT NULL'], []],
    [
      ['CREATE TABLE t (a int, CONSTRAINT c CHECK (a IS NOT NULL AND a > 0))', 'ALTER TABLE t ALTER a SET NOT NULL'],
      [],
    ],
    [
      [
        'CREATE TABLE t (a int)',
        'ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID',
        'ALTER TABLE t ALTER a SET NOT NULL',
      ],
      ['set-not-null'],
    ],
    [
      [
        'CREATE TABLE t (a int CONSTRAINT c CHECK (a IS NOT NULL))',
        'ALTER TABLE t DROP CONSTRAINT c',
        'ALTER TABLE t ALTER a SET NOT NULL',
      ],
      ['set-not-null'],
    ],
    [['ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT ENFORCED'], []],
    // A table of another schema is another table.
    [['CREATE TABLE s.t (a varchar)', 'ALTER TABLE u.t ALTER a TYPE int'], ['change-column-type']],
    // In a transaction nobody sees what happens between.
    [['DROP VIEW v; CREATE VIEW v AS SELECT 1'], []],
    [
      ['CREATE VIEW v AS SELECT 1', '-- lockstep: no-transaction\nDROP VIEW v; CREATE VIEW v AS SELECT 1'],
      ['drop-view'],
    ],
    [['CREATE OR REPLACE VIEW v AS SELECT 1; DROP VIEW v'], ['drop-view']],
    // Locks end with COMMIT.
    [['BEGIN; ALTER TABLE t ADD a int; COMMIT; BEGIN; UPDATE t SET a = 1 WHERE a IS NULL; COMMIT'], []],
    [['ALTER TABLE t ADD a int; INSERT INTO u VALUES (1)'], []],
    [['ALTER TABLE t ADD a int; INSERT INTO u SELECT a FROM t'], ['data-with-schema-change']],
    [['CREATE TABLE u (a int); INSERT INTO u SELECT a FROM t'], []],
    [['DROP INDEX i, j CASCADE'], ['drop-index-not-concurrent', 'drop-cascade']],
    [['REINDEX SYSTEM d'], []],
    [['REFRESH MATERIALIZED VIEW m WITH NO DATA'], []],
    [["DO 'BEGIN EXECUTE ''DROP TABLE x''; END'"], ['ddl-in-do']],
    [["DO $$ BEGIN CREATE TYPE e AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL; END $$"], []],
    [["DO $$ BEGIN -- drop table x\n /* alter table y */ RAISE NOTICE 'no create index'; END $$"], []],
    // What a new schema contains is new; IF NOT EXISTS says nothing about a schema.
    [['CREATE SCHEMA s CREATE TABLE t (a int); CREATE INDEX ON s.t (a)'], []],
    [['CREATE SCHEMA IF NOT EXISTS s; CREATE INDEX ON s.t (a)'], ['index-not-concurrent']],
    [['ALTER TABLE t ADD a int; INSERT INTO u SELECT * FROM (VALUES (1), (2)) v'], []],
    [['ALTER TABLE t ADD a int; INSERT INTO u SELECT n FROM generate_series(1, 3) n'], []],
    [['ALTER INDEX i ATTACH PARTITION j'], []],
    [['DROP TRIGGER IF EXISTS x ON t; CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()'], []],
    [
      ['CREATE TEMP TABLE x (a int); CREATE INDEX ON x (a); ALTER TABLE x ADD UNIQUE (a); TRUNCATE x; DROP TABLE x'],
      [],
    ],
    [['CREATE TABLE "My T" (a int); CREATE INDEX ON "My T" (a); ALTER TABLE public."My T" ADD UNIQUE (a)'], []],
    [
      ['CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE q PARTITION OF p DEFAULT; CREATE INDEX ON p (a)'],
      [],
    ],
    [['CREATE MATERIALIZED VIEW m AS SELECT 1 a; CREATE UNIQUE INDEX ON m (a); REFRESH MATERIALIZED VIEW m'], []],
    [['ALTER TABLE old RENAME TO older; ALTER TABLE fresh RENAME TO old'], ['rename-table']],
    [
      [
        'ALTER TABLE t DROP a, ADD b int NOT NULL, ALTER c SET NOT NULL, ADD CHECK (b > 0) NOT VALID, ALTER d TYPE text',
      ],
      ['set-not-null', 'add-required-column', 'drop-column'],
    ],
  ] as const) {
    it(`finds ${JSON.stringify(expected)} in ${JSON.stringify(files.at(-1))} after ${files.length - 1} files`, async () => {
      expect(await rulesIn(files)).to.deep.equal(expected);
    });
  }

  it('take what an earlier pending file has made for unused', async () => {
    const files = ['CREATE TABLE t (a int)', 'CREATE INDEX i ON t (a)', 'DROP INDEX i; ALTER TABLE t DROP a'];
    expect(await rulesIn(files, { pending: true })).to.deep.equal([]);
    expect(await rulesIn(files)).to.deep.equal(['drop-index-not-concurrent', 'drop-column']);
    expect(await rulesIn(files.slice(0, 2))).to.deep.equal(['index-not-concurrent']);
  });

  describe('comments that allow', () => {
    const DROPS = 'DROP TABLE t;\nDROP TABLE u;';
    const ALLOW = '-- lockstep: allow=drop-table: nobody reads it\n';
    for (const [text, expected] of [
      [`${ALLOW}${DROPS}`, []],
      [`SELECT 1;\n${ALLOW}${DROPS}`, ['4:1 drop-table']],
      [`DROP TABLE t;\n${ALLOW}DROP TABLE u;`, ['1:1 drop-table']],
      ['-- lockstep: allow=drop-table, drop-cascade: nobody reads it\nDROP TABLE t CASCADE;', []],
      ['-- lockstep: allow drop-table: nobody reads it\nDROP TABLE t;', []],
      ['-- lockstep: allow=drop-table\nDROP TABLE t;', ['1:1 allow']],
      ['-- lockstep: allow=drop-table: \nDROP TABLE t;', ['1:1 allow']],
      ['-- lockstep: allow=drop-table: nobody reads it\nSELECT 1;', ['1:1 allow']],
      ['-- lockstep: allow=style-json: old\nSELECT 1;', []],
      [`SELECT 1;\n${ALLOW}`, ['2:1 allow']],
      ["SELECT '\n-- lockstep: allow=drop-table: in a string\n'; DROP TABLE t;", ['3:4 drop-table']],
    ] as const) {
      it(`find ${JSON.stringify(expected)} in ${JSON.stringify(text)}`, async () => {
        const found = await findingsIn([text]);
        expect(found.map(({ line, column, rule }) => `${line}:${column} ${rule}`)).to.deep.equal(expected);
      });
    }

    it('name the rule that was meant', async () => {
      const [found] = await findingsIn(['-- lockstep: allow=drop-tabel: gone\nSELECT 1;']);
      expect(found).to.include({
        severity: 'warning',
        message: 'there is no rule "drop-tabel"; did you mean "drop-table"?',
      });
    });
  });

  describe('levels', () => {
    it('of a rule or a family are read', async () => {
      const { levels, problems } = readLevels('style=note, drop-table=error,truncate=off', RULES);
      expect(problems).to.deep.equal([]);
      const found = await findingsIn(['CREATE TABLE t (a json); DROP TABLE u; TRUNCATE u'], { levels });
      expect(found.map(({ rule, severity }) => `${rule} ${severity}`)).to.deep.equal([
        'style-json note',
        'drop-table error',
      ]);
    });

    it('that are wrong are reported together', () => {
      expect(readLevels('drop-tabel=off,truncate,truncate=loud', RULES).problems).to.deep.equal([
        'there is no rule "drop-tabel"; did you mean "drop-table"?',
        '"truncate" is not RULE=off|note|warning|error',
        '"truncate=loud" is not RULE=off|note|warning|error',
      ]);
    });
  });
});
