import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';

const parser = createSqlParser();

/** The text of each statement, which shows wrong offsets. */
async function statementsOf(text: string): Promise<string[]> {
  const result = await parser.parse(text);
  if (!result.ok) throw new Error(result.message);
  return result.statements.map(({ start, end }) => text.slice(start, end));
}

/** The text from the position where the parse fails. */
async function failureOf(text: string): Promise<string> {
  const result = await parser.parse(text);
  if (result.ok) throw new Error('this text can be parsed');
  return text.slice(result.offset);
}

describe('the SQL parser', () => {
  it('names each statement as PostgreSQL does and keeps its fields', async () => {
    const result = await parser.parse('CREATE INDEX CONCURRENTLY i ON t (a); VACUUM');
    expect(result).to.have.nested.property('statements[0].kind', 'IndexStmt');
    expect(result).to.have.nested.property('statements[0].node.concurrent', true);
    expect(result).to.have.nested.property('statements[1].kind', 'VacuumStmt');
  });

  for (const [name, text, expected] of [
    ['one statement without a semicolon', 'select 1', ['select 1']],
    ['white space around statements', '\n\tselect 1 \r\n;\f\v select 2\n', ['select 1', 'select 2']],
    [
      'comments before statements',
      '-- a;\n/* b; /* c */ ; */ select 1; -- d\n-- e\nselect 2;',
      ['select 1', 'select 2'],
    ],
    ['a comment within a statement', 'select /* ; */ 1; select 2', ['select /* ; */ 1', 'select 2']],
    ['empty statements', ' ;; ; select 1;; select 2 ;;', ['select 1', 'select 2']],
    [
      'letters of two bytes',
      "select 'é'; -- é\nselect 'éé', 1; select 3",
      ["select 'é'", "select 'éé', 1", 'select 3'],
    ],
    ['letters of three bytes', "select '日本'; select '語'", ["select '日本'", "select '語'"]],
    ['emoji, which are two code units', "/* 😀 */ select '😀'; select '👩‍👩‍👧' ;", ["select '😀'", "select '👩‍👩‍👧'"]],
    [
      'a semicolon in a literal',
      "select ';'; select $$;$$; select E'\\';'",
      ["select ';'", 'select $$;$$', "select E'\\';'"],
    ],
    [
      'a function body',
      'create function f() returns int begin atomic select 1; select 2; end; select 3',
      ['create function f() returns int begin atomic select 1; select 2; end', 'select 3'],
    ],
    ['nothing', '', []],
    ['nothing but a comment', ' -- select 1;\n/* select 2; */', []],
    ['a no-break space, which is a letter to PostgreSQL', 'select 1 as a\u00a0', ['select 1 as a\u00a0']],
  ] as const) {
    it(`finds ${name}`, async () => {
      expect(await statementsOf(text)).to.deep.equal(expected);
    });
  }

  for (const [name, text, expected] of [
    ['at a word', 'select 1; selec 2', 'selec 2'],
    ['after letters of two bytes', "select 'éé'; selec 2", 'selec 2'],
    ['after emoji', "select '😀'; selec 2", 'selec 2'],
    ['at the end', "select 'é' from", ''],
    ['at an unterminated literal', "select 1; select 'abc", "'abc"],
    ['at an unterminated comment', 'select 1; /* abc', '/* abc'],
    ['at a backslash', "select 'é';\n\\d foo\n", '\\d foo\n'],
    ['at a NUL character', 'select 1; \0 select 2', '\0 select 2'],
  ] as const) {
    it(`reports the position of an error: ${name}`, async () => {
      expect(await failureOf(text)).to.equal(expected);
    });
  }

  it('recovers from a text that overflows its stack', async () => {
    const deep = `select ${'1+'.repeat(200_000)}1`;
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      expect(await parser.parse(deep)).to.deep.include({ ok: false, offset: 0 });
      expect(await statementsOf('select 1; select 2')).to.deep.equal(['select 1', 'select 2']);
    }
  });

  it('reports parentheses that are nested too deeply', async () => {
    expect(await parser.parse(`select ${'('.repeat(20_000)}1${')'.repeat(20_000)}`)).to.have.property('ok', false);
    expect(await statementsOf('select 1')).to.deep.equal(['select 1']);
  });

  it('parses a long text, and another after it', async () => {
    const rows = Array.from({ length: 20_000 }, (_, row) => `insert into t values (${row}, 'é')`);
    expect(await statementsOf(rows.join(';\n'))).to.deep.equal(rows);
    expect(await statementsOf('select 1')).to.deep.equal(['select 1']);
  });

  it('accepts concurrent calls', async () => {
    const texts = Array.from({ length: 8 }, (_, index) => `select ${index}`);
    const fresh = createSqlParser();
    const results = await Promise.all(texts.map((text) => fresh.parse(text)));
    expect(results.map((result) => result.ok)).to.deep.equal(texts.map(() => true));
  });

  it('fits a small container: V8 does not optimise it, which takes over 400 MB', async () => {
    const source = `
      const { createSqlParser } = await import(${JSON.stringify(new URL('../../src/adapters/sql-parser/parser.ts', import.meta.url).href)});
      const parser = createSqlParser();
      const text = 'create table t (a int primary key, b text not null default now());'.repeat(10);
      for (let i = 0; i < 1_500; i += 1) await parser.parse(text);
      console.log(process.resourceUsage().maxRSS / 1_024);`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', source]);
    expect(Number(stdout)).to.be.above(20).and.below(200);
  });
});
