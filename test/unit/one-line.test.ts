import { expect } from 'chai';
import fc from 'fast-check';

import { cutBytes, cutMiddle, oneLine } from '../../src/core/text/one-line.ts';

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

  it('keeps whole characters within the limit for any text', () => {
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

describe('cutMiddle', () => {
  it('keeps both ends in whole characters within the limit, and states the original length, for any text', () => {
    const long = fc.string({ unit: 'binary', minLength: 1 }).map((text) => text.repeat(200));
    fc.assert(
      fc.property(long, fc.integer({ min: 100, max: 500 }), (text, max) => {
        const cut = cutMiddle(text, max);
        expect(Buffer.byteLength(cut)).to.be.at.most(max);
        if (Buffer.byteLength(text) <= max) return void expect(cut).to.equal(text);
        const [head = '', tail = ''] = cut.split(` … [cut: ${text.length} characters in all] … `);
        // A lone surrogate has no UTF-8 encoding.
        expect(text.toWellFormed().startsWith(head)).to.equal(true);
        expect(text.toWellFormed().endsWith(tail)).to.equal(true);
        expect(head.length + tail.length).to.be.greaterThan(0);
      }),
    );
  });
});

describe('oneLine', () => {
  it('has no line break, no control character, no lone surrogate, no password', () => {
    expect(oneLine("  a\r\n\tb\u0007 PASSWORD 'hunter2' \ud800 ")).to.equal("a b? PASSWORD '***' \ufffd");
  });
});
