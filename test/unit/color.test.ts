import { expect } from 'chai';

import { usesColor } from '../../src/config/color.ts';

describe('usesColor', () => {
  const cases: readonly [Parameters<typeof usesColor>, boolean][] = [
    [['auto', {}, true], true],
    [['auto', {}, false], false],
    [['auto', { NO_COLOR: '1' }, true], false],
    [['auto', { NO_COLOR: '' }, true], true],
    [['auto', { TERM: 'dumb' }, true], false],
    [['auto', { FORCE_COLOR: '1' }, false], true],
    [['auto', { FORCE_COLOR: '0' }, true], false],
    [['auto', { FORCE_COLOR: '1', NO_COLOR: '1' }, false], true],
    [['always', { NO_COLOR: '1' }, false], true],
    [['never', { FORCE_COLOR: '1' }, true], false],
  ];
  for (const [[choice, env, terminal], expected] of cases) {
    it(`${choice}, ${JSON.stringify(env)}, ${terminal ? 'on a terminal' : 'elsewhere'}: ${expected}`, () => {
      expect(usesColor(choice, env, terminal)).to.equal(expected);
    });
  }
});
