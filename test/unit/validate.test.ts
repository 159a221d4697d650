import { expect } from 'chai';
import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';
import type { FileProblem } from '../../src/core/file-names.ts';
import { parseDirectives, type Migration } from '../../src/core/migration.ts';
import type { Finding } from '../../src/core/rules/finding.ts';
import { readLevels } from '../../src/core/rules/levels.ts';
import { RULES } from '../../src/core/rules/rules.ts';
import { validate, type ReviewOptions } from '../../src/engine/commands/validate.ts';

const INDEX = 'CREATE INDEX i ON t (a);';

function migration([version, up, down]: readonly [version: string, up: string, down?: string]): Migration {
  const script = (text: string, kind: string) => ({
    file: `${version}.${kind}.sql`,
    text,
    checksum: '',
    directives: parseDirectives(text).directives,
  });
  return { version, up: script(up, 'up'), ...(down !== undefined && { down: script(down, 'down') }) };
}

async function validated(
  files: readonly (readonly [version: string, up: string, down?: string])[],
  options: Partial<ReviewOptions> = {},
  problems: readonly FileProblem[] = [],
) {
  const set = { migrations: files.map(migration), remarks: [], problems };
  const source = { read: () => Promise.resolve(set), readWithProblems: () => Promise.resolve(set) };
  return await validate(source, createSqlParser(), { strict: false, ...options });
}

const short = ({ file = '', line = 0, severity, rule }: Finding): string => `${file}:${line} ${severity} ${rule}`;

describe('validate', () => {
  it('reports names, syntax, refusals and hazards at once', async () => {
    const { findings, error } = await validated(
      [
        ['1_a', 'SELEC 1'],
        ['2_b', 'DISCARD ALL'],
        ['3_c', INDEX],
      ],
      {},
      [{ file: 'x.sql', message: 'is misnamed' }],
    );
    expect(findings.map(short)).to.deep.equal([
      'x.sql:0 error file-names',
      '1_a.up.sql:1 error syntax',
      '2_b.up.sql:1 error refused',
      '3_c.up.sql:1 warning index-not-concurrent',
    ]);
    expect(error?.exit).to.equal(21);
    expect(error?.details.problems).to.deep.equal(['x.sql: is misnamed']);
    expect(error?.details.location).to.include({ file: '1_a.up.sql', line: 1 });
  });

  it('fails for warnings with strict, and never for notes', async () => {
    const note = readLevels('index-not-concurrent=note', RULES).levels;
    const wrong = readLevels('index-not-concurrent=error', RULES).levels;
    expect((await validated([['1_a', INDEX]])).error).to.equal(undefined);
    expect((await validated([['1_a', INDEX]], { strict: true })).error?.exit).to.equal(21);
    expect((await validated([['1_a', INDEX]], { strict: true, levels: note })).error).to.equal(undefined);
    expect((await validated([['1_a', INDEX]], { levels: wrong })).error?.exit).to.equal(21);
  });

  it('reports only what is newer, and knows what the newer files have made', async () => {
    const files = [
      ['1_a', `CREATE TABLE t (a int); ${INDEX}`],
      ['2_b', 'CREATE TABLE u (a int);'],
      ['3_c', 'CREATE INDEX j ON u (a); CREATE INDEX k ON t (b);', 'DROP TABLE u; CREATE INDEX l ON t (c);'],
      ['4_d', 'CREATE INDEX m ON u (b);'],
    ] as const;
    const after = await validated(files, { newerThan: '1' });
    expect(after.findings.map(({ column, ...one }) => `${short(one)} ${column}`)).to.deep.equal([
      '3_c.up.sql:1 warning index-not-concurrent 26',
      '3_c.down.sql:1 warning index-not-concurrent 15',
    ]);
    const added = await validated(files, { isNew: (file) => file === '4_d.up.sql' });
    expect(added.findings.map(short)).to.deep.equal(['4_d.up.sql:1 warning index-not-concurrent']);
  });

  it('gives findings fingerprints that depend on the statement and not on its line', async () => {
    const marks = async (text: string) =>
      (await validated([['1_a', text]])).findings.map(({ fingerprint }) => fingerprint);
    const [mark, ...others] = await marks(INDEX);
    expect(mark).to.match(/^[0-9a-f]{32}$/);
    expect(others).to.deep.equal([]);
    expect(await marks(`SELECT 1;\n\n-- moved\n${INDEX.replace(' ON', '\n  ON')}`)).to.deep.equal([mark]);
    const twice = await marks(`${INDEX}${INDEX}`);
    expect(twice[0]).to.equal(mark);
    expect(new Set(twice).size).to.equal(2);
  });
});
