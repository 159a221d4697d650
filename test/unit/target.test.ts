import { expect } from 'chai';

import type { UpConfig } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/parse-config.ts';
import type { AddressSettings, Environment } from '../../src/config/settings.ts';
import { MigratorError } from '../../src/core/errors.ts';

const FLEET = { LOCKSTEP_TARGETS: 'eu-1,eu-2,us-1', LOCKSTEP_TARGETS_DIR: '/etc/targets' };

type Flags = Parameters<typeof parseConfig>[0]['flags'];

function up(flags: Flags, env: Environment): UpConfig {
  return parseConfig({ command: 'up', flags }, env, { terminal: false }) as UpConfig;
}

/** Of an invalid configuration. */
function problemsOf(flags: Flags, env: Environment, check?: (address: AddressSettings) => string[]): readonly string[] {
  try {
    parseConfig({ command: 'up', flags }, env, { terminal: false, ...(check && { addressProblems: check }) });
  } catch (error) {
    expect(error).to.be.instanceOf(MigratorError).and.to.include({ code: 'CONFIG_INVALID' });
    return (error as MigratorError).details.problems ?? [];
  }
  throw new Error('the configuration was accepted');
}

describe('the target of a run', () => {
  const table: [title: string, flags: Flags, env: Environment, target: string][] = [
    ['is the name at the index of the pod', {}, { ...FLEET, JOB_COMPLETION_INDEX: '0' }, 'eu-1'],
    ['is the last name at the highest index', {}, { ...FLEET, JOB_COMPLETION_INDEX: '2' }, 'us-1'],
    [
      'is named by the variable, whatever the index',
      {},
      { ...FLEET, LOCKSTEP_TARGET: 'us-1', JOB_COMPLETION_INDEX: '0' },
      'us-1',
    ],
    ['is named by the flag', { target: 'eu-2' }, { ...FLEET, LOCKSTEP_TARGET: 'us-1' }, 'eu-2'],
    ['may have blanks around its name', {}, { ...FLEET, LOCKSTEP_TARGETS: 'a, b ,c', JOB_COMPLETION_INDEX: '1' }, 'b'],
    ['has a directory that may end with a slash', { target: 'a', targetsDir: '/etc/targets/' }, {}, 'a'],
    ['needs no list of names', { target: 'a.b_C-1', targetsDir: '/etc/targets' }, {}, 'a.b_C-1'],
    ['overrides DATABASE_URL', { target: 'eu-1' }, { ...FLEET, DATABASE_URL: 'postgresql://h/d' }, 'eu-1'],
  ];
  for (const [title, flags, env, target] of table) {
    it(title, () => {
      const { identity, connection } = up(flags, env);
      expect(identity.target).to.equal(target);
      expect(connection)
        .to.include({ databaseUrlFile: `/etc/targets/${target}` })
        .and.not.have.property('databaseUrl');
    });
  }

  it('is none where a flag gives an address, also in a pod of a fleet', () => {
    const env = { ...FLEET, JOB_COMPLETION_INDEX: '1', LOCKSTEP_TARGET: 'us-1' };
    const { identity, connection } = up({ databaseUrl: 'postgresql://h/d' }, env);
    expect(identity).to.not.have.property('target');
    expect(connection).to.include({ databaseUrl: 'postgresql://h/d' }).and.not.have.property('databaseUrlFile');
    expect(problemsOf({ databaseUrl: 'postgresql://h/d', target: 'eu-1' }, env)[0]).to.match(/^--targets-dir: needed/);
  });

  it('is none without a fleet, also in an Indexed Job of somebody else', () => {
    const { identity, connection } = up({ databaseUrl: 'postgresql://h/d' }, { JOB_COMPLETION_INDEX: '3' });
    expect(identity).to.not.have.property('target');
    expect(connection).to.include({ databaseUrl: 'postgresql://h/d' });
  });

  const wrong: [title: string, flags: Flags, env: Environment, problem: RegExp][] = [
    ['neither name nor index', {}, FLEET, /^--target: needed; one of eu-1, eu-2, us-1$/],
    [
      'an index without a name',
      {},
      { ...FLEET, JOB_COMPLETION_INDEX: '3' },
      /^--target-index: 3 is too much; --targets has 3/,
    ],
    [
      'a name that is not in the list',
      { target: 'eu-3' },
      FLEET,
      /"eu-3" is not one of the 3 names.*did you mean "eu-/,
    ],
    ['no directory', { target: 'eu-1' }, {}, /^--targets-dir: needed/],
    ['a directory and no name', { targetsDir: '/t' }, {}, /^--target: needed; the name of a file/],
    ['a path', { target: '../secret', targetsDir: '/t' }, {}, /^--target: "\.\.\/secret" is not a name of a target/],
    ['a name of the kubelet', { target: '..data', targetsDir: '/t' }, {}, /^--target: "\.\.data" is not a name/],
    ['a name twice', {}, { ...FLEET, LOCKSTEP_TARGETS: 'a,b,a' }, /^LOCKSTEP_TARGETS: "a" is in it twice$/],
    ['an empty name', {}, { ...FLEET, LOCKSTEP_TARGETS: 'a,,b' }, /^LOCKSTEP_TARGETS: "" is not a name of a target/],
    [
      'an index that is no number',
      {},
      { ...FLEET, JOB_COMPLETION_INDEX: 'x' },
      /^JOB_COMPLETION_INDEX: "x" is not a whole number/,
    ],
    [
      'an index below 0',
      {},
      { ...FLEET, JOB_COMPLETION_INDEX: '-1' },
      /^JOB_COMPLETION_INDEX: "-1" is not a whole number/,
    ],
    ['an index with a fraction', {}, { ...FLEET, JOB_COMPLETION_INDEX: '1.0' }, /^JOB_COMPLETION_INDEX: "1.0" is not/],
    ['an empty index', {}, { ...FLEET, JOB_COMPLETION_INDEX: '' }, /^--target: needed; one of eu-1, eu-2, us-1$/],
    [
      'a list that ends with a comma',
      {},
      { ...FLEET, LOCKSTEP_TARGETS: 'a,b,' },
      /^LOCKSTEP_TARGETS: "" is not a name/,
    ],
    ['a list of commas', {}, { ...FLEET, LOCKSTEP_TARGETS: ',' }, /^LOCKSTEP_TARGETS: "" is not a name/],
    ['names on lines', {}, { ...FLEET, LOCKSTEP_TARGETS: 'a\nb' }, /^LOCKSTEP_TARGETS: "a\\nb" is not a name/],
    ['a path below', { target: 'a/b', targetsDir: '/t' }, {}, /^--target: "a\/b" is not a name/],
    ['an absolute path', { target: '/etc/passwd', targetsDir: '/t' }, {}, /^--target: "\/etc\/passwd" is not a name/],
    ['the directory itself', { target: '.', targetsDir: '/t' }, {}, /^--target: "\." is not a name/],
    ['a name that is longer than a key may be', { target: 'a'.repeat(254), targetsDir: '/t' }, {}, /is not a name/],
    [
      'an address beside it',
      {},
      { ...FLEET, JOB_COMPLETION_INDEX: '0', LOCKSTEP_DATABASE_URL: 'postgresql://h/d' },
      /^give only one of LOCKSTEP_DATABASE_URL, LOCKSTEP_TARGETS_DIR$/,
    ],
  ];
  for (const [title, flags, env, problem] of wrong) {
    it(`is refused: ${title}`, () => {
      const problems = problemsOf(flags, env);
      expect(problems, problems.join('; ')).to.have.length(1);
      expect(problems[0]).to.match(problem);
    });
  }

  it('is not looked for where the index is wrong', () => {
    const check = (): string[] => ['no database address'];
    const env = { ...FLEET, JOB_COMPLETION_INDEX: 'x' };
    expect(problemsOf({}, env, check)).to.deep.equal(['JOB_COMPLETION_INDEX: "x" is not a whole number from 0 up']);
  });

  it('has its address checked together with other settings that are wrong', () => {
    const asked: AddressSettings[] = [];
    const check = (address: AddressSettings): string[] => {
      asked.push(address);
      return ['sslmode: wrong'];
    };
    expect(problemsOf({ target: 'eu-1', lockWait: 'x' }, FLEET, check)).to.have.length(2);
    expect(asked).to.deep.equal([{ databaseUrlFile: '/etc/targets/eu-1' }]);
  });
});
