import { expect } from 'chai';
import fc from 'fast-check';

import { cutBytes, oneLine } from '../../src/core/one-line.ts';

describe('cutBytes', () => {
  const table: [text: string, max: number, expected: string][] = [
    ['abc', 3, 'abc'],
    ['abcd', 3, '…'],
    ['abcde', 4, 'a…'],
    ['ééé', 6, 'ééé'],
    ['éééé', 6, 'é…'],
    ['💥💥', 8, '💥💥'],
    ['💥💥', 7, '💥…'],
    ['💥💥', 6, '…'],
    ['', 3, ''],
  ];
  for (const [text, max, expected] of table) {
    it(`${JSON.stringify(text)} in ${max} bytes`, () => {
      expect(cutBytes(text, max)).to.equal(expected);
    });
  }

  it('keeps whole characters and the limit, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 3, max: 100 }), (text, max) => {
        const cut = cutBytes(text, max);
        expect(Buffer.byteLength(cut)).to.be.at.most(max);
        expect(cut.isWellFormed()).to.equal(true);
        expect(cut === text || (cut.endsWith('…') && text.startsWith(cut.slice(0, -1)))).to.equal(true);
      }),
    );
  });
});

describe('oneLine', () => {
  it('has no line break, no control character, no lone surrogate, no password', () => {
    expect(oneLine("  a\r\n\tb\u0007 PASSWORD 'hunter2' \ud800 ")).to.equal("a b? PASSWORD '***' \ufffd");
  });
});
