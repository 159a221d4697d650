/** Every setting in one table: flag, variable, commands, type, default, range and help all come from here. */
import { FROM_TOOLS } from '../core/import/foreign-history.ts';
import type { CommandName } from '../core/runner.ts';

/** How the text of a setting is read; src/option-values.ts has the reader of each. */
export type OptionType =
  | 'text'
  | 'boolean'
  | 'duration'
  | 'integer'
  | 'choice'
  | 'version'
  | 'versions'
  | 'renames'
  | 'table'
  | 'lock key'
  | 'words'
  | 'memory'
  | 'age';

type OptionGroup = 'Target' | 'Database' | 'Files' | 'Limits' | 'Output' | 'Identity' | 'Kubernetes';

export interface OptionEntry {
  readonly type: OptionType;
  readonly group: OptionGroup;
  readonly commands: readonly CommandName[];
  /** Where it is not the key's: two commands may have a flag in common that means something else for each. */
  readonly flag?: `--${string}`;
  /** One or two sentences, without the default; for a boolean that is true by default, about its `--no-` flag. */
  readonly help: string;
  /** In the same spelling as a user would give it. A boolean without one is false. */
  readonly default?: string;
  /** Said in the help where the default depends on where Lockstep runs. */
  readonly defaultHelp?: string;
  /** Read when neither the flag nor the LOCKSTEP_* variable is set. */
  readonly standardEnv?: string;
  readonly choices?: readonly string[];
  /** Smallest value: milliseconds for a duration. */
  readonly min?: number;
}

const DATABASE = ['up', 'down', 'wait', 'status', 'history', 'baseline', 'import', 'repair', 'lock'] as const;
const FILES = ['up', 'down', 'wait', 'status', 'baseline', 'import', 'repair', 'validate'] as const;
const CHANGING = ['up', 'down', 'baseline', 'import', 'repair'] as const;
const RUNNING = ['up', 'down'] as const;
const ALL = [...DATABASE, 'validate', 'create'] as const;

/** Keys are camel case: `lockWait` is the flag `--lock-wait` and the variable `LOCKSTEP_LOCK_WAIT`. */
export const OPTIONS = {
  to: {
    type: 'version',
    group: 'Target',
    commands: ['up', 'down', 'baseline'],
    help: 'The version that is the newest applied one afterwards, for example 007_add_index.',
  },
  steps: {
    type: 'integer',
    min: 1,
    group: 'Target',
    commands: ['down'],
    help: 'Roll back this many of the newest applied versions.',
  },
  toFiles: {
    type: 'boolean',
    group: 'Target',
    commands: ['down'],
    help: 'Roll back what is newer than the newest file. As a variable it gives way to every other target.',
  },
  all: { type: 'boolean', group: 'Target', commands: ['down'], help: 'Roll back everything; needs --confirm.' },
  confirm: {
    type: 'text',
    group: 'Target',
    commands: ['down'],
    help: 'The name of the connected database: says that --all is meant for it.',
  },
  from: {
    type: 'choice',
    choices: ['files', 'stored'],
    group: 'Target',
    commands: ['down'],
    help: 'Which down SQL runs where the file differs from what was stored when the migration was applied; otherwise that is refused.',
  },
  importFrom: {
    type: 'choice',
    choices: FROM_TOOLS,
    flag: '--from',
    group: 'Target',
    commands: ['import'],
    help: 'The tool whose history is taken over, or whose files are converted.',
  },
  oldDir: {
    type: 'text',
    flag: '--files',
    group: 'Target',
    commands: ['import'],
    help: "The directory with that tool's files: they are written into --dir in our form, and no database is asked.",
  },
  fromTable: {
    type: 'table',
    group: 'Target',
    commands: ['import'],
    help: "That tool's table: name or schema.name.",
    defaultHelp: 'where that tool has it',
  },
  trustStored: {
    type: 'boolean',
    group: 'Target',
    commands: ['down'],
    help: 'Run stored down SQL although others than the owner may write the tables that keep it.',
  },
  hold: {
    type: 'boolean',
    group: 'Target',
    commands: ['down'],
    help: 'Keep the releases that are known from applying again what is rolled back; --no-hold does not. Given, it also holds what beyond the target is rolled back already.',
    defaultHelp: 'on where a release is known',
  },
  reason: {
    type: 'text',
    group: 'Target',
    commands: ['down'],
    help: 'Why it is rolled back; told to whoever is kept from applying it again.',
  },
  reapply: {
    type: 'versions',
    group: 'Target',
    commands: ['up'],
    help: 'Apply these versions again although they are held, for example 007_add_index,008_x.',
  },
  rename: {
    type: 'renames',
    group: 'Target',
    commands: ['repair'],
    help: 'Record that a file of an applied version got another name: OLD=NEW,…; nothing else is repaired.',
  },
  only: { type: 'version', group: 'Target', commands: ['repair'], help: 'Repair only this version, and end its hold.' },
  statement: {
    type: 'choice',
    choices: ['done', 'again'],
    group: 'Target',
    commands: ['repair'],
    help: 'What became of a statement that was running when its run died: it did its work, or it is to run again.',
  },
  reset: {
    type: 'boolean',
    group: 'Target',
    commands: ['repair'],
    help: 'Forget which statements of --only are done, once they were undone by hand.',
  },
  history: {
    type: 'choice',
    choices: ['journal', 'empty'],
    group: 'Target',
    commands: ['repair'],
    help: 'Settle a history that was truncated or dropped: record again what its journal says is applied, or take it for not applied.',
  },
  down: {
    type: 'choice',
    choices: ['files'],
    group: 'Target',
    commands: ['repair'],
    help: 'Replace stored down SQL by the down files where they differ; shown as a diff.',
  },
  dryRun: {
    type: 'boolean',
    group: 'Target',
    commands: ['up', 'down', 'import', 'repair'],
    help: 'Say what would run, and change nothing.',
  },
  retryNow: {
    type: 'boolean',
    group: 'Target',
    commands: ['up'],
    help: 'Try a migration that failed in this release at once, without the pause between tries.',
  },
  timeout: {
    type: 'duration',
    default: '10m',
    min: 0,
    group: 'Target',
    commands: ['wait'],
    help: 'How long to wait until nothing is pending; 0 looks once.',
  },
  terminate: { type: 'boolean', group: 'Target', commands: ['lock'], help: 'End the session of the holder.' },
  exitCode: {
    type: 'boolean',
    group: 'Target',
    commands: ['status'],
    help: 'Exit with 33 while something is pending.',
  },

  databaseUrl: {
    type: 'text',
    group: 'Database',
    commands: DATABASE,
    standardEnv: 'DATABASE_URL',
    help: 'postgresql://user@host:5432/database. A password on the command line can be seen in ps: prefer the variable or the file.',
    defaultHelp: 'PGHOST, PGDATABASE, …',
  },
  databaseUrlFile: {
    type: 'text',
    group: 'Database',
    commands: DATABASE,
    help: 'A file with the address, read again at each connection attempt.',
  },
  passwordFile: {
    type: 'text',
    group: 'Database',
    commands: DATABASE,
    help: 'A file with the password, read again at each connection attempt.',
  },
  passwordCommand: {
    type: 'words',
    group: 'Database',
    commands: DATABASE,
    help: 'A program, with arguments, that prints the password; run without a shell at each connection attempt.',
  },
  role: { type: 'text', group: 'Database', commands: DATABASE, help: 'Work as this role (SET ROLE).' },
  allowPooler: {
    type: 'boolean',
    group: 'Database',
    commands: DATABASE,
    help: 'Go through a connection pooler that pools by session (checked); otherwise a pooler is refused.',
  },
  connectWait: {
    type: 'duration',
    default: '60s',
    min: 0,
    group: 'Database',
    commands: DATABASE,
    help: 'How long to wait for the server to be reachable; 0 tries once.',
  },
  table: {
    type: 'table',
    default: 'schema_migrations',
    group: 'Database',
    commands: DATABASE,
    help: 'The history table: name or schema.name.',
  },
  lockKey: {
    type: 'lock key',
    group: 'Database',
    commands: DATABASE,
    help: 'The advisory lock to use: a signed 64-bit number, decimal or 0x hexadecimal.',
    defaultHelp: 'made from the table name',
  },

  dir: {
    type: 'text',
    default: './migrations',
    group: 'Files',
    commands: [...FILES, 'create'],
    help: 'The directory with the migration files.',
  },
  allowEmpty: {
    type: 'boolean',
    group: 'Files',
    commands: FILES,
    help: 'Accept a directory without any migration files.',
  },
  strict: {
    type: 'boolean',
    group: 'Files',
    commands: ['up', 'down', 'validate'],
    help: 'Refuse what is otherwise a warning: duplicate numbers, changed files, out of order, a database ahead of the files.',
  },

  lockWait: {
    type: 'duration',
    default: '10m',
    min: 0,
    group: 'Limits',
    commands: CHANGING,
    help: 'How long to wait for another runner; 0 tries once.',
  },
  lockTimeout: {
    type: 'duration',
    default: '5s',
    min: 0,
    group: 'Limits',
    commands: ['up', 'down'],
    help: 'How long one statement may wait for a table lock before it is retried; 0 is no limit.',
  },
  statementTimeout: {
    type: 'duration',
    default: '0',
    min: 0,
    group: 'Limits',
    commands: ['up', 'down'],
    help: 'How long one statement may run; 0 is no limit.',
  },
  journalKeep: {
    type: 'age',
    default: '30d',
    min: 0,
    group: 'Limits',
    commands: ['up', 'down'],
    help: 'How long the journal keeps rows of runs that changed nothing; 0 is for ever.',
  },
  hookMemory: {
    type: 'memory',
    group: 'Limits',
    commands: ['up'],
    help: 'How much memory one pre-migration hook may take; at least 32Mi.',
    defaultHelp: "half of the container's limit, else 512Mi",
  },
  hookTimeout: {
    type: 'duration',
    default: '30m',
    min: 1,
    group: 'Limits',
    commands: ['up'],
    help: 'How long one pre-migration hook may run.',
  },
  cancelBlockedWaiters: {
    type: 'boolean',
    default: 'true',
    group: 'Limits',
    commands: ['up', 'down'],
    help: 'Exit with 32 instead of cancelling older runners that block inside PostgreSQL and would deadlock CREATE INDEX CONCURRENTLY.',
  },

  json: {
    type: 'boolean',
    group: 'Output',
    commands: [...DATABASE, 'validate'],
    help: 'Print one JSON document on stdout.',
  },
  verbose: {
    type: 'boolean',
    group: 'Output',
    commands: ['up', 'down'],
    help: 'Print each skipped migration, not only how many.',
  },
  logFormat: {
    type: 'choice',
    choices: ['text', 'json'],
    group: 'Output',
    commands: ALL,
    help: 'How the log on stderr looks.',
    defaultHelp: 'text on a terminal, else json',
  },
  logLevel: {
    type: 'choice',
    choices: ['debug', 'info', 'warn', 'error'],
    default: 'info',
    group: 'Output',
    commands: ALL,
    help: 'The least level that is logged.',
  },

  release: {
    type: 'text',
    group: 'Identity',
    commands: DATABASE,
    help: 'The release this run belongs to; kept in the journal.',
  },
  pod: {
    type: 'text',
    group: 'Identity',
    commands: DATABASE,
    help: 'The name of this runner, shown to those who wait.',
    defaultHelp: "the address's application_name, else the host name",
  },
  image: {
    type: 'text',
    group: 'Identity',
    commands: DATABASE,
    help: 'The image this run comes from; kept in the journal.',
  },

  events: {
    type: 'choice',
    choices: ['auto', 'on', 'off'],
    default: 'auto',
    group: 'Kubernetes',
    commands: RUNNING,
    help: 'Send Kubernetes Events: where there is a cluster and a token; "on" warns where there is none.',
  },
  podNamespace: {
    type: 'text',
    group: 'Kubernetes',
    commands: RUNNING,
    help: 'The namespace of the pod (metadata.namespace); Events are made there.',
    defaultHelp: "the service account's namespace",
  },
  podUid: {
    type: 'text',
    group: 'Kubernetes',
    commands: RUNNING,
    help: 'The uid of the pod (metadata.uid); without it, kubectl describe does not show its Events.',
  },
  container: {
    type: 'text',
    group: 'Kubernetes',
    commands: RUNNING,
    help: 'The name of the container that Lockstep runs in.',
  },
  initContainer: {
    type: 'boolean',
    group: 'Kubernetes',
    commands: RUNNING,
    help: 'That container is an init container.',
  },
  job: {
    type: 'text',
    group: 'Kubernetes',
    commands: RUNNING,
    help: "The name of the Job (the pod's label batch.kubernetes.io/job-name): Events are about it instead of the pod.",
  },
  jobUid: {
    type: 'text',
    group: 'Kubernetes',
    commands: RUNNING,
    help: "The uid of the Job (the pod's label batch.kubernetes.io/controller-uid).",
  },
  serviceAccountDir: {
    type: 'text',
    default: '/var/run/secrets/kubernetes.io/serviceaccount',
    group: 'Kubernetes',
    commands: RUNNING,
    help: 'The folder with token, ca.crt and namespace of a service account that may create Events; read again for each Event.',
  },
  terminationLog: {
    type: 'text',
    group: 'Kubernetes',
    commands: ALL,
    help: 'The file for the termination message: one JSON object of at most 4096 bytes.',
    defaultHelp: '/dev/termination-log, if it is there',
  },
} as const satisfies Record<string, OptionEntry>;

export type OptionKey = keyof typeof OPTIONS;

export const OPTION_KEYS = Object.keys(OPTIONS) as readonly OptionKey[];

/** The entry with the fields that not every option has. */
export function optionEntry(key: OptionKey): OptionEntry {
  return OPTIONS[key];
}

const FLAGS = new Map(
  OPTION_KEYS.map((key) => [
    key,
    optionEntry(key).flag ?? `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  ]),
);

/** `lockWait` → `--lock-wait`. */
export function flagOf(key: OptionKey): string {
  return FLAGS.get(key) ?? '';
}

/** `--strict` → `--no-strict`. */
export function negatedFlagOf(key: OptionKey): string {
  return flagOf(key).replace('--', '--no-');
}

/** `lockWait` → `LOCKSTEP_LOCK_WAIT`. */
export function envOf(key: OptionKey): string {
  return `LOCKSTEP_${flagOf(key).slice(2).replaceAll('-', '_').toUpperCase()}`;
}

export function belongsTo(key: OptionKey, command: CommandName): boolean {
  return optionEntry(key).commands.includes(command);
}

/** The option that a flag, in either spelling, stands for: the command's own, else another's. */
export function keyOf(flag: string, command: CommandName): OptionKey | undefined {
  const keys = OPTION_KEYS.filter((key) => flagsOf(key).includes(flag));
  return keys.find((key) => belongsTo(key, command)) ?? keys[0];
}

/** Both spellings of a boolean. */
export function flagsOf(key: OptionKey): string[] {
  return optionEntry(key).type === 'boolean' ? [flagOf(key), negatedFlagOf(key)] : [flagOf(key)];
}

/** What the command line says, read by src/cli.ts: nothing is checked but the words themselves. */
export interface RawOptions {
  readonly command: CommandName;
  /** NAME of `create NAME`. */
  readonly name?: string;
  readonly flags: Readonly<Partial<Record<OptionKey, string | boolean>>>;
}
