/** Conversion keeps every statement of another tool's files, or refuses by file and line. */
import { expect } from 'chai';
import fc from 'fast-check';

import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';
import { convertFiles } from '../../src/core/convert/convert.ts';
import type { NewFile, OldFile } from '../../src/core/convert/converted.ts';
import type { ConvertTool } from '../../src/core/import/foreign-history.ts';
import { fingerprints } from '../../src/core/convert/same-statements.ts';
import { MigratorError } from '../../src/core/errors.ts';
import { findMarkers } from '../../src/core/sql/markers.ts';
import { convert } from '../../src/engine/commands/convert.ts';

type Texts = Readonly<Record<string, string>>;
const parser = createSqlParser();
const old = (files: Texts): OldFile[] => Object.entries(files).map(([path, text]) => ({ path, text }));

async function written(
  tool: ConvertTool,
  files: Texts,
  existing: readonly string[] = [],
): Promise<{ files: Texts; warnings: readonly string[] }> {
  const made: NewFile[] = [];
  const ports = {
    read: () => old(files),
    existing: (names: readonly string[]) => names.filter((name) => existing.includes(name)),
    write: (all: readonly NewFile[]) => void made.push(...all),
  };
  const { warnings } = await convert(
    { tool, dryRun: false },
    { files: ports, parser, reporter: { report: () => undefined } },
  );
  return { files: Object.fromEntries(made.map(({ name, text }) => [name, text])), warnings };
}

async function problemsOf(tool: ConvertTool, files: Texts): Promise<readonly string[]> {
  const error = await written(tool, files).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(MigratorError).with.property('exit', 21);
  return (error as MigratorError).details.problems ?? [];
}

const CASES: Readonly<
  Record<string, { readonly tool: ConvertTool; readonly from: Texts; readonly to: Texts; readonly warned?: RegExp }>
> = {
  'goose: both halves, statements without semicolons, words in strings': {
    tool: 'goose',
    from: {
      '00001_a.sql': `-- what it is for
-- +goose Up
CREATE TABLE a (x text DEFAULT '-- +goose Downward');
-- +goose StatementBegin
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN RETURN 1; END $f$
-- +goose StatementEnd
-- a comment
-- +goose StatementBegin
SELECT 1; -- it has one
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION f();
DROP TABLE a;
`,
    },
    to: {
      '00001_a.up.sql': `-- what it is for
CREATE TABLE a (x text DEFAULT '-- +goose Downward');
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN RETURN 1; END $f$
;
-- a comment
SELECT 1; -- it has one
`,
      '00001_a.down.sql': 'DROP FUNCTION f();\nDROP TABLE a;\n',
    },
  },
  'goose: NO TRANSACTION applies to both halves': {
    tool: 'goose',
    from: {
      '2_b.sql':
        '-- +goose NO TRANSACTION\r\n-- +goose up\r\nCREATE INDEX CONCURRENTLY i ON a (x);\r\n-- +goose DOWN\r\nDROP INDEX CONCURRENTLY i;\r\n',
    },
    to: {
      '2_b.up.sql': '-- lockstep: no-transaction\nCREATE INDEX CONCURRENTLY i ON a (x);\n',
      '2_b.down.sql': '-- lockstep: no-transaction\nDROP INDEX CONCURRENTLY i;\n',
    },
  },
  'goose: empty halves': {
    tool: 'goose',
    from: { '3_c.sql': '-- +goose Up\n-- +goose Down\n-- nothing\n' },
    to: { '3_c.up.sql': '-- nothing is done here\n' },
    warned: /3_c\.sql: its down half is empty/,
  },
  'dbmate: transaction:false applies to its half only; the last semicolon is optional': {
    tool: 'dbmate',
    from: {
      '20240101000000_a.sql':
        '-- migrate:up transaction:false\nALTER SYSTEM SET work_mem = 1\n-- migrate:down\nALTER SYSTEM RESET work_mem\n',
    },
    to: {
      '20240101000000_a.up.sql': '-- lockstep: no-transaction\nALTER SYSTEM SET work_mem = 1\n',
      '20240101000000_a.down.sql': 'ALTER SYSTEM RESET work_mem\n',
    },
  },
  'node-pg-migrate: SQL with and without marks, and files that are already split': {
    tool: 'node-pg-migrate',
    from: {
      '1_a.sql': '-- Up Migration\nSELECT 1;\n\n-- Down Migration\nSELECT 2;',
      '2-b.sql': 'SELECT 3;',
      '3_c.up.sql': 'SELECT 4;',
      '3_c.down.sql': 'SELECT 5;',
    },
    to: {
      '1_a.up.sql': 'SELECT 1;\n',
      '1_a.down.sql': 'SELECT 2;\n',
      '2_b.up.sql': 'SELECT 3;\n',
      '3_c.up.sql': 'SELECT 4;',
      '3_c.down.sql': 'SELECT 5;',
    },
  },
  'Flyway: an undo script gets the name of its migration; a script has its own settings': {
    tool: 'flyway',
    from: {
      'V007__add users.sql': 'SELECT 1;',
      'sub/V8__b.sql': 'VACUUM;',
      'sub/V8__b.sql.conf': '# why\nexecuteInTransaction=false\n',
      'U7__remove_users.sql': 'SELECT 2;',
    },
    to: {
      '007_add_users.up.sql': 'SELECT 1;',
      '8_b.up.sql': '-- lockstep: no-transaction\nVACUUM;',
      '007_add_users.down.sql': 'SELECT 2;',
    },
  },
  'Flyway: versions with dots get new numbers in order': {
    tool: 'flyway',
    from: {
      'V1__a.sql': 'SELECT 1;',
      'V1.10__c.sql': 'SELECT 3;',
      'V1_2__b.sql': 'SELECT 2;',
      'V2.0__d.sql': 'SELECT 4;',
      'U1.2__b.sql': 'SELECT 0;',
    },
    to: {
      '001_a.up.sql': 'SELECT 1;',
      '002_b.up.sql': 'SELECT 2;',
      '002_b.down.sql': 'SELECT 0;',
      '003_c.up.sql': 'SELECT 3;',
      '004_d.up.sql': 'SELECT 4;',
    },
    warned: /are renumbered/,
  },
  'Prisma: down.sql is included': {
    tool: 'prisma',
    from: {
      'migration_lock.toml': '',
      '20240101000000_init/migration.sql': 'SELECT 1;\r\n',
      '20240101000000_init/down.sql': 'SELECT 2;',
      '0_x/migration.sql': '',
    },
    to: {
      '20240101000000_init.up.sql': 'SELECT 1;\r\n',
      '20240101000000_init.down.sql': 'SELECT 2;',
      '0_x.up.sql': '-- nothing is done here\n',
    },
  },
  'graphile-migrate: headers, messages, no-transaction': {
    tool: 'graphile-migrate',
    from: {
      'committed/000001.sql': '--! Previous: -\n--! Hash: sha1:0\n--! Message: Add users!\n\nSELECT 1;\n',
      'committed/000002-more.sql': '--! Previous: sha1:0\n--! Hash: sha1:1\n\n--! no-transaction\nVACUUM;\n',
      'current.sql': '-- Enter migration here\n',
    },
    to: {
      '000001_add_users.up.sql': '-- Message: Add users!\n\nSELECT 1;\n',
      '000002_more.up.sql': '-- lockstep: no-transaction\n-- no-transaction\nVACUUM;\n',
    },
    warned: /no down files/,
  },
};

const REFUSED: readonly (readonly [tool: ConvertTool, from: Texts, ...problems: RegExp[]])[] = [
  [
    'goose',
    { '1_a.go': 'package m', '2_b.sql': '-- +goose Up\nSELECT 1;\n-- +goose ENVSUB ON\n' },
    /^1_a\.go:1: only SQL/,
    /^2_b\.sql:3: ENVSUB/,
  ],
  [
    'goose',
    { '1_a.sql': 'SELECT 1;\n' },
    /1_a\.sql:1: statements before the first goose marker/,
    /1_a\.sql:1: no goose marker/,
  ],
  [
    'goose',
    {
      '1_a.sql':
        '-- +goose Up\n-- +goose StatementBegin\n-- +goose StatementBegin\nSELECT 1;\n-- +goose StatementEnd\n',
    },
    /:3: a StatementBegin inside/,
  ],
  [
    'goose',
    { '1_a.sql': '-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n-- +goose Down\n' },
    /:4: a StatementBegin has no/,
    /:1: a StatementBegin has no/,
  ],
  [
    'goose',
    { '1_a.sql': '-- +goose Up\n-- +goose StatementEnd\n-- +goose Up\n-- +goose Sideways' },
    /:2: a StatementEnd has no/,
    /:3: a second marker for the up half/,
    /:4: "sideways" is not a goose command/,
  ],
  ['dbmate', { '1_a.sql': '-- migrate:up env:SCHEMA\nSELECT 1;' }, /:1: the option env:SCHEMA/],
  ['dbmate', { 'a.sql': '-- migrate:up\n' }, /^a\.sql:1: its name does not start with a number/],
  [
    'flyway',
    {
      'R__views.sql': '',
      'V1__a.sql': "SELECT 1;\nSELECT '${x}', ${y};",
      'V2__b.java': '',
      'beforeMigrate.sql': '',
      'B3__b.sql': '',
      'x.sql': '',
      'U9__x.sql': '',
      'V1__a.sql.conf': 'shouldExecute=true',
    },
    /^R__views/,
    /V1__a\.sql:2: \$\{x\}/,
    /V1__a\.sql:2: \$\{y\}/,
    /V2__b\.java/,
    /beforeMigrate/,
    /B3__b/,
    /x\.sql:1: is not named/,
    /V1__a\.sql\.conf:1: shouldExecute/,
    /U9__x\.sql:1: there is no V9/,
  ],
  [
    'flyway',
    { 'a/V1__x.sql': '', 'b/V1__x.sql': '' },
    /a\/V1__x\.sql and b\/V1__x\.sql: both would become 1_x\.up\.sql/,
  ],
  [
    'prisma',
    { 'init/migration.sql': 'SELECT 1;', '1_a/other.sql': '' },
    /^init\/migration\.sql:1: /,
    /^1_a\/other\.sql:1: /,
  ],
  [
    'graphile-migrate',
    { 'committed/000001.sql': "--! Previous: -\nGRANT ALL ON SCHEMA x TO :VISITOR;\nSELECT x::TEXT, 'a:B';" },
    /:2: :VISITOR is a placeholder/,
  ],
];

describe('converting files', () => {
  for (const [name, { tool, from, to, warned }] of Object.entries(CASES)) {
    it(name, async () => {
      const { files, warnings } = await written(tool, from);
      expect(files).to.deep.equal(to);
      if (warned) expect(warnings.join('\n')).to.match(warned);
      else expect(warnings).to.deep.equal([]);
      for (const [file, text] of Object.entries(files)) expect(findMarkers(text, 'up'), file).to.deep.equal([]);
    });
  }

  for (const [tool, from, ...expected] of REFUSED) {
    it(`${tool} refuses ${Object.keys(from).join(', ')}`, async () => {
      const problems = [...(await problemsOf(tool, from))];
      for (const pattern of expected) {
        const found = problems.findIndex((problem) => pattern.test(problem));
        expect(found, `${String(pattern)} in ${problems.join('\n')}`).to.not.equal(-1);
        problems.splice(found, 1);
      }
      expect(problems).to.deep.equal([]);
    });
  }

  it('writes nothing when a file exists', async () => {
    const error = await written('prisma', { '1_a/migration.sql': '', '2_b/migration.sql': '' }, ['2_b.up.sql']).then(
      () => undefined,
      (thrown: unknown) => thrown as MigratorError,
    );
    expect(error?.details.problems).to.deep.equal(['2_b.up.sql']);
  });

  it('warns of files that the parser cannot compare', async () => {
    const { files, warnings } = await written('prisma', { '1_a/migration.sql': 'SELEC 1;' });
    expect(files).to.have.key('1_a.up.sql');
    expect(warnings.join()).to.include("can't read it");
  });

  it('treats only identical statements as the same', async () => {
    const of = async (sql: string): Promise<string> => String(fingerprints(await parser.parse(sql)));
    expect(await of('SELECT  1 ;\n-- x\nSELECT a FROM b')).to.equal(await of('SELECT 1; SELECT a FROM b;'));
    for (const other of [
      'SELECT 2; SELECT a FROM b',
      'SELECT 1',
      'SELECT a FROM b; SELECT 1',
      "SELECT '1'; SELECT a FROM b",
      'SELECT 1; SELECT a FROM c',
    ])
      expect(await of(other), other).to.not.equal(await of('SELECT 1; SELECT a FROM b'));
  });

  const statement = fc.constantFrom(
    'CREATE TABLE t (x int)',
    "INSERT INTO t VALUES ('a; -- migrate:down')",
    "SELECT E'\\'; --'",
    'DO $do$ BEGIN PERFORM 1; END $do$',
    'CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN /* ; */ RETURN 1; -- end;\nEND $$',
    'SELECT "a;b" FROM t /* ; */',
    'SELECT 1 -- ;',
    'DROP TABLE t',
  );
  const comment = fc.constantFrom('', '-- a; b', '/* -- */', '-- see the docs', '--');
  const half = fc.array(fc.tuple(comment, statement, fc.boolean()), { maxLength: 5 });

  it('keeps the statements of any two goose or dbmate halves apart', async () => {
    const asGoose = (parts: readonly (readonly [string, string, boolean])[]): string =>
      parts
        .map(
          ([before, sql, bare]) =>
            `${before}\n-- +goose StatementBegin\n${sql}\n${bare ? '' : ';\n'}-- +goose StatementEnd\n`,
        )
        .join('');
    const asDbmate = (parts: readonly (readonly [string, string, boolean])[]): string =>
      parts.map(([before, sql]) => `${before}\n${sql}\n;\n`).join('');
    const plain = (parts: readonly (readonly [string, string, boolean])[]): string =>
      parts.map(([, sql]) => `${sql}\n;`).join('\n');
    await fc.assert(
      fc.asyncProperty(half, half, async (up, down) => {
        for (const [tool, text] of [
          ['goose', `-- +goose Up\n${asGoose(up)}-- +goose Down\n${asGoose(down)}`],
          ['dbmate', `-- migrate:up\n${asDbmate(up)}-- migrate:down\n${asDbmate(down)}`],
        ] as const) {
          const { files } = await written(tool, { '1_a.sql': text });
          expect(fingerprints(await parser.parse(files['1_a.up.sql'] ?? ''))).to.deep.equal(
            fingerprints(await parser.parse(plain(up))),
          );
          expect(fingerprints(await parser.parse(files['1_a.down.sql'] ?? ''))).to.deep.equal(
            fingerprints(await parser.parse(plain(down))),
          );
        }
      }),
      { numRuns: 200 },
    );
  });

  it('converts or refuses any text, and never throws another error', () => {
    const line = fc.oneof(
      fc.constantFrom(
        '-- +goose Up',
        '-- +goose Down',
        '-- +goose StatementBegin',
        '-- +goose StatementEnd',
        '-- migrate:up',
        '-- migrate:down',
        'SELECT 1;',
        '$$',
        "'",
      ),
      fc.string({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(
        fc.array(line),
        fc.constantFrom(
          'goose' as const,
          'dbmate' as const,
          'node-pg-migrate' as const,
          'flyway' as const,
          'prisma' as const,
          'graphile-migrate' as const,
        ),
        (lines, tool) => {
          const path = tool === 'flyway' ? 'V1__a.sql' : tool === 'prisma' ? '1_a/migration.sql' : '1_a.sql';
          expect(() => convertFiles(tool, [{ path, text: lines.join('\n') }])).to.not.throw();
        },
      ),
    );
  });
});
