import { expect } from 'chai';
import fc from 'fast-check';

import { lineDiff } from '../../src/core/text/line-diff.ts';

const diff = (before: string, after: string): string[] =>
  lineDiff({ name: 'a', text: before }, { name: 'b', text: after });

describe('lineDiff', () => {
  it('is empty for the same lines with any line ends', () => {
    expect(diff('x\ny\n', 'x\r\ny')).to.deep.equal([]);
    expect(diff('', '')).to.deep.equal([]);
  });

  it('shows removed and added lines with two lines of context', () => {
    expect(diff('1\n2\n3\n4\n5\n6\n7', '1\n2\n3\nfour\n5\n6\n7')).to.deep.equal([
      '--- a',
      '+++ b',
      '  …',
      '  2',
      '  3',
      '- 4',
      '+ four',
      '  5',
      '  6',
      '  …',
    ]);
    expect(diff('a', 'a\nb')).to.deep.equal(['--- a', '+++ b', '  a', '+ b']);
    expect(diff('a\nb', 'b')).to.deep.equal(['--- a', '+++ b', '- a', '  b']);
  });

  it('cuts a long diff', () => {
    const lines = (text: string) => Array.from({ length: 100 }, (_, index) => `${text} ${index}`).join('\n');
    expect(diff(lines('old'), lines('new'))).to.have.length(43);
    expect(diff(lines('old'), lines('new')).at(-1)).to.equal('… 160 more lines');
  });

  it('shows texts that are too long to compare one after the other', () => {
    const lines = (text: string) => Array.from({ length: 3000 }, (_, index) => `${text} ${index}`).join('\n');
    expect(diff(lines('old'), lines('new')).slice(2, 4)).to.deep.equal(['- old 0', '- old 1']);
  });

  it('contains every line that only one text has', () => {
    const text = fc
      .array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 8 })
      .map((lines) => lines.join('\n'));
    fc.assert(
      fc.property(text, text, (before, after) => {
        const edits = diff(before, after).slice(2);
        const count = (mark: string, letter: string) => edits.filter((line) => line === `${mark} ${letter}`).length;
        const times = (lines: string, letter: string) => lines.split('\n').filter((line) => line === letter).length;
        for (const letter of 'abcd') {
          expect(count('+', letter) - count('-', letter)).to.equal(times(after, letter) - times(before, letter));
        }
      }),
    );
  });
});
