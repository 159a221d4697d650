import { expect } from 'chai';

import { COMMAND_NAMES, COMMANDS, TOPICS, type Topic } from '../../src/cli/commands.ts';
import { helpText } from '../../src/cli/help.ts';
import { belongsTo, envOf, flagOf, negatedFlagOf, OPTION_KEYS, optionEntry } from '../../src/config/options.ts';
import { ERRORS } from '../../src/core/errors.ts';

const helpOf = (help: Topic | 'lockstep', all = false): Promise<string> => helpText({ help, all });

describe('the help', () => {
  it('of Lockstep lists every command, and with --help-all every exit code', async () => {
    const [brief, all] = await Promise.all([helpOf('lockstep'), helpOf('lockstep', true)]);
    for (const topic of TOPICS)
      expect(brief).to.match(new RegExp(`lockstep ${topic}\\b.*${COMMANDS[topic].summary}$`, 'm'));
    for (const { exit } of Object.values(ERRORS)) expect(all).to.match(new RegExp(`^ +${exit}  `, 'm'));
    for (const heading of ['Commands:', 'Examples:', 'Environment:', 'Exit codes:']) expect(brief).to.contain(heading);
  });

  for (const command of COMMAND_NAMES) {
    it(`of ${command} lists its own flags with their variables, and no others`, async () => {
      const [brief, all] = await Promise.all([helpOf(command), helpOf(command, true)]);
      for (const key of OPTION_KEYS) {
        const flag = optionEntry(key).default === 'true' ? negatedFlagOf(key) : flagOf(key);
        const own = OPTION_KEYS.filter((other) => flagOf(other) === flagOf(key) && belongsTo(other, command));
        const named = new RegExp(`^ +(?:-\\w, )?${flag} `, 'm');
        expect(named.test(all), flag).to.equal(own.length > 0);
        expect(named.test(brief), flag).to.equal(own.some((other) => optionEntry(other).rare === undefined));
        if (own.includes(key)) expect(all).to.match(new RegExp(`\\b${envOf(key)}\\b`));
      }
      expect(brief)
        .to.contain('Examples:')
        .and.not.match(/\[string\]|\[boolean\]|undefined/);
    });
  }

  it('shows the value of each flag', async () => {
    const text = await helpOf('up', true);
    for (const words of [
      '--role ROLE',
      '-d, --dir DIR',
      '--lock-wait DURATION',
      '--log-format text|json',
      '--to VERSION',
    ])
      expect(text).to.contain(` ${words} `);
  });

  it('has at most 80 columns, and at most 50 lines without --help-all', async () => {
    for (const topic of ['lockstep', ...TOPICS] as const) {
      const lines = (await helpOf(topic)).split('\n');
      expect(lines.length, topic).to.be.at.most(50);
      for (const line of [...lines, ...(await helpOf(topic, true)).split('\n')])
        expect(line.length, line).to.be.at.most(80);
    }
  });
});
