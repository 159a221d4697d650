import { expect } from 'chai';

import { printableJson, printableLine, printableLines } from '../../src/core/text/printable.ts';

/** Clear screen in 7-bit and 8-bit form, other line ends, and text direction overrides. */
const STEERING = ['\u001b[2J', '\u009b2J', '\u0007', '\u007f', '\r', '\u0085', '\u2028', '\u202e', '\u2066', '\u200f'];

describe('printable text', () => {
  for (const sign of STEERING) {
    it(`removes the terminal control ${JSON.stringify(sign)}`, () => {
      const [raw] = sign;
      for (const shown of [
        printableLine(`a${sign}b`),
        ...printableLines(`a${sign}b`),
        printableJson({ a: `a${sign}b` }),
      ]) {
        expect(shown).to.not.include(raw);
      }
      expect(JSON.parse(printableJson({ a: sign }))).to.deep.equal({ a: sign });
    });
  }

  it('is one line, or keeps the number of lines', () => {
    expect(printableLine('  a \n\n  b\r\nc')).to.equal('  a b c');
    expect(printableLines('a\n  b\r\nc')).to.deep.equal(['a', '  b', 'c']);
  });

  it('turns tabs into spaces and keeps every letter', () => {
    expect(printableLine('a\tb é 日本 👩‍👩‍👧')).to.equal('a b é 日本 👩‍👩‍👧');
  });

  it('contains no password, even when the word PASSWORD is on another line', () => {
    const text = "PASSWORD\n'hunter2'";
    expect([printableLine(text), ...printableLines(text), printableJson([text])].join()).to.not.include('hunter2');
  });

  it('is indented as JSON when asked for', () => {
    expect(printableJson({ a: 1 }, 2)).to.equal('{\n  "a": 1\n}');
  });
});
