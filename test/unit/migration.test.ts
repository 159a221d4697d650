import { createHash } from 'node:crypto';
import { expect } from 'chai';

import { checksum, parseDirectives, parseDuration, withoutBom } from '../../src/core/migration.ts';

describe('checksum', () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

  it('is the SHA-256 of the text', () => {
    expect(checksum('SELECT 1;\n')).to.equal(sha256('SELECT 1;\n'));
  });

  it('ignores a byte order mark and CRLF', () => {
    expect(checksum('\uFEFFSELECT 1;\r\nSELECT 2;\r\n')).to.equal(checksum('SELECT 1;\nSELECT 2;\n'));
    expect(withoutBom('\uFEFFa')).to.equal('a');
  });

  it('differs for any other change', () => {
    const texts = ['a', 'a\n', 'a ', 'A', 'a\r', 'a\uFEFF', ''];
    expect(new Set(texts.map(checksum)).size).to.equal(texts.length);
  });
});

describe('parseDirectives', () => {
  const none = { noTransaction: false, irreversible: false };
  const table: [name: string, text: string, directives: object][] = [
    ['nothing', 'SELECT 1;', none],
    ['one directive', '-- lockstep: no-transaction\nVACUUM;', { ...none, noTransaction: true }],
    [
      'several directives',
      '-- lockstep: irreversible\n-- lockstep: lock-timeout=2s\n-- lockstep: statement-timeout=30min',
      { noTransaction: false, irreversible: true, lockTimeoutMs: 2000, statementTimeoutMs: 1_800_000 },
    ],
    [
      'no spaces and extra spaces',
      '--lockstep:no-transaction\n  --  LOCKSTEP : irreversible\n--lockstep:   lock-timeout = 0  ',
      { noTransaction: true, irreversible: true, lockTimeoutMs: 0 },
    ],
    ['a sentence that mentions lockstep', '-- lockstep runs this file alone', none],
    [
      'with CRLF',
      '-- lockstep: no-transaction\r\n-- lockstep: irreversible\r\n',
      { noTransaction: true, irreversible: true },
    ],
    [
      'between comments and empty lines',
      '\n-- what it does\n\n/* more\n of it */\n-- lockstep: irreversible',
      { ...none, irreversible: true },
    ],
    ['not inside a block comment', '/*\n-- lockstep: irreversible\n*/', none],
    [
      'after a block comment, on its line or below',
      '/* (c) */ -- owner: bob\n/* a\n /* nested */ -- x */ -- c\n-- lockstep: irreversible',
      { ...none, irreversible: true },
    ],
    ['not after the first statement', 'SELECT 1;\n-- lockstep: irreversible', none],
    ['not at the end of a line', 'SELECT 1; -- lockstep: irreversible', none],
    [
      'the last of two applies',
      '-- lockstep: lock-timeout=1s\n-- lockstep: lock-timeout=2s',
      { ...none, lockTimeoutMs: 2000 },
    ],
  ];
  for (const [name, text, directives] of table) {
    it(name, () => {
      expect(parseDirectives(text)).to.deep.equal({ directives, problems: [] });
    });
  }

  it('reports every invalid directive with its line', () => {
    const text =
      '-- a comment\n-- lockstep: no-transactoin\n-- lockstep: lock-timeout\n-- lockstep: lock-timeout=fast\n-- lockstep: irreversible=yes\n-- lockstep: quantum\n-- lockstep no-transaction';
    expect(parseDirectives(text).problems).to.deep.equal([
      'line 2: unknown directive "no-transactoin"; did you mean "no-transaction"?',
      'line 3: directive "lock-timeout" needs a duration such as lock-timeout=2s (ms, s, min, h)',
      'line 4: directive "lock-timeout" needs a duration such as lock-timeout=2s (ms, s, min, h)',
      'line 5: directive "irreversible" takes no value',
      'line 6: unknown directive "quantum"; valid directives: no-transaction, irreversible, lock-timeout, statement-timeout, allow',
      'line 7: write "-- lockstep: no-transaction", with a colon',
    ]);
  });

  it('shortens a long directive in the message', () => {
    expect(parseDirectives(`-- lockstep: ${'x'.repeat(10_000)}`).problems.join()).to.have.lengthOf.below(200);
  });
});

describe('parseDuration', () => {
  const table: [string, number | undefined][] = [
    ['0', 0],
    ['0s', 0],
    ['250ms', 250],
    ['1.5s', 1500],
    ['10m', 600_000],
    ['10min', 600_000],
    ['2h', 7_200_000],
    ['2147483647ms', 2_147_483_647],
    ['2147483648ms', undefined],
    ['5', undefined],
    ['5 s', undefined],
    ['-5s', undefined],
    ['5S', undefined],
    ['1e3s', undefined],
    ['', undefined],
  ];
  for (const [text, ms] of table) {
    it(`${JSON.stringify(text)} is ${ms ?? 'nothing'}`, () => {
      expect(parseDuration(text)).to.equal(ms);
    });
  }
});
