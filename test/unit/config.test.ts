import { expect } from 'chai';

import type { Config, DownConfig, UpConfig } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/parse-config.ts';
import { MigratorError } from '../../src/core/errors.ts';
import type { CommandName } from '../../src/core/runner.ts';
import {
  belongsTo,
  envOf,
  flagOf,
  OPTION_KEYS,
  optionEntry,
  type OptionKey,
  type RawOptions,
} from '../../src/config/options.ts';
import type { Environment } from '../../src/config/settings.ts';

const FACTS = { terminal: false };

type Flags = RawOptions['flags'];

/** The words of commands that need one. */
const NAMES: Readonly<Partial<Record<CommandName, string>>> = { create: 'add_x', fleet: 'status' };

function parse(command: CommandName, flags: Flags = {}, env: Environment = {}): Config {
  return parseConfig({ command, flags, ...(NAMES[command] && { name: NAMES[command] }) }, env, FACTS);
}

function up(flags: Flags = {}, env: Environment = {}): UpConfig {
  return parse('up', flags, env) as UpConfig;
}

function errorOf(body: () => unknown): MigratorError {
  try {
    body();
  } catch (error) {
    expect(error).to.be.instanceOf(MigratorError);
    return error as MigratorError;
  }
  throw new Error('nothing was thrown');
}

function problemsOf(body: () => unknown): readonly string[] {
  const error = errorOf(body);
  expect(error.code).to.equal('CONFIG_INVALID');
  return error.details.problems ?? [];
}

describe('parseConfig: where a setting comes from', () => {
  const table: [name: string, flags: Flags, env: Environment, url: string | undefined][] = [
    ['nothing', {}, {}, undefined],
    ['the standard environment', {}, { DATABASE_URL: 'standard' }, 'standard'],
    [
      'LOCKSTEP_* overrides the standard environment',
      {},
      { DATABASE_URL: 'standard', LOCKSTEP_DATABASE_URL: 'own' },
      'own',
    ],
    [
      'a flag overrides all',
      { databaseUrl: 'flag' },
      { DATABASE_URL: 'standard', LOCKSTEP_DATABASE_URL: 'own' },
      'flag',
    ],
    ['an empty variable counts as unset', {}, { DATABASE_URL: 'standard', LOCKSTEP_DATABASE_URL: '' }, 'standard'],
    [
      'a file set by a flag overrides an address set by a variable',
      { databaseUrlFile: '/f' },
      { LOCKSTEP_DATABASE_URL: 'own' },
      undefined,
    ],
    [
      'a file set by LOCKSTEP_* overrides the standard environment',
      {},
      { DATABASE_URL: 'standard', LOCKSTEP_DATABASE_URL_FILE: '/f' },
      undefined,
    ],
  ];
  for (const [name, flags, env, url] of table) {
    it(name, () => {
      const { connection } = up(flags, env);
      expect(connection.databaseUrl).to.equal(url);
      expect(connection.databaseUrlFile).to.equal(/a file/.test(name) ? '/f' : undefined);
    });
  }

  it('an address overrides a file from a source with lower precedence', () => {
    const { connection } = up({ databaseUrl: 'flag' }, { LOCKSTEP_DATABASE_URL_FILE: '/f' });
    expect(connection).to.include({ databaseUrl: 'flag' }).and.not.have.property('databaseUrlFile');
  });

  it('two addresses from the same source are a problem', () => {
    const env = { LOCKSTEP_DATABASE_URL: 'postgres://u:secret@h/d', LOCKSTEP_DATABASE_URL_FILE: '/f' };
    expect(problemsOf(() => up({}, env))).to.deep.equal([
      'give only one of LOCKSTEP_DATABASE_URL, LOCKSTEP_DATABASE_URL_FILE',
    ]);
  });

  it('a duration and a boolean come from the flag, then the variable, then the default', () => {
    const env = { LOCKSTEP_LOCK_WAIT: '4m', LOCKSTEP_CANCEL_BLOCKED_WAITERS: 'no' };
    expect(up().limits.lockWaitMs).to.equal(600_000);
    expect(up({}, env).limits.lockWaitMs).to.equal(240_000);
    expect(up({ lockWait: '1s' }, env).limits.lockWaitMs).to.equal(1000);
    expect(up().cancelBlockedWaiters).to.equal(true);
    expect(up({}, env).cancelBlockedWaiters).to.equal(false);
    expect(up({ cancelBlockedWaiters: true }, env).cancelBlockedWaiters).to.equal(true);
  });

  it('a variable of another command is ignored, even when invalid', () => {
    expect(up({}, { LOCKSTEP_STEPS: 'many', LOCKSTEP_TIMEOUT: 'x' }).target).to.deep.equal({ kind: 'latest' });
  });

  it('the log format is text only on a terminal and in CI, and the pod is set only by configuration', () => {
    expect(up().log).to.deep.equal({ format: 'json', level: 'info', color: 'auto' });
    expect(up({}, { CI: 'true' }).log.format).to.equal('text');
    expect(up({ logFormat: 'json' }, { CI: 'true' }).log.format).to.equal('json');
    expect(up({}, { CI: '' }).log.format).to.equal('json');
    expect(parseConfig({ command: 'up', flags: {} }, {}, { ...FACTS, terminal: true }).log.format).to.equal('text');
    expect(up().identity).to.deep.equal({});
    const env = { LOCKSTEP_POD: 'p', LOCKSTEP_RELEASE: 'r', LOCKSTEP_IMAGE: 'i' };
    expect(up({}, env).identity).to.deep.equal({ pod: 'p', release: 'r', image: 'i' });
  });
});

/** For every option: a text, the parsed value, and its path in the Config. */
const EVERY: Readonly<
  Record<
    Exclude<OptionKey, 'envFile'>,
    [text: string, command: CommandName, path: string, value: unknown, more?: Flags]
  >
> = {
  to: ['007_a', 'up', 'target.version', '007_a'],
  steps: ['2', 'down', 'target.count', 2],
  all: ['yes', 'down', 'target.kind', 'all', { confirm: 'shop' }],
  confirm: ['shop', 'down', 'target.database', 'shop', { all: true }],
  toFiles: ['true', 'down', 'target.kind', 'files'],
  from: ['stored', 'down', 'choice', 'stored', { to: '1_a' }],
  importFrom: ['goose', 'import', 'tool', 'goose'],
  oldDir: ['/old', 'import', 'oldDir', '/old', { importFrom: 'goose' }],
  fromTable: [
    'app.goose_db_version',
    'import',
    'fromTable',
    { schema: 'app', name: 'goose_db_version' },
    { importFrom: 'goose' },
  ],
  trustStored: ['true', 'down', 'trustStored', true, { to: '1_a' }],
  hold: ['true', 'down', 'hold', true, { to: '1_a' }],
  reason: ['it is slow', 'down', 'reason', 'it is slow', { to: '1_a' }],
  reapply: ['007_a, 008_b', 'up', 'reapply', ['007_a', '008_b']],
  rename: [
    '002_sed=002_seed, 1_a = 0001_a',
    'repair',
    'wish.rename',
    [
      { from: '002_sed', to: '002_seed' },
      { from: '1_a', to: '0001_a' },
    ],
  ],
  only: ['007_a', 'repair', 'wish.only', '007_a'],
  statement: ['again', 'repair', 'wish.statement', 'again'],
  reset: ['true', 'repair', 'wish.reset', true, { only: '007_a' }],
  down: ['files', 'repair', 'wish.down', 'files'],
  history: ['journal', 'repair', 'wish.history', 'journal'],
  dryRun: ['1', 'up', 'dryRun', true],
  retryNow: ['1', 'up', 'retryNow', true],
  timeout: ['2m', 'wait', 'timeoutMs', 120_000],
  metricsFile: ['/metrics/lockstep.prom', 'up', 'watch.metricsFile', '/metrics/lockstep.prom'],
  metricsPush: ['http://push:9091/', 'up', 'watch.metricsPush', 'http://push:9091/'],
  notifyFile: ['/secrets/notify', 'down', 'watch.notifyFile', '/secrets/notify', { to: '1_a' }],
  failOnFailure: ['true', 'wait', 'failOnFailure', true],
  timestamp: ['true', 'create', 'timestamp', true],
  terminate: ['on', 'lock', 'terminate', true],
  scratchUrl: ['postgres://h/x', 'prove', 'scratchUrl', 'postgres://h/x'],
  scratchTemplate: ['base', 'prove', 'scratchTemplate', 'base'],
  scratchOwned: ['true', 'prove', 'scratchOwned', true],
  setup: ['/setup.sql', 'prove', 'setup', '/setup.sql'],
  proveFrom: ['007_a', 'prove', 'from', '007_a'],
  hooks: ['true', 'prove', 'hooks', true],
  write: ['/kept.txt', 'prove', 'write', '/kept.txt'],
  check: ['/kept.txt', 'prove', 'check', '/kept.txt'],
  drift: ['warn', 'up', 'drift.level', 'warn'],
  expect: ['/kept.txt', 'drift', 'expect', '/kept.txt'],
  ignore: ['app.a*, table app.b', 'drift', 'scope.ignore', ['app.a*', 'table app.b']],
  ignoreFile: ['/ignored', 'drift', 'ignoreFile', '/ignored'],
  owner: ['no', 'drift', 'scope.owners', false],
  privileges: ['no', 'drift', 'scope.privileges', false],
  exitCode: ['TRUE', 'status', 'exitCode', true],
  databaseUrl: ['postgresql://h/d', 'history', 'connection.databaseUrl', 'postgresql://h/d'],
  databaseUrlFile: ['/f', 'wait', 'connection.databaseUrlFile', '/f'],
  target: ['eu-1', 'up', 'identity.target', 'eu-1', { targetsDir: '/t' }],
  targets: ['a, b', 'wait', 'identity.target', 'b', { targetsDir: '/t', targetIndex: '1' }],
  targetIndex: ['1', 'down', 'identity.target', 'b', { targetsDir: '/t', targets: 'a,b', steps: '1' }],
  targetsDir: ['/t/', 'status', 'connection.databaseUrlFile', '/t/eu-1', { target: 'eu-1' }],
  targetsParallel: ['3', 'fleet', 'parallel', 3, { targetsDir: '/t' }],
  passwordFile: ['/p', 'status', 'connection.passwordFile', '/p'],
  passwordCommand: [
    `get-token --for "the shop" 'a b'c\\ d`,
    'up',
    'connection.passwordCommand',
    ['get-token', '--for', 'the shop', 'a bc d'],
  ],
  allowPooler: ['yes', 'up', 'connection.allowPooler', true],
  role: ['owner', 'baseline', 'connection.role', 'owner', { to: '1_a' }],
  connectWait: ['0', 'lock', 'connection.connectWaitMs', 0],
  table: ['app.moves', 'up', 'connection.table', { schema: 'app', name: 'moves' }],
  lockKey: ['0xffffffffffffffff', 'up', 'connection.lockKey', -1n],
  dir: ['/m', 'create', 'dir', '/m'],
  allowEmpty: ['true', 'wait', 'files.allowEmpty', true],
  since: ['origin/main', 'validate', 'since', 'origin/main'],
  newerThan: ['007_a', 'validate', 'newerThan', '007_a'],
  rule: ['style=note', 'validate', 'rule', 'style=note'],
  format: ['sarif', 'validate', 'format', 'sarif'],
  pathPrefix: ['db/migrations', 'validate', 'pathPrefix', 'db/migrations'],
  strict: ['true', 'validate', 'files.strict', true],
  lockWait: ['250ms', 'baseline', 'limits.lockWaitMs', 250, { to: '1_a' }],
  lockTimeout: ['1.5s', 'up', 'limits.lockTimeoutMs', 1500],
  journalKeep: ['7d', 'up', 'journalKeepMs', 604_800_000],
  statementTimeout: ['1h', 'up', 'limits.statementTimeoutMs', 3_600_000],
  hookMemory: ['256Mi', 'up', 'hookMemory', 268_435_456],
  hookTimeout: ['5min', 'up', 'hookTimeoutMs', 300_000],
  cancelBlockedWaiters: ['off', 'up', 'cancelBlockedWaiters', false],
  json: ['true', 'validate', 'json', true],
  verbose: ['true', 'up', 'verbose', true],
  logFormat: ['text', 'create', 'log.format', 'text'],
  logLevel: ['debug', 'validate', 'log.level', 'debug'],
  color: ['never', 'status', 'log.color', 'never'],
  release: ['r', 'up', 'identity.release', 'r'],
  pod: ['p', 'up', 'identity.pod', 'p'],
  image: ['i', 'up', 'identity.image', 'i'],
  events: ['off', 'up', 'events.mode', 'off'],
  podNamespace: ['n', 'up', 'events.podNamespace', 'n'],
  podUid: ['u', 'up', 'events.podUid', 'u'],
  container: ['c', 'up', 'events.container', 'c'],
  initContainer: ['true', 'up', 'events.initContainer', true],
  job: ['j', 'down', 'events.job', 'j', { steps: '1' }],
  jobUid: ['u', 'up', 'events.jobUid', 'u'],
  serviceAccountDir: ['/s', 'up', 'events.serviceAccountDir', '/s'],
  schemas: ['t_*, x', 'wait', 'tenants.selection.include', ['t_*', 'x']],
  excludeSchemas: ['t_1', 'status', 'tenants.selection.exclude', ['t_1'], { schemas: 't_*' }],
  schemasParallel: ['4', 'up', 'tenants.parallel', 4, { schemas: 't_*' }],
  failFast: ['true', 'down', 'tenants.failFast', true, { schemas: 't_*', all: true, confirm: 'shop' }],
  terminationLog: ['/t', 'create', 'terminationLog', '/t'],
};

function at(config: unknown, path: string): unknown {
  return path.split('.').reduce((value, part) => (value as Record<string, unknown>)[part], config);
}

describe('parseConfig: every option', () => {
  for (const key of OPTION_KEYS) {
    // This option is read before the Config exists.
    if (key === 'envFile') continue;
    const [text, command, path, value, more = {}] = EVERY[key];
    it(`${flagOf(key)} and ${envOf(key)}`, () => {
      expect(at(parse(command, { ...more, [key]: text }), path)).to.deep.equal(value);
      expect(at(parse(command, more, { [envOf(key)]: text }), path)).to.deep.equal(value);
    });
  }

  it('lists its commands, and its default is a valid value', () => {
    for (const key of OPTION_KEYS) {
      const { commands, default: text } = optionEntry(key);
      expect(commands, key).to.not.be.empty;
      expect(belongsTo(key, commands[0] ?? 'create')).to.equal(true);
      if (text !== undefined) expect(() => up({ [key]: text }), key).to.not.throw();
    }
  });

  it('flags and variables have matching names', () => {
    expect(flagOf('databaseUrlFile')).to.equal('--database-url-file');
    expect(envOf('databaseUrlFile')).to.equal('LOCKSTEP_DATABASE_URL_FILE');
  });
});

describe('parseConfig: problems', () => {
  it('reports all of them together', () => {
    const flags = { to: '', lockWait: '5 minutes', table: 'a.b.c', lockKey: 'x' };
    const env = { LOCKSTEP_LOG_LEVEL: 'loud', LOCKSTEP_STRICT: 'perhaps', LOCKSTEP_HOOK_TIMEOUT: '0' };
    const error = errorOf(() => up(flags, env));
    expect(error.exit).to.equal(20);
    expect(error.hint).to.equal('run: lockstep up --help');
    expect(error.details.problems).to.deep.equal([
      '--to: needs a value',
      '--table: table "a.b.c" has 3 parts; give "name" or "schema.name"',
      '--lock-key: "x" is not a decimal or 0x hexadecimal number',
      'LOCKSTEP_STRICT: "perhaps" is neither true nor false',
      '--lock-wait: "5 minutes" is not a duration; give for example 250ms, 5s, 10m or 1h',
      'LOCKSTEP_HOOK_TIMEOUT: "0" is too short; it must be at least 1ms',
      'LOCKSTEP_LOG_LEVEL: "loud" is not one of: debug, info, warn, error',
    ]);
  });

  const wrong: [CommandName, Flags, RegExp][] = [
    ['down', { steps: '0' }, /whole number from 1 up/],
    ['down', { steps: '1.5' }, /whole number from 1 up/],
    ['down', { steps: '1', to: '001_a' }, /give only one of --to, --steps/],
    ['down', { steps: '1', confirm: 'shop' }, /can be used only with --all/],
    ['up', { to: 'migrations/007_a.up.sql' }, /give the version "007_a"/],
    ['up', { lockKey: '9223372036854775808' }, /64 bits/],
    ['up', { lockKey: '0x10000000000000000' }, /64 bits/],
    ['up', { lockWait: '1000h' }, /not a duration/],
    ['baseline', {}, /--to: needed/],
  ];
  for (const [command, flags, text] of wrong) {
    it(`${command} ${JSON.stringify(flags)}`, () => {
      expect(problemsOf(() => parse(command, flags)))
        .to.have.length(1)
        .and.to.satisfy(([problem]: string[]) => text.test(problem!));
    });
  }

  it('create requires a name and turns it into a file name', () => {
    const named = (name?: string) => () =>
      parseConfig({ command: 'create', flags: {}, ...(name !== undefined && { name }) }, {}, FACTS);
    expect(named('add_users-2')()).to.include({ command: 'create', name: 'add_users-2', dir: './migrations' });
    for (const name of [undefined, '', '../x', 'a b', 'ä', 'a'.repeat(101)])
      expect(problemsOf(named(name))).to.have.length(1);
  });

  it('never quotes an address that was passed to another setting', () => {
    const secret = 'postgres://u:hunter2@h/d';
    for (const key of OPTION_KEYS) {
      const command = optionEntry(key).commands[0]!;
      if (key === 'databaseUrl' || key === 'scratchUrl') continue;
      const { problems } = errorOf(() => parse(command, { [key]: secret })).details;
      expect(problems?.join(), key)
        .to.match(/looks like a database address/)
        .and.not.match(/hunter2/);
    }
  });
});

describe('parseConfig: the target of down', () => {
  const target = (flags: Flags, env: Environment = {}) => (parse('down', flags, env) as DownConfig).target;

  it('is one of four', () => {
    expect(target({ to: '001_a' })).to.deep.equal({ kind: 'version', version: '001_a' });
    expect(target({ steps: '3' })).to.deep.equal({ kind: 'steps', count: 3 });
    expect(target({ toFiles: true })).to.deep.equal({ kind: 'files' });
    expect(target({ all: true, confirm: 'shop' })).to.deep.equal({ kind: 'all', database: 'shop' });
  });

  it('set by a flag overrides another one set by a variable', () => {
    const env = { LOCKSTEP_TO: '001_a', LOCKSTEP_TO_FILES: 'true', LOCKSTEP_ALL: 'true', LOCKSTEP_CONFIRM: 'x' };
    expect(target({ steps: '1' }, env)).to.deep.equal({ kind: 'steps', count: 1 });
    expect(target({ toFiles: true }, env)).to.deep.equal({ kind: 'files' });
  });

  it('of a template is overridden by one that the user adds', () => {
    const template = { LOCKSTEP_TO_FILES: 'true' };
    expect(target({}, template)).to.deep.equal({ kind: 'files' });
    expect(target({}, { ...template, LOCKSTEP_TO: '001_a' })).to.deep.equal({ kind: 'version', version: '001_a' });
    expect(target({}, { ...template, LOCKSTEP_STEPS: '2' })).to.deep.equal({ kind: 'steps', count: 2 });
    expect(target({}, { ...template, LOCKSTEP_ALL: 'true', LOCKSTEP_CONFIRM: 'shop' })).to.deep.equal({
      kind: 'all',
      database: 'shop',
    });
    expect(target({ to: '002_b' }, template)).to.deep.equal({ kind: 'version', version: '002_b' });
  });

  it('is refused when two come from the same source', () => {
    const both: [Flags, Environment, RegExp][] = [
      [{ to: '1_a', toFiles: true }, {}, /--to, --to-files/],
      [{ toFiles: true, all: true, confirm: 'shop' }, {}, /--to-files, --all/],
      [{}, { LOCKSTEP_TO: '1_a', LOCKSTEP_STEPS: '1' }, /LOCKSTEP_TO, LOCKSTEP_STEPS/],
    ];
    for (const [flags, env, words] of both) expect(problemsOf(() => target(flags, env)).join()).to.match(words);
  });

  it('may be absent: the command refuses that after it reads the history', () => {
    for (const flags of [{}, { all: false }, { toFiles: false }] as Flags[]) expect(target(flags)).to.equal(undefined);
  });

  it('is refused with 24 when --all is not confirmed', () => {
    for (const flags of [{ all: true }, { all: true, confirm: undefined }] as Flags[]) {
      const error = errorOf(() => target(flags));
      expect(error.exit).to.equal(24);
      expect(error.hint).to.match(/--all --confirm DATABASE.*--to VERSION.*--steps N/);
    }
  });
});

describe('parseConfig: hold after a rollback', () => {
  const hold = (flags: Flags, env: Environment = {}) =>
    (parse('down', { to: '1_a', ...flags }, env) as DownConfig).hold;

  it('depends on the journal unless set', () => {
    expect(hold({})).to.equal(undefined);
    expect(hold({ release: 'shop/8@2' })).to.equal(undefined);
  });

  it('follows the setting', () => {
    expect(hold({ release: 'shop/8@2', hold: false })).to.equal(false);
    expect(hold({ hold: true })).to.equal(true);
    expect(hold({}, { LOCKSTEP_RELEASE: 'shop/8@2', LOCKSTEP_HOLD: 'false' })).to.equal(false);
  });
});

describe('parseConfig: repair', () => {
  const problems = (flags: Flags): readonly string[] => errorOf(() => parse('repair', flags)).details.problems ?? [];

  it('resets the progress of one version, which must be named', () => {
    expect(problems({ reset: true })).to.deep.equal([
      '--reset: needs --only with the version whose progress is to be forgotten',
    ]);
  });

  it('accepts one action at a time', () => {
    expect(problems({ only: '1_a', reset: true, statement: 'done' })).to.deep.equal([
      'give only one of --statement, --reset',
    ]);
    expect(problems({ statement: 'done', down: 'files' })).to.deep.equal(['give only one of --statement, --down']);
    expect(problems({ down: 'stored' })).to.have.length(1);
  });
});

describe('parseConfig: unknown variables', () => {
  it('warns of variables that look mistyped, and of no others', () => {
    const env = {
      LOCKSTEP_DATABSE_URL: 'x',
      LOCKSTEP_SERVICE_HOST: '10.0.0.1',
      LOCKSTEP_PORT: 'tcp://10.0.0.1:80',
      LOCKSTEP_PORT_80_TCP_ADDR: '10.0.0.1',
      LOCKSTEP_TERMINATION_MESSAGE: 'x',
      LOCKSTEP_LOCKWAIT: '',
      OTHER: 'x',
    };
    expect(up({}, env).warnings).to.deep.equal([
      'the variable LOCKSTEP_DATABSE_URL is not read; did you mean LOCKSTEP_DATABASE_URL?',
    ]);
  });
});
