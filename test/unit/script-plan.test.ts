import { expect } from 'chai';
import fc from 'fast-check';
import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';
import { parseDirectives } from '../../src/core/migration.ts';
import type { ScriptAnalysis, SqlPiece, Unit } from '../../src/core/sql/script-plan.ts';
import { analyze } from '../../src/engine/apply/analyze.ts';

const parser = createSqlParser();
const NO_TRANSACTION = '-- lockstep: no-transaction\n';

function analyzed(text: string): Promise<ScriptAnalysis> {
  const { directives } = parseDirectives(text);
  return analyze({ file: '001_x.up.sql', text, checksum: '', directives }, 'up', parser);
}

/** Without the fields that other tests check. */
async function piecesOf(text: string): Promise<readonly Omit<SqlPiece, 'relations' | 'starts' | 'runsCode'>[]> {
  const pieces = await namedPiecesOf(text);
  return pieces.map(({ relations: _relations, starts: _starts, runsCode: _runsCode, ...piece }) => piece);
}

async function namedPiecesOf(text: string): Promise<readonly SqlPiece[]> {
  const { plan, problems } = await analyzed(text);
  expect(problems).to.deep.equal([]);
  if (plan.mode !== 'transaction') throw new Error('this script runs statement by statement');
  return plan.pieces;
}

async function unitsOf(text: string): Promise<readonly Unit[]> {
  const { plan, problems } = await analyzed(text);
  expect(problems).to.deep.equal([]);
  if (plan.mode !== 'statements') throw new Error('this script runs in a transaction');
  return plan.units;
}

/** `line:column message`, cut to the expected part. */
async function problemsOf(text: string): Promise<string[]> {
  const { problems } = await analyzed(text);
  return problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

describe('statements that run outside a transaction', () => {
  for (const [outside, inside] of [
    ['CREATE DATABASE d', 'CREATE SCHEMA d'],
    ['DROP DATABASE d', 'DROP SCHEMA d'],
    ['ALTER DATABASE d SET TABLESPACE t', 'ALTER DATABASE d WITH CONNECTION LIMIT 5'],
    ['ALTER DATABASE d SET TABLESPACE t', 'ALTER DATABASE d SET work_mem = 1'],
    ["CREATE TABLESPACE t LOCATION '/x'", 'ALTER TABLESPACE t SET (seq_page_cost = 2)'],
    ['DROP TABLESPACE t', 'ALTER TABLESPACE t RENAME TO u'],
    ['ALTER SYSTEM SET work_mem = 1', 'SET work_mem = 1'],
    ['VACUUM t', 'ANALYZE t'],
    ['VACUUM (FULL, ANALYZE) t', 'ANALYZE (VERBOSE) t'],
    ['CLUSTER', 'CLUSTER t USING i'],
    ['CLUSTER (VERBOSE)', 'CLUSTER t'],
    ['REINDEX SCHEMA s', 'REINDEX TABLE t'],
    ['REINDEX SYSTEM d', 'REINDEX INDEX i'],
    ['REINDEX DATABASE d', 'REINDEX (VERBOSE) INDEX i'],
    ['REINDEX TABLE CONCURRENTLY t', 'REINDEX (CONCURRENTLY false) TABLE t'],
    ['REINDEX (CONCURRENTLY) INDEX i', 'REINDEX (CONCURRENTLY OFF) INDEX i'],
    ['REINDEX (VERBOSE, CONCURRENTLY on) INDEX i', 'REINDEX (CONCURRENTLY 0) INDEX i'],
    ['REINDEX (CONCURRENTLY 1) INDEX i', 'REINDEX (CONCURRENTLY 1, CONCURRENTLY 0) INDEX i'],
    ['CREATE INDEX CONCURRENTLY i ON t (a)', 'CREATE INDEX i ON t (a)'],
    ['DROP INDEX CONCURRENTLY i', 'DROP INDEX i'],
    ['ALTER TABLE p DETACH PARTITION c CONCURRENTLY', 'ALTER TABLE p DETACH PARTITION c'],
    ['ALTER TABLE p DETACH PARTITION c CONCURRENTLY', 'ALTER TABLE p DETACH PARTITION c FINALIZE'],
    [
      "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
      "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (create_slot = false)",
    ],
    [
      "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = true)",
      "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = 'off')",
    ],
    ['ALTER SUBSCRIPTION s REFRESH PUBLICATION', 'ALTER SUBSCRIPTION s ENABLE'],
    ['ALTER SUBSCRIPTION s SET PUBLICATION p', 'ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)'],
    ['ALTER SUBSCRIPTION s ADD PUBLICATION p', 'ALTER SUBSCRIPTION s ADD PUBLICATION p WITH (refresh = 0)'],
    ['ALTER SUBSCRIPTION s DROP PUBLICATION p', "ALTER SUBSCRIPTION s DROP PUBLICATION p WITH (refresh = 'off')"],
    ['ALTER SUBSCRIPTION s SET (failover = true)', 'ALTER SUBSCRIPTION s SET (slot_name = NONE)'],
    ['DROP SUBSCRIPTION s', 'ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s'],
    ["COMMIT PREPARED 'x'", 'SAVEPOINT a; RELEASE a'],
    ["ROLLBACK PREPARED 'x'", 'SAVEPOINT a; ROLLBACK TO a'],
  ] as const) {
    it(`${outside} — and not ${inside}`, async () => {
      expect(await unitsOf(outside))
        .to.have.lengthOf(1)
        .and.to.have.nested.property('[0].transactional', false);
      expect(await piecesOf(inside)).to.have.lengthOf.above(0);
    });
  }

  for (const statement of [
    'REFRESH MATERIALIZED VIEW CONCURRENTLY v',
    "ALTER TYPE e ADD VALUE 'x'",
    'CALL p()',
    'DO $$ BEGIN END $$',
    'DISCARD TEMP',
    'CREATE INDEX i ON ONLY p (a)',
  ]) {
    it(`not ${statement}`, async () => {
      expect(await piecesOf(statement)).to.have.lengthOf(1);
    });
  }
});

describe('a script in one transaction', () => {
  it('may take any lock when it runs code', async () => {
    for (const [text, runs] of [
      ['DO $$ BEGIN END $$', true],
      ['CALL p()', true],
      ['SELECT f()', undefined],
      ['CREATE TABLE t ()', undefined],
    ] as const) {
      expect(
        (await namedPiecesOf(text)).map(({ runsCode }) => runsCode),
        text,
      ).to.deep.equal([runs]);
    }
  });

  it('is split where the need for a short lock timeout changes', async () => {
    const text =
      '-- a\nCREATE TABLE t (a int); -- b\nCREATE INDEX ON t (a);\n/* c */ INSERT INTO t VALUES (1); SELECT 1; DROP TABLE u -- d';
    expect(await piecesOf(text)).to.deep.equal([
      { sql: 'CREATE TABLE t (a int); -- b\nCREATE INDEX ON t (a)', offset: 5, blocking: true },
      { sql: 'INSERT INTO t VALUES (1); SELECT 1', offset: text.indexOf('INSERT'), blocking: false },
      { sql: 'DROP TABLE u -- d', offset: text.indexOf('DROP'), blocking: true },
    ]);
  });

  for (const [blocking, statements] of [
    [
      true,
      [
        'ALTER TABLE t ADD a int',
        'DROP VIEW v',
        'TRUNCATE t',
        'CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()',
        'ALTER TABLE t RENAME TO u',
        'REINDEX INDEX i',
        'REFRESH MATERIALIZED VIEW v',
        'LOCK t',
        'CLUSTER t',
        'COMMENT ON TABLE t IS NULL',
        'GRANT SELECT ON t TO PUBLIC',
        'CREATE TABLE c PARTITION OF p DEFAULT',
        'CREATE TABLE c (a int REFERENCES t)',
        'ALTER TABLE t VALIDATE CONSTRAINT c, ADD a int',
      ],
    ],
    [
      false,
      [
        'SELECT 1',
        'WITH d AS (DELETE FROM t RETURNING a) SELECT a FROM d',
        'VALUES (1)',
        'INSERT INTO t VALUES (1)',
        'UPDATE t SET a = 1',
        'DELETE FROM t',
        'MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE',
        "COPY t FROM '/x'",
        'CALL p()',
        'DO $$ BEGIN END $$',
        'SET a.b = 1',
        'SHOW work_mem',
        'ANALYZE t',
        'ALTER TABLE t VALIDATE CONSTRAINT c',
        'ALTER TABLE p DETACH PARTITION c FINALIZE',
        'SAVEPOINT a',
      ],
    ],
  ] as const) {
    for (const statement of statements) {
      it(`${blocking ? 'limits' : 'does not limit'} the lock wait of ${statement}`, async () => {
        expect(await piecesOf(statement)).to.deep.equal([{ sql: statement, offset: 0, blocking }]);
      });
    }
  }

  for (const own of [
    "SET lock_timeout = '1s'",
    'SET LOCAL lock_timeout TO 0',
    "SELECT pg_catalog.set_config('lock_timeout', '1s', true)",
  ]) {
    it(`does not change the lock wait after ${own}`, async () => {
      const pieces = await piecesOf(`CREATE TABLE t (); ${own}; DROP TABLE u; INSERT INTO v VALUES (1); DROP TABLE w;`);
      expect(pieces.map(({ blocking }) => blocking)).to.deep.equal([true, false]);
      expect(pieces[1]!.sql).to.match(/^SE.*DROP TABLE w$/);
    });
  }

  for (const [begin, commit] of [
    ['BEGIN', 'COMMIT'],
    ['begin work', 'end'],
    ['START TRANSACTION', 'COMMIT WORK'],
    ['BEGIN ISOLATION LEVEL READ COMMITTED', 'COMMIT AND NO CHAIN'],
  ]) {
    it(`replaces ${begin} … ${commit}`, async () => {
      const pieces = await piecesOf(
        `-- a\n${begin}; -- b\nDROP TABLE t; SAVEPOINT s; DROP TABLE u; -- c\n${commit};\n`,
      );
      expect(pieces.map(({ sql }) => sql)).to.deep.equal(['DROP TABLE t', 'SAVEPOINT s', 'DROP TABLE u']);
    });
  }

  for (const text of ['', ' \n', '-- nothing\n/* at all */', ';;', 'BEGIN; COMMIT;']) {
    it(`may have no statements: ${JSON.stringify(text)}`, async () => {
      const { plan, warnings } = await analyzed(text);
      expect(plan).to.deep.equal({ mode: 'transaction', pieces: [] });
      expect(warnings).to.deep.equal([{ line: 1, column: 1, message: 'the file contains no statements' }]);
    });
  }
});

describe('a script that runs statement by statement', () => {
  it('is one unit for each statement', async () => {
    const text =
      'CREATE TABLE t (a int);\n-- é😀\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON s.t (a); CALL p();';
    const [create, index, call] = await unitsOf(text);
    expect(create).to.include({
      index: 1,
      kind: 'CreateStmt',
      transactional: true,
      blocking: true,
      waitsForSnapshots: false,
      sessionOnly: false,
    });
    expect(index).to.deep.equal({
      sql: 'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON s.t (a)',
      offset: text.indexOf('CREATE UNIQUE'),
      index: 2,
      kind: 'IndexStmt',
      transactional: false,
      blocking: false,
      relations: [],
      starts: [text.indexOf('CREATE UNIQUE')],
      waitsForSnapshots: true,
      sessionOnly: false,
      concurrentIndexes: [
        { action: 'create', schema: 's', name: 'i', table: { schema: 's', name: 't' }, ifNotExists: true },
      ],
    });
    expect(call).to.include({ index: 3, kind: 'CallStmt', transactional: true });
  });

  for (const [statement, indexes] of [
    [
      'CREATE INDEX CONCURRENTLY "I" ON t (a)',
      [{ action: 'create', name: 'I', table: { name: 't' }, ifNotExists: false }],
    ],
    ['DROP INDEX CONCURRENTLY IF EXISTS s.i', [{ action: 'drop', schema: 's', name: 'i', ifNotExists: false }]],
    ['REINDEX INDEX CONCURRENTLY s.i', []],
    ['REINDEX TABLE CONCURRENTLY s.t', []],
    ['ALTER TABLE p DETACH PARTITION c CONCURRENTLY', []],
  ] as const) {
    it(`waits for snapshots in ${statement}`, async () => {
      const [unit] = await unitsOf(statement);
      expect(unit!.waitsForSnapshots).to.equal(true);
      expect(unit!.concurrentIndexes).to.deep.equal(indexes);
    });
  }

  for (const [statement, reindexes] of [
    ['REINDEX INDEX CONCURRENTLY s.i', { index: { schema: 's', name: 'i' } }],
    ['REINDEX (CONCURRENTLY) TABLE t', { table: { name: 't' } }],
    ['REINDEX SCHEMA CONCURRENTLY s', { schema: 's' }],
    ['REINDEX DATABASE CONCURRENTLY d', { database: true }],
  ] as const) {
    it(`finds the relation that ${statement} rebuilds`, async () => {
      expect((await unitsOf(statement))[0]).to.deep.include({ reindexes });
    });
  }

  it('ignores what a REINDEX without leftovers rebuilds', async () => {
    expect((await unitsOf('VACUUM t; REINDEX TABLE t'))[1]).to.not.have.property('reindexes');
  });

  it('with the directive, lets procedures commit', async () => {
    const units = await unitsOf(
      `${NO_TRANSACTION}CALL p(); DO $$ BEGIN COMMIT; END $$; SELECT 1; BEGIN; CALL p(); COMMIT;`,
    );
    expect(units.map(({ kind, transactional }) => [kind, transactional])).to.deep.equal([
      ['CallStmt', false],
      ['DoStmt', false],
      ['SelectStmt', true],
      ['CallStmt', true],
    ]);
  });

  it('with the directive, keeps BEGIN … COMMIT together', async () => {
    const text = `${NO_TRANSACTION}VACUUM; BEGIN; DROP TABLE t; -- a\nSAVEPOINT s; INSERT INTO u VALUES (1); COMMIT; START TRANSACTION; END; SELECT 1`;
    const units = await unitsOf(text);
    expect(
      units.map(({ sql, kind, transactional, blocking }) => ({ sql, kind, transactional, blocking })),
    ).to.deep.equal([
      { sql: 'VACUUM', kind: 'VacuumStmt', transactional: false, blocking: false },
      {
        sql: 'DROP TABLE t; -- a\nSAVEPOINT s; INSERT INTO u VALUES (1)',
        kind: 'TransactionStmt',
        transactional: true,
        blocking: true,
      },
      { sql: 'SELECT 1', kind: 'SelectStmt', transactional: true, blocking: false },
    ]);
    expect(units.map(({ index }) => index)).to.deep.equal([1, 2, 3]);
  });

  it("keeps the script's own lock timeout", async () => {
    const own = (await unitsOf("VACUUM; SET lock_timeout = '1s'; DROP TABLE t")).map(({ ownLockTimeout, blocking }) => [
      ownLockTimeout,
      blocking,
    ]);
    expect(own).to.deep.equal([
      [undefined, false],
      [true, false],
      [true, false],
    ]);
    const local = await unitsOf(
      `${NO_TRANSACTION}BEGIN; SET LOCAL lock_timeout = 0; DROP TABLE t; COMMIT; DROP TABLE u`,
    );
    expect(local.map(({ ownLockTimeout, blocking }) => [ownLockTimeout, blocking])).to.deep.equal([
      [true, false],
      [undefined, true],
    ]);
  });

  for (const [sessionOnly, statements] of [
    [
      true,
      [
        'SET a.b = 1',
        'RESET ALL',
        'SET ROLE x',
        'CREATE TEMP TABLE x (a int)',
        'CREATE TABLE pg_temp.x (a int)',
        'CREATE TEMP TABLE x AS SELECT 1',
        'SELECT 1 INTO TEMP x',
        'CREATE TEMP VIEW v AS SELECT 1',
        'CREATE TEMP SEQUENCE s',
        'PREPARE p AS SELECT 1',
        'DEALLOCATE p',
        'LISTEN a',
        'UNLISTEN *',
        'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
        "LOAD 'x'",
        "SELECT set_config('a.b', 'c', false)",
        "SELECT pg_catalog.set_config('search_path', '', false)",
        'DISCARD TEMP',
        'CREATE TEMP TABLE x (a int); INSERT INTO x SELECT a FROM t; CREATE INDEX ON x (a); ANALYZE x; TRUNCATE x; DROP TABLE x',
      ],
    ],
    [
      false,
      [
        'CREATE TABLE x (a int)',
        'SELECT 1',
        'INSERT INTO x VALUES (1)',
        'SET LOCAL a.b = 1',
        "SELECT set_config('a.b', 'c', true)",
        "SELECT set_config('a.b', 'c', false), f()",
        "SELECT set_config('a.b', f(), false)",
        'DECLARE c CURSOR FOR SELECT 1',
        'DROP TABLE x',
        'EXECUTE p',
      ],
    ],
  ] as const) {
    for (const statement of statements) {
      it(`${sessionOnly ? 'repeats' : 'does not repeat'} when resumed: ${statement}`, async () => {
        const units = await unitsOf(`VACUUM; ${statement}`);
        expect(units.slice(1).map((unit) => unit.sessionOnly))
          .to.include(sessionOnly)
          .and.not.include(!sessionOnly);
      });
    }
  }

  it('does not repeat statements that move rows into a temporary table, or that follow its DROP', async () => {
    const units = await unitsOf(
      'VACUUM; CREATE TEMP TABLE x (a int); WITH d AS (DELETE FROM t RETURNING a) INSERT INTO x SELECT a FROM d; DROP TABLE x; INSERT INTO x VALUES (1)',
    );
    expect(units.map(({ sessionOnly }) => sessionOnly)).to.deep.equal([false, true, false, true, false]);
  });

  for (const statement of [
    'LOCK t',
    'SET LOCAL work_mem = 1',
    'SET CONSTRAINTS ALL DEFERRED',
    'DECLARE c CURSOR FOR SELECT 1',
    'SET TRANSACTION READ ONLY',
  ]) {
    it(`warns that nothing remains of ${statement}`, async () => {
      const { warnings } = await analyzed(`${NO_TRANSACTION}SELECT 1;\n  ${statement}`);
      expect(warnings.map(({ line, column }) => [line, column])).to.deep.equal([[3, 3]]);
      expect((await analyzed(`${NO_TRANSACTION}BEGIN; ${statement}; SELECT 1; COMMIT`)).warnings).to.deep.equal([]);
    });
  }
});

describe('BEGIN … COMMIT beside other statements', () => {
  const CASES: Readonly<
    Record<string, { readonly text: string; readonly parts: readonly string[]; readonly warned?: RegExp }>
  > = {
    'statements before a BEGIN join its transaction': {
      text: 'SELECT 1; BEGIN; SELECT 2; COMMIT; SELECT 3;',
      parts: ['SELECT 1; SELECT 2', 'SELECT 3'],
      warned: /^1:11 .* 2 transactions/,
    },
    'two blocks and nothing else': {
      text: 'BEGIN; SELECT 1; COMMIT;\nBEGIN; SELECT 2; END',
      parts: ['SELECT 1', 'SELECT 2'],
    },
    'statements only before a BEGIN': {
      text: 'SELECT 1;\nBEGIN;\nSELECT 2;\nCOMMIT;',
      parts: ['SELECT 1; SELECT 2'],
      warned: /^2:1 .* one transaction, /,
    },
    'empty blocks are ignored': {
      text: 'BEGIN; COMMIT; SELECT 1; BEGIN; COMMIT; BEGIN; COMMIT; SELECT 2',
      parts: ['SELECT 1', 'SELECT 2'],
    },
    'savepoints at any position': {
      text: 'SELECT 1; SAVEPOINT a; RELEASE a; BEGIN; SAVEPOINT b; ROLLBACK TO b; COMMIT; SELECT 2',
      parts: ['SELECT 1; SAVEPOINT a; RELEASE a; SAVEPOINT b; ROLLBACK TO b', 'SELECT 2'],
    },
    'keywords in strings are ignored': {
      text: "SELECT 'COMMIT;'; BEGIN; SELECT $$BEGIN;$$; COMMIT; /* COMMIT; */ SELECT 3",
      parts: ["SELECT 'COMMIT;'; SELECT $$BEGIN;$$", 'SELECT 3'],
    },
  };
  const squeezed = (sql: string): string =>
    sql
      .split(';')
      .map((one) => one.trim())
      .filter((one) => one !== '')
      .join('; ');

  for (const [name, { text, parts, warned }] of Object.entries(CASES)) {
    it(name, async () => {
      const { plan, problems, warnings } = await analyzed(text);
      expect(problems).to.deep.equal([]);
      const pieces = plan.mode === 'statements' ? plan.units : plan.pieces;
      expect(plan.mode).to.equal(parts.length > 1 ? 'statements' : 'transaction');
      const quoted = (sql: string): string =>
        sql.replaceAll(/'[^']*'|\$\$.*?\$\$/g, (literal) => literal.replaceAll(';', '_'));
      expect(pieces.map(({ sql }) => squeezed(quoted(sql)))).to.deep.equal(parts.map((part) => squeezed(quoted(part))));
      for (const { sql, offset } of pieces) expect(sql).to.have.length(text.slice(offset, offset + sql.length).length);
      if (plan.mode === 'statements') expect(plan.units.every(({ transactional }) => transactional)).to.equal(true);
      expect(warnings).to.have.length(1);
      if (warned) expect(`${warnings[0]?.line}:${warnings[0]?.column} ${warnings[0]?.message}`).to.match(warned);
    });
  }

  it('repeats the session statements of a part separately', async () => {
    const [first, second] = await unitsOf(
      'SET search_path = a; CREATE TABLE t (x int); BEGIN; CREATE TEMP TABLE u (y int); COMMIT; CREATE TABLE v (z int)',
    );
    expect(squeezed(first?.again?.sql ?? '')).to.equal('SET search_path = a; CREATE TEMP TABLE u (y int)');
    expect(first?.again).to.include({ index: 1, whole: first?.sql, transactional: true, sessionOnly: false });
    expect(second).to.not.have.property('again');
  });

  it('stays unchanged with the directive, and when it is the whole file', async () => {
    expect(await unitsOf(`${NO_TRANSACTION}SELECT 1; BEGIN; SELECT 2; COMMIT`)).to.have.length(2);
    const { plan, warnings } = await analyzed('BEGIN; SELECT 1; SELECT 2; COMMIT;');
    expect([plan.mode, warnings.length]).to.deep.equal(['transaction', 0]);
  });
});

describe('refused statements', () => {
  for (const [text, ...expected] of [
    ['SELECT 1;\n\\d t\n\\echo é\nSELECT 2;', /^2:1 \\d is a psql command/, /^3:1 \\echo/],
    [
      "SELECT 'é😀' \\gexec\nSELECT pg_advisory_unlock(1);",
      /^1:13 \\gexec is a psql command/,
      /^2:1 pg_advisory_unlock/,
    ],
    ['\\connect d', /^1:1 \\connect/],
    ['SELECT\0 1; DISCARD ALL; \0', /^1:7 a NUL character/, /^1:12 DISCARD/],
    ['\\restrict', /^1:1 \\restrict is/],
    ['COPY t FROM STDIN', /^1:1 COPY from STDIN/],
    ['COPY t TO STDOUT;', /^1:1 COPY/],
    [
      "COPY t FROM stdin;\n1\tit's; é\n\\N\t2\n\\.\n\nCOPY u (a, b) FROM stdin WITH (FORMAT csv);\n1;2\n\\.\nDISCARD ALL;",
      /^1:1 COPY/,
      /^6:1 COPY/,
      /^9:1 DISCARD ALL/,
    ],
    ['COPY t FROM stdin;\nSELECT 1\n\\.\n\\q', /^1:1 COPY/, /^4:1 \\q/],
    ['COPY t FROM stdin;\n1\t2\n', /^1:1 COPY/],
    ['DISCARD ALL', /^1:1 DISCARD ALL/],
    ['SELECT 1;\n  WITH a AS (SELECT pg_catalog.pg_advisory_unlock_all()) SELECT * FROM a', /^2:3 pg_advisory_unlock/],
    ['UPDATE t SET a = 1 WHERE pg_advisory_unlock_shared(5)', /^1:1 pg_advisory_unlock/],
    ["PREPARE TRANSACTION 'x'", /^1:1 PREPARE TRANSACTION/],
    ['CREATE INDEX CONCURRENTLY ON t (a)', /^1:1 a concurrent index needs a name/],
    ['SELECT 1; COMMIT; SELECT 2', /^1:11 .*-- lockstep: no-transaction/],
    ['BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; ROLLBACK', /^1:43 .*changes nothing/],
    ['BEGIN; SELECT 1; COMMIT;\nSELECT 2;\nCOMMIT', /^3:1 .*no BEGIN/],
    ['BEGIN; BEGIN; SELECT 1; COMMIT; COMMIT', /^1:8 .*inside another/, /^1:33 .*no BEGIN/],
    ['SELECT 1; ROLLBACK', /^1:11 .*no BEGIN/],
    ['BEGIN; SELECT 1; COMMIT; VACUUM', /^1:1 .*no-transaction/, /^1:18 .*no-transaction/],
    ['BEGIN; SELECT 1; COMMIT AND CHAIN', /^1:18 .*COMMIT AND CHAIN/],
    ['BEGIN; SELECT 1', /^1:1 /],
    ['SELECT 1; BEGIN; SELECT 2', /^1:11 .*no COMMIT/],
    [
      'BEGIN; VACUUM; CREATE INDEX CONCURRENTLY i ON t (a); COMMIT',
      /^1:8 .*can't run in a transaction block/,
      /^1:16 /,
    ],
    ['BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT', /^1:1 .*read committed/],
    ['SET TRANSACTION ISOLATION LEVEL REPEATABLE READ', /^1:1 .*read committed/],
    ['VACUUM; SAVEPOINT a', /^1:9 .*savepoint/],
    [`${NO_TRANSACTION}BEGIN; SELECT 1; ROLLBACK`, /^2:18 .*changes nothing/],
    [`${NO_TRANSACTION}SELECT 1; BEGIN; SELECT 2`, /^2:11 .*no COMMIT/],
    [`${NO_TRANSACTION}BEGIN; VACUUM; BEGIN; COMMIT`, /^2:8 .*can't run/, /^2:16 .*inside another/],
    [`${NO_TRANSACTION}COMMIT; ROLLBACK; SAVEPOINT a`, /^2:1 .*no BEGIN/, /^2:9 .*no BEGIN/, /^2:19 .*savepoint/],
    [`${NO_TRANSACTION}BEGIN; SELECT 1; COMMIT AND CHAIN`, /^2:18 .*COMMIT AND CHAIN/],
  ] as const) {
    it(JSON.stringify(text), async () => {
      const problems = await problemsOf(text);
      expect(problems, problems.join('\n')).to.have.lengthOf(expected.length);
      expected.forEach((pattern, index) => expect(problems[index]).to.match(pattern));
    });
  }

  it('do not include statements in a function body', async () => {
    expect(await problemsOf('CREATE FUNCTION f() RETURNS bool RETURN pg_advisory_unlock(1)')).to.deep.equal([]);
  });

  it('are found after many COPY blocks', async () => {
    const copies = Array.from(
      { length: 10 },
      (_, table) => `COPY t${table} FROM stdin;\n${'x\ty;z\n'.repeat(50)}\\.\n`,
    );
    expect(await problemsOf(copies.join(''))).to.have.lengthOf(10);
  });
});

describe("pg_dump's \\restrict lines", () => {
  it('are not sent', async () => {
    const text = "-- PostgreSQL database dump\n\n\\restrict aB3\n\nSELECT 'é';\n\n\\unrestrict aB3\r\n";
    expect(await piecesOf(text)).to.deep.equal([
      { sql: "SELECT 'é'", offset: text.indexOf('SELECT'), blocking: false },
    ]);
  });

  it('are not sent between statements', async () => {
    const [piece] = await piecesOf('\\restrict a\nSELECT 1;\n\\unrestrict a\n\\restrict b\nSELECT 2;\n\\unrestrict b');
    expect(piece!.sql).to.match(/^SELECT 1;\s+SELECT 2$/);
  });

  it('are kept in a literal', async () => {
    const text = "SELECT '\n\\restrict a\n'";
    expect((await piecesOf(text))[0]!.sql).to.equal(text);
  });

  it('are not sent with a text too large for the parser', async () => {
    const text = `-- dump\n\\restrict a\nSELECT '${'é'.repeat(1_000_000)}';\n\\unrestrict a\n`;
    const { plan, warnings, syntaxError } = await analyzed(text);
    const sql = text.replace('\\restrict a', ' '.repeat(11)).replace('\\unrestrict a', ' '.repeat(13));
    expect(plan).to.deep.equal({
      mode: 'transaction',
      pieces: [{ sql, offset: 0, blocking: true, relations: [], unread: {} }],
    });
    expect(warnings).to.have.nested.property('[0].message').that.matches(/1 MB/);
    expect(syntaxError).to.equal(undefined);
  });
});

describe('a script that the parser cannot read', () => {
  it('is sent whole, with a warning', async () => {
    const text = "SELECT 'é';\nSELECT system_user AS é FROM é.😀 GRUOP BY 1;\nVACUUM;";
    const { plan, warnings, syntaxError, problems } = await analyzed(text);
    expect(plan).to.deep.equal({
      mode: 'transaction',
      pieces: [{ sql: text, offset: 0, blocking: true, relations: [], unread: { at: text.indexOf('BY') } }],
    });
    expect(syntaxError).to.deep.equal({ line: 2, column: 40, message: 'syntax error at or near "BY"' });
    expect(warnings)
      .to.have.lengthOf(1)
      .and.to.have.nested.property('[0].message')
      .that.matches(/syntax error.*one transaction$/);
    expect(problems).to.deep.equal([]);
  });

  it('causes a warning when its directive cannot be followed', async () => {
    expect((await analyzed(`${NO_TRANSACTION}SELEC 1`)).warnings[0]!.message).to.match(
      /despite its no-transaction directive$/,
    );
  });

  it('is quoted briefly and without passwords', async () => {
    const long = (await analyzed(`SELECT '${'x'.repeat(10_000)}\n`)).syntaxError!;
    expect(long.message).to.have.lengthOf.below(250);
    for (const text of [
      ...[
        "ALTER ROLE r PASSWORD 'hunter2",
        "ALTER ROLE r PASSWORD 'hunter2\n'; SELEC",
        "ALTER ROLE r PASSWORD '' 'hunter2'",
      ],
      // A psql command consumes the line with the word PASSWORD; a backslash in a string may look like one.
      ...[
        "\\echo ALTER ROLE r PASSWORD\n'hunter2'",
        "SELECT 1 \\gexec ALTER ROLE r PASSWORD ''\n'hunter2'",
        "' ALTER ROLE r PASSWORD E'a\\'hunter2';",
      ],
    ]) {
      const { problems, syntaxError, warnings } = await analyzed(text);
      const said = JSON.stringify([problems, syntaxError, warnings]);
      expect(said, text).to.match(/syntax error|psql|unterminated/);
      expect(said, text).to.not.contain('hunter2');
    }
  });

  it('is quoted around the error when no password precedes it', async () => {
    expect((await analyzed("SELEC 1; ALTER ROLE r PASSWORD 'x'")).syntaxError!.message).to.equal(
      'syntax error at or near "SELEC"',
    );
  });

  it('is sent whole when it overflows the parser', async () => {
    const text = `SELECT ${'1+'.repeat(200_000)}1`;
    expect((await analyzed(text)).plan).to.deep.equal({
      mode: 'transaction',
      pieces: [{ sql: text, offset: 0, blocking: true, relations: [], unread: { at: 0 } }],
    });
  });
});

describe('every statement', () => {
  const inTransaction = [
    "INSERT INTO t VALUES ('é;--')",
    'CREATE TABLE "😀" (a int)',
    'SELECT $$;\n/*$$',
    'DO $x$ BEGIN; END $x$',
    "SET x.y = '日本'",
    'DROP TABLE t, u',
    'TRUNCATE t',
    "SELECT E'\\'; é'",
  ];
  const alone = ['VACUUM', 'CREATE INDEX CONCURRENTLY "é" ON t (a)', 'DROP INDEX CONCURRENTLY i'];
  const blank = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
  const comment = fc.constantFrom('', '', '-- é; 😀\n', '/* ; /* 😀 */ -- */', "--'\n", '/*$$*/');
  const gap = fc.tuple(blank, comment, blank).map((parts) => parts.join(''));

  /** Statements and the script built from them. */
  const script = (statement: fc.Arbitrary<string>): fc.Arbitrary<{ statements: string[]; text: string }> =>
    fc.array(fc.record({ before: gap, statement, after: gap }), { minLength: 1, maxLength: 6 }).map((parts) => ({
      statements: parts.map((part) => part.statement),
      text: parts.map(({ before, statement: sql, after }) => `${before}${sql}${after};`).join(''),
    }));

  /** The position of each statement, in order. */
  function offsetsIn(text: string, statements: readonly string[]): number[] {
    let from = 0;
    return statements.map((statement) => {
      const offset = text.indexOf(statement, from);
      from = offset + statement.length;
      return offset;
    });
  }

  it('is in exactly one piece, unchanged and at its offset', async () => {
    await fc.assert(
      fc.asyncProperty(script(fc.constantFrom(...inTransaction)), async ({ statements, text }) => {
        const pieces = await piecesOf(text);
        for (const { sql, offset } of pieces) expect(sql).to.equal(text.slice(offset, offset + sql.length));
        offsetsIn(text, statements).forEach((offset, index) => {
          const end = offset + statements[index]!.length;
          expect(
            pieces.filter((piece) => piece.offset <= offset && end <= piece.offset + piece.sql.length),
          ).to.have.lengthOf(1);
        });
        // Sent as `sql \n;`, the pieces parse to the same statements.
        const again = await parser.parse(pieces.map(({ sql }) => `${sql}\n;\n`).join(''));
        expect(again.ok && again.statements).to.have.lengthOf(statements.length);
      }),
    );
  });

  it('is a separate unit, unchanged and at its offset', async () => {
    await fc.assert(
      fc.asyncProperty(script(fc.constantFrom(...alone)), async ({ statements, text }) => {
        const units = await unitsOf(text);
        expect(units.map(({ offset }) => offset)).to.deep.equal(offsetsIn(text, statements));
        units.forEach(({ sql, offset }, index) => {
          expect(sql).to.equal(text.slice(offset, offset + sql.length));
          expect(sql.startsWith(statements[index]!)).to.equal(true);
        });
        expect(units.map(({ index }) => index)).to.deep.equal(statements.map((_, index) => index + 1));
      }),
    );
  });
});

describe('the relations of a blocking piece', () => {
  for (const [text, relations] of [
    [
      'ALTER TABLE s.t ADD FOREIGN KEY (a) REFERENCES u; ALTER TABLE s.t ADD b int',
      [{ schema: 's', name: 't' }, { name: 'u' }],
    ],
    ['DROP TABLE t, s.u', [{ name: 't' }, { schema: 's', name: 'u' }]],
    ['CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()', [{ name: 't' }]],
    ['INSERT INTO t SELECT * FROM u', []],
  ] as const) {
    it(text, async () => {
      const pieces = await namedPiecesOf(text);
      expect(pieces.flatMap((piece) => piece.relations)).to.have.deep.members(relations);
    });
  }
});

it('a piece records the offsets of its statements', async () => {
  const text = '/* é */ CREATE TABLE t (a int); -- b\nCREATE INDEX ON t (a);';
  const [piece] = await namedPiecesOf(text);
  expect(piece?.starts).to.deep.equal([text.indexOf('CREATE TABLE'), text.indexOf('CREATE INDEX')]);
});
