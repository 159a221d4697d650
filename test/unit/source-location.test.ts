import { expect } from 'chai';
import fc from 'fast-check';

import { caretLines, locate, locateAt, offsetOfCharacter, Places } from '../../src/core/text/source-location.ts';

/** The text without the `^` mark, and the offset of the mark. */
function marked(text: string): [string, number] {
  return [text.replace('^', ''), text.indexOf('^')];
}

describe('locate', () => {
  const table: [name: string, text: string, line: number, column: number, shown: string][] = [
    ['the first character', '^SELECT 1', 1, 1, 'SELECT 1'],
    ['a later line', 'SELECT 1;\nSELECT ^x;\n', 2, 8, 'SELECT x;'],
    ['after letters of two bytes', "SELECT 'éé', ^x", 1, 14, "SELECT 'éé', x"],
    ['after emoji, which are two code units', '/* 😀😀 */ ^x', 1, 10, '/* 😀😀 */ x'],
    ['emoji on the lines before', '-- 😀\n-- é\n^x', 3, 1, 'x'],
    ['CRLF', 'a;\r\nb ^c;\r\nd;\r\n', 2, 3, 'b c;'],
    ['the end of the text', 'SELECT (^', 1, 9, 'SELECT ('],
    ['the line break itself', 'a^\nb', 1, 2, 'a'],
    ['an empty line', 'a\n^\nb', 2, 1, ''],
    ['an empty text', '^', 1, 1, ''],
  ];
  for (const [name, withMark, line, column, text] of table) {
    it(name, () => {
      const [sql, offset] = marked(withMark);
      expect(locate('1_a.up.sql', sql, offset)).to.deep.equal({ file: '1_a.up.sql', line, column, text });
    });
  }

  it('clamps an offset outside the text to its nearest end', () => {
    expect(locate('f', 'ab', 99)).to.include({ line: 1, column: 3 });
    expect(locate('f', 'ab', -1)).to.include({ line: 1, column: 1 });
  });

  it('never shows a password, even when the word PASSWORD is on the previous line', () => {
    for (const withMark of [
      "CREATE ROLE a PASSWORD 'hunter2' ^BAD",
      "CREATE ROLE a PASSWORD\n 'hunter2' ^BAD",
      "ALTER ROLE a PASSWORD 'x\nhunter2' ^BAD",
    ]) {
      expect(locate('f', ...marked(withMark)).text, withMark).to.not.include('hunter2');
    }
  });
});

describe('a long line', () => {
  const words = (count: number): string => 'SELECT é, '.repeat(count);
  for (const [before, after] of [
    [0, 30_000],
    [30_000, 0],
    [30_000, 30_000],
    [10, 10],
  ] as const) {
    it(`is cut around the place: ${before} words before it, ${after} after`, () => {
      const text = `-- first\n${words(before)}😀!HERE ${words(after)}\nlast`;
      const location = locate('f', text, text.indexOf('!HERE'));
      expect(location).to.include({ line: 2, column: before * 10 + 2 });
      expect(location.text.length).to.be.below(2_100);
      expect(location.text.includes('characters cut]')).to.equal(before + after > 1_000);
      const [shown, caret] = caretLines(location);
      expect([...shown].slice(caret.length - 1).join('')).to.match(/^!HERE/);
    });
  }
});

describe('locateAt', () => {
  for (const withMark of ['^a', 'a\n^b', "-- 😀\r\nSELECT 'é😀', ^x;\r\n", '\n\n ^é', 'a^']) {
    it(`finds the place of ${JSON.stringify(withMark)} again`, () => {
      const [text, offset] = marked(withMark);
      const location = locate('f', text, offset);
      expect(locateAt('f', text, location)).to.deep.equal(location);
    });
  }
});

describe('Places', () => {
  it('depend only on the text before them, for any order of queries', () => {
    const text = fc.array(fc.constantFrom('a', '\n', '\r\n', 'é', '😀')).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat({ max: 100 }).map((at) => at / 100)), (sql, parts) => {
        const places = new Places(sql);
        for (const part of parts) {
          // Not between the surrogates of an emoji.
          const before = Array.from(sql)
            .slice(0, Math.floor(part * Array.from(sql).length))
            .join('');
          const lines = before.split('\n');
          expect(places.at(before.length)).to.deep.equal({
            line: lines.length,
            column: Array.from(lines.at(-1)!).length + 1,
          });
        }
      }),
    );
  });
});

describe('offsetOfCharacter', () => {
  const table: [text: string, position: number, offset: number][] = [
    ['abc', 1, 0],
    ['abc', 3, 2],
    ['éé!', 3, 2],
    ['😀😀!', 3, 4],
    ['😀é日!', 4, 4],
    ['abc', 99, 3],
    ['abc', 0, 0],
  ];
  for (const [text, position, offset] of table) {
    it(`character ${position} of ${text} is at ${offset}`, () => {
      expect(offsetOfCharacter(text, position)).to.equal(offset);
    });
  }
});

describe('caretLines', () => {
  /** The text above the caret, to the end of the line. */
  function pointedAt(withMark: string): string {
    const [line, caret] = caretLines(locate('f', ...marked(withMark)));
    return Array.from(line)
      .slice(caret.length - 1)
      .join('');
  }

  for (const withMark of [
    '^abc',
    'a ^bc',
    "'éé' ^x",
    "'😀😀' ^x 😀",
    'a\tb ^c',
    `${'é'.repeat(200)} ^x`,
    "ALTER ROLE a PASSWORD 'hunter22' ^BAD",
    "ALTER ROLE a PASSWORD 'x' ^BAD",
  ]) {
    it(`points at the place in ${withMark.slice(-40)}`, () => {
      expect(pointedAt(withMark)).to.equal(withMark.slice(withMark.indexOf('^') + 1));
    });
  }

  it('cuts long lines around the place', () => {
    const [line, caret] = caretLines(locate('f', ...marked(`${'a'.repeat(1_000)}^${'b'.repeat(1_000)}`)));
    expect(line).to.match(/^a+b+$/);
    expect(line).to.have.length(160);
    expect(caret).to.equal(`${' '.repeat(line.indexOf('b'))}^`);
  });

  it('keeps a caret at the end of the line', () => {
    expect(caretLines(locate('f', 'SELECT (', 8))).to.deep.equal(['SELECT (', '        ^']);
  });
});
