/** What each command is for, and examples of it: the words of the help. */
import { ERRORS } from '../core/errors.ts';
import type { CommandName } from '../core/runner.ts';

/** A command that reads settings, or one that only prints something. */
export type Topic = CommandName | 'completion';

interface CommandEntry {
  /** At most 55 characters: one line of the help. */
  readonly summary: string;
  readonly details?: string;
  /** Its words after `lockstep <command>`. */
  readonly words?: string;
  /** Command lines after `lockstep`, each with what it does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
}

export const COMMANDS: Readonly<Record<Topic, CommandEntry>> = {
  up: {
    summary: 'Apply what is pending',
    examples: [
      ['up', 'Apply everything that is pending'],
      ['up --to 007_add_index', 'Stop after this version'],
      ['up --dry-run', 'Print what would be applied'],
      ['up --reapply 007_add_index', 'Apply a version although it is held'],
    ],
  },
  down: {
    summary: 'Roll back; needs a target',
    examples: [
      ['down --steps 1', 'Roll back the newest applied version'],
      ['down --to 007_add_index', 'Roll back everything after this version'],
      ['down --to-files --dry-run', 'Print what a rollback to these files would run and destroy'],
      ['down --all --confirm shop', 'Roll back everything in the database "shop"'],
    ],
  },
  wait: {
    summary: 'Wait until nothing is pending; read-only',
    examples: [['wait --timeout 5m', 'Give up after five minutes with exit code 33']],
  },
  status: {
    summary: 'Show the state of every version',
    details: 'applied, pending, in part, held, unknown, changed, out of order',
    examples: [
      ['status', 'A table'],
      ['status --exit-code', 'Exit with 33 while migrations are pending'],
    ],
  },
  history: {
    summary: 'Show the journal',
    details: 'who, where, when, how long, how it ended',
    examples: [['history --json', 'As one JSON document']],
  },
  validate: {
    summary: 'Check the files without a database',
    details: 'names, pairs, SQL syntax, hazards',
    examples: [
      ['validate --dir ./migrations --strict', 'For CI: hazards fail too'],
      ['validate --since origin/main --format github', 'Annotate what a pull request adds'],
    ],
  },
  baseline: {
    summary: 'Record versions as applied without running them',
    examples: [['baseline --to 007_add_index', 'The database already has everything up to here']],
  },
  import: {
    summary: "Take over another tool's history or files",
    examples: [
      ['import --from goose --dry-run', 'Print what would be recorded'],
      ['import --files db/old --from goose --dir db/new', 'Convert the files of goose; needs no database'],
      ['import --from flyway --from-table app.flyway_schema_history', 'The table of that tool has another name'],
    ],
  },
  repair: {
    summary: 'Settle what a run refuses',
    details:
      'accept changed files, replace stored down SQL, settle or forget an incomplete migration, end a hold; prints first what it will do',
    examples: [
      ['repair --dry-run', 'Print what would be repaired'],
      ['repair --rename 002_sed=002_seed', 'The file of an applied version has a new name'],
      ['repair --only 007_add_index --statement again', 'Run a statement again whose outcome is unknown'],
      ['repair --only 007_add_index --reset', 'Forget its progress, after undoing it by hand'],
    ],
  },
  prove: {
    summary: 'Prove on a scratch database that each down undoes',
    details: 'compares the whole catalog after up, down and up again; never touches DATABASE_URL',
    examples: [
      ['prove --scratch-url postgresql://localhost/postgres', 'Every version'],
      ['prove --write', 'Keep the schema as text, for reviews and for drift'],
      ['prove --check --strict', 'For CI: a version without a way back fails, too'],
    ],
  },
  drift: {
    summary: 'Find what was changed behind the migrations',
    details: 'read-only; compares with the kept schema.txt, exits with 42',
    examples: [
      ['drift', 'Compare with schema.txt beside the migrations'],
      ['drift --ignore "public.events_*"', 'Leave out partitions that a job makes'],
    ],
  },
  lock: {
    summary: 'Show who holds the lock and who waits',
    details: 'since when, and what they do',
    examples: [['lock --terminate', "End the holder's session"]],
  },
  fleet: {
    summary: 'Show the state of every database of a fleet',
    details: 'version, pending, held, the last failure, who is at work; a database that cannot be read is a row, too',
    words: 'status',
    examples: [
      ['fleet status --targets-dir /etc/targets', 'A database for each file in the directory'],
      ['fleet status --targets-dir /etc/targets --targets eu-1,eu-2 --json', 'Only these, as one JSON document'],
    ],
  },
  create: {
    summary: 'Create a new pair of migration files',
    words: 'NAME',
    examples: [
      ['create add_users', 'For example 008_add_users.up.sql and .down.sql'],
      ['create add_users --timestamp', 'For example 20260131093000_add_users.up.sql'],
    ],
  },
  completion: {
    summary: 'Print the shell completion for bash, zsh or fish',
    details: 'without a shell, for the one in $SHELL',
    words: '[SHELL]',
    examples: [
      ['completion bash', 'For example into /etc/bash_completion.d/lockstep'],
      ['completion zsh', 'Into _lockstep, in a directory of $fpath'],
      ['completion fish', 'Into ~/.config/fish/completions/lockstep.fish'],
    ],
  },
};

export const TOPICS = Object.keys(COMMANDS) as readonly Topic[];

export const COMMAND_NAMES = TOPICS.filter((topic) => topic !== 'completion');

export function isCommand(word: string | undefined): word is CommandName {
  return isTopic(word) && word !== 'completion';
}

export function isTopic(word: string | undefined): word is Topic {
  return word !== undefined && Object.hasOwn(COMMANDS, word);
}

/** For example `create NAME`. */
export function synopsisOf(topic: Topic): string {
  const { words } = COMMANDS[topic];
  return words === undefined ? topic : `${topic} ${words}`;
}

/** What does here what a word of another migrator did there. */
export const FOREIGN_WORDS: Readonly<Record<string, string>> = {
  new: 'lockstep create NAME',
  generate: 'lockstep create NAME',
  migrate: 'lockstep up',
  apply: 'lockstep up',
  deploy: 'lockstep up',
  latest: 'lockstep up',
  rollback: 'lockstep down --steps 1',
  undo: 'lockstep down --steps 1',
  revert: 'lockstep down --steps 1',
  redo: 'lockstep down --steps 1, then lockstep up --reapply VERSION',
  reset: 'lockstep down --all --confirm DATABASE',
  drop: 'lockstep down --all --confirm DATABASE',
  goto: 'lockstep up --to VERSION, or lockstep down --to VERSION',
  force: 'lockstep baseline --to VERSION, or lockstep repair',
  init: 'lockstep create NAME for the first files; lockstep up creates its tables itself',
  info: 'lockstep status',
  list: 'lockstep status',
  pending: 'lockstep status',
};

/** The part of the help about variables and exit codes. */
export function helpEpilogue(all: boolean): string {
  const codes = Object.values(ERRORS).map(({ exit, meaning }) => `${String(exit).padStart(7)}  ${meaning}\n`);
  return `Environment:
  Every flag --a-b can be set as the variable LOCKSTEP_A_B; the flag wins.
  LOCKSTEP_DATABASE_URL, else DATABASE_URL, else the PG* variables (PGHOST,
  PGDATABASE, PGUSER, PGPASSFILE, PGSSLMODE, …) say where the database is.

Exit codes:
      0  the database is at the target
${all ? codes.join('') : ''}     2x  fix what you gave: flags, files, access
     3x  try again later: the server, the lock, what is pending
     4x  look at the database: a migration failed

More: lockstep help COMMAND, lockstep COMMAND --help-all${all ? '' : ', lockstep --help-all'}`;
}
