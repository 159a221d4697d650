import { expect } from 'chai';

import { COMMAND_NAMES } from '../../src/cli/commands.ts';
import { helpText } from '../../src/cli/help.ts';
import { belongsTo, flagOf, negatedFlagOf, OPTION_KEYS, optionEntry } from '../../src/config/options.ts';
import { ERRORS } from '../../src/core/errors.ts';
import type { CommandName } from '../../src/core/runner.ts';

describe('the help', () => {
  const helpOf = (topic: CommandName | 'lockstep'): Promise<string> => helpText(topic, 100);

  it('of Lockstep names every command and exit code', async () => {
    const help = await helpOf('lockstep');
    for (const command of COMMAND_NAMES) expect(help).to.match(new RegExp(`lockstep ${command}\\b`));
    for (const { exit } of Object.values(ERRORS)) expect(help).to.match(new RegExp(`^ +${exit}  `, 'm'));
    expect(help).to.contain('ENVIRONMENT').and.contain('EXIT CODES');
  });

  for (const command of COMMAND_NAMES) {
    it(`of ${command} names its own flags and no others`, async () => {
      const help = await helpOf(command);
      for (const key of OPTION_KEYS) {
        const flag = optionEntry(key).default === 'true' ? negatedFlagOf(key) : flagOf(key);
        const expected = OPTION_KEYS.some((other) => flagOf(other) === flagOf(key) && belongsTo(other, command));
        expect(new RegExp(`^ +${flag} `, 'm').test(help), flag).to.equal(expected);
      }
      expect(help)
        .to.contain('Examples:')
        .and.not.match(/\[string\]|\[boolean\]/);
    });
  }

  it('keeps to the width of the terminal', async () => {
    for (const line of (await helpOf('up')).split('\n')) expect(line.length).to.be.at.most(100);
  });
});
