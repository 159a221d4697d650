import { expect } from 'chai';
import fc from 'fast-check';

import { parseArguments, readWords } from '../../src/cli/arguments.ts';
import { COMMAND_NAMES } from '../../src/cli/commands.ts';
import { MigratorError } from '../../src/core/errors.ts';
import {
  belongsTo,
  flagOf,
  negatedFlagOf,
  OPTION_KEYS,
  optionEntry,
  type OptionKey,
  type RawOptions,
} from '../../src/config/options.ts';
import { VERSION } from '../../src/core/version.ts';

function read(line: string): unknown {
  return parseArguments(line.split(' ').filter((word) => word !== ''));
}

function problemsOf(line: string): readonly string[] {
  try {
    read(line);
  } catch (error) {
    expect(error).to.be.instanceOf(MigratorError).with.property('exit', 20);
    expect((error as MigratorError).hint).to.match(/^run: lockstep .*--help$/);
    return (error as MigratorError).details.problems ?? [];
  }
  throw new Error(`accepted: ${line}`);
}

describe('parseArguments', () => {
  const accepted: [string, RawOptions][] = [
    ['up', { command: 'up', flags: {} }],
    ['up --to 007_a', { command: 'up', flags: { to: '007_a' } }],
    ['up --to=0x10', { command: 'up', flags: { to: '0x10' } }],
    ['up --to 1e3', { command: 'up', flags: { to: '1e3' } }],
    ['down --steps -1', { command: 'down', flags: { steps: '-1' } }],
    ['lock --lock-key -5 --json', { command: 'lock', flags: { lockKey: '-5', json: true } }],
    ['up --strict --no-dry-run', { command: 'up', flags: { strict: true, dryRun: false } }],
    ['up --strict=no --verbose=1', { command: 'up', flags: { strict: false, verbose: true } }],
    ['up --no-cancel-blocked-waiters', { command: 'up', flags: { cancelBlockedWaiters: false } }],
    ['up --to --json', { command: 'up', flags: { to: '', json: true } }],
    ['up --to=', { command: 'up', flags: { to: '' } }],
    ['up --database-url postgres://u:p@h/d?a=b', { command: 'up', flags: { databaseUrl: 'postgres://u:p@h/d?a=b' } }],
    ['create add_users', { command: 'create', name: 'add_users', flags: {} }],
    ['create 007', { command: 'create', name: '007', flags: {} }],
    ['create --dir ./m x', { command: 'create', name: 'x', flags: { dir: './m' } }],
    ['create', { command: 'create', flags: {} }],
    ['create -d ./m x --timestamp', { command: 'create', name: 'x', flags: { dir: './m', timestamp: true } }],
    ['up -v -d=./m', { command: 'up', flags: { verbose: true, dir: './m' } }],
  ];
  for (const [line, options] of accepted) {
    it(`lockstep ${line}`, () => {
      expect(read(line)).to.deep.equal(options);
    });
  }

  const refused: [string, ...(string | RegExp)[]][] = [
    [
      '',
      'no command; give one of up, down, wait, status, history, validate, baseline, import, repair, prove, drift, lock, fleet, create',
    ],
    ['UP', 'unknown command "UP"; did you mean "up"?'],
    ['statsu', 'unknown command "statsu"; did you mean "status"?'],
    ['--json up', 'the command comes first, then its flags; "--json" is not a command'],
    ['up UP', '"up" takes no word "UP"'],
    ['up -1', '"up" takes no word "-1"'],
    ['up to 007_a', '"up" takes no word "to"; did you mean --to?', '"up" takes no word "007_a"'],
    ['up -- x', 'unknown flag "--"'],
    [
      'up --databse-url x --lock-wiat 5m',
      'unknown flag "--databse-url"; did you mean --database-url?',
      'unknown flag "--lock-wiat"; did you mean --lock-wait?',
    ],
    ['up --lockWait 5m', 'unknown flag "--lockWait"; did you mean --lock-wait?'],
    ['up -to 5', 'unknown flag "-to"; did you mean --to?'],
    ['up -x', 'unknown flag "-x"'],
    ['status -v', '-v is not for "status"; it is for up, down'],
    ['up -d a --dir b', '--dir is given 2 times'],
    ['up help', '"up" takes no word "help"; did you mean --help?'],
    ['new', 'unknown command "new"; in Lockstep: lockstep create NAME'],
    ['rollback', 'unknown command "rollback"; in Lockstep: lockstep down --steps 1'],
    ['migrate', 'unknown command "migrate"; in Lockstep: lockstep up'],
    ['help nonsense', /^unknown command "nonsense"; known are up, /],
    ['completion bash zsh', '"completion" takes one word, not 2'],
    ['up --lock.wait 5m', 'unknown flag "--lock.wait"; did you mean --lock-wait?'],
    ['up --exit-code', '--exit-code is not for "up"; it is for status'],
    ['up --to 1 --to 2', '--to is given 2 times'],
    ['up --strict --no-strict', 'give only one of --strict, --no-strict'],
    ['up --strict=perhaps', '--strict takes no such value; write --strict or --no-strict'],
    ['up --no-strict=true', '--no-strict takes no such value; write --strict or --no-strict'],
    ['up --no-strcit', 'unknown flag "--no-strcit"; did you mean --no-strict?'],
    ['up --help=no', '--help takes no value'],
    ['up --get-yargs-completions', 'unknown flag "--get-yargs-completions"'],
    ['create a b', '"create" takes no word "b"'],
    ['create --name a', 'unknown flag "--name"'],
  ];
  for (const [line, ...problems] of refused) {
    it(`refuses: lockstep ${line}`, () => {
      const found = problemsOf(line);
      expect(found).to.have.length(problems.length);
      for (const [index, problem] of problems.entries())
        if (typeof problem === 'string') expect(found[index]).to.equal(problem);
        else expect(found[index]).to.match(problem);
    });
  }

  it('never quotes a secret', () => {
    const secret = 'postgres://u:hunter2@h/d';
    for (const line of [
      secret,
      `up ${secret}`,
      `up --databse-url=${secret}`,
      `up --strict=${secret}`,
      `--database-url=${secret}`,
    ]) {
      expect(problemsOf(line).join()).to.not.match(/hunter2/);
    }
  });

  it('accepts help, version and completion in every form', () => {
    const answers: (readonly [string, unknown])[] = [
      ...['--help', '-h', 'help', 'help --help'].map((line) => [line, { help: 'lockstep', all: false }] as const),
      ...['--help-all', 'help --help-all'].map((line) => [line, { help: 'lockstep', all: true }] as const),
      ...['up --help', 'up -h', 'help up', 'up nonsense --help'].map(
        (line) => [line, { help: 'up', all: false }] as const,
      ),
      ...['up --help-all', 'help up --help-all'].map((line) => [line, { help: 'up', all: true }] as const),
      ['help completion', { help: 'completion', all: false }],
      ['completion --help', { help: 'completion', all: false }],
      ...['--version', '-V', 'version', 'up --version', 'up -V'].map((line) => [line, { version: VERSION }] as const),
      ['completion', { completion: undefined }],
      ['completion fish', { completion: 'fish' }],
    ];
    for (const [line, answer] of answers) expect(read(line), line).to.deep.equal(answer);
  });

  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('--to', '--strict', '--no-strict', '--', '-', '--json=', '--__proto__', '-h', '5', 'true', '-1'),
  );

  it('parses any words or reports their problems', () => {
    fc.assert(
      fc.property(fc.constantFrom(...COMMAND_NAMES), fc.array(word, { maxLength: 6 }), (command, words) => {
        try {
          parseArguments([command, ...words]);
        } catch (error) {
          expect(error).to.be.instanceOf(MigratorError).with.property('code', 'CONFIG_INVALID');
          expect((error as MigratorError).details.problems).to.not.be.empty;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('parses flags in any order and any spelling', () => {
    fc.assert(
      fc.property(written, ({ command, chosen }) => {
        const argv = [command, ...chosen.flatMap(({ words }) => words)];
        const flags = Object.fromEntries(chosen.map(({ key, value }) => [key, value]));
        expect(parseArguments(argv)).to.deep.equal({ command, flags });
      }),
      { numRuns: 2_000 },
    );
  });

  it('parses the same flags beside invalid words', () => {
    fc.assert(
      fc.property(written, fc.nat(), ({ command, chosen }, position) => {
        const flags = Object.fromEntries(chosen.map(({ key, value }) => [key, value]));
        const words = chosen.map((one) => one.words);
        const wrong = words.toSpliced(position % (words.length + 1), 0, ['--nonsense=1']);
        const found = readWords([command, ...wrong.flat()]);
        expect(found).to.deep.include({ command, flags, problems: ['unknown flag "--nonsense"'] });
      }),
      { numRuns: 1_000 },
    );
  });
});

/** A command with some of its flags, each once. */
const written = fc.constantFrom(...COMMAND_NAMES).chain((command) => {
  const own = OPTION_KEYS.filter((key) => belongsTo(key, command));
  const flag = fc.constantFrom(...own).chain((key) => spelling(key).map((one) => ({ key, ...one })));
  return fc.record({
    command: fc.constant(command),
    chosen: fc.uniqueArray(flag, { selector: ({ key }) => key, maxLength: 6 }),
  });
});

function spelling(key: OptionKey): fc.Arbitrary<{ value: string | boolean; words: string[] }> {
  const name = flagOf(key);
  if (optionEntry(key).type === 'boolean') {
    return fc.constantFrom(
      { value: true, words: [name] },
      { value: true, words: [`${name}=Yes`] },
      { value: false, words: [negatedFlagOf(key)] },
      { value: false, words: [`${name}=0`] },
    );
  }
  const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('-1', '-.5', '"a"', "'b'", 'a=b', '1e3', ''));
  return fc.tuple(text, fc.boolean()).map(([value, joined]) => ({
    value,
    words: joined || (value.startsWith('-') && !/^-[.\d]+$/.test(value)) ? [`${name}=${value}`] : [name, value],
  }));
}
