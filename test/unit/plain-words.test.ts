import { expect } from 'chai';
import fc from 'fast-check';

import { parseArguments } from '../../src/cli/cli.ts';
import { COMMAND_NAMES } from '../../src/cli/commands.ts';
import { readPlainWords } from '../../src/cli/plain-words.ts';
import { flagOf, negatedFlagOf, OPTION_KEYS } from '../../src/config/options.ts';

const flag = fc.constantFrom(...OPTION_KEYS.flatMap((key) => [flagOf(key), negatedFlagOf(key)]));
const oddWord = fc.constantFrom(
  '--',
  '-',
  '',
  '=',
  '-1',
  '-.5',
  '--help',
  '-h',
  '--version',
  'up',
  '"a"',
  "'b'",
  'a"b',
  '\\',
  '--to.x',
  '--no-',
  '--NO-strict',
  '[1]',
  '{}',
  '\n',
  'true',
  'false',
  '0x10',
  '1e3',
);
const value = fc.oneof(fc.string({ unit: 'grapheme' }), fc.stringMatching(/^[\w:/@.,-]{1,12}$/), oddWord);
const word = fc.oneof(
  { weight: 4, arbitrary: flag },
  value,
  fc.tuple(flag, value).map(([name, text]) => `${name}=${text}`),
);
/** Many of these are what people write: a flag, and its value after it. */
const pair = fc.oneof(
  fc.tuple(flag, value),
  word.map((one) => [one]),
);
const commandLine = fc
  .tuple(
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...COMMAND_NAMES) }, oddWord),
    fc.array(pair, { maxLength: 4 }),
  )
  .map(([first, pairs]) => [first, ...pairs.flat()]);

describe('readPlainWords', () => {
  it('says what the parser says, or nothing', () => {
    let read = 0;
    fc.assert(
      fc.property(commandLine, (argv) => {
        const plain = readPlainWords(argv);
        if (plain === undefined) return;
        read += 1;
        expect(plain).to.deep.equal(parseArguments(argv));
      }),
      { numRuns: 1_500 },
    );
    // It must not agree by saying nothing.
    expect(read).to.be.greaterThan(150);
  });

  for (const line of [
    'up',
    'up --dir=/migrations',
    'up --dir /migrations --no-strict',
    'wait --timeout 10m',
    'up --lock-key 0x10 --json',
    'down --to-files --hold=no',
  ]) {
    it(`reads "${line}" without the parser`, () => {
      expect(readPlainWords(line.split(' '))).to.deep.equal(parseArguments(line.split(' ')));
    });
  }
});
