/** What each command is for, and examples of it: the words of the help. */
import { ERRORS } from '../core/errors.ts';
import type { CommandName } from '../core/runner.ts';

interface CommandEntry {
  readonly summary: string;
  /** Command lines after `lockstep`, each with what it does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
}

export const COMMANDS: Readonly<Record<CommandName, CommandEntry>> = {
  up: {
    summary: 'Apply what is pending',
    examples: [
      ['up', 'Apply everything that is pending'],
      ['up --to 007_add_index', 'Stop after this version'],
      ['up --dry-run', 'Say what would be applied'],
      ['up --reapply 007_add_index', 'Apply a version although it is held'],
    ],
  },
  down: {
    summary: 'Roll back; never without a target',
    examples: [
      ['down --steps 1', 'Roll back the newest applied version'],
      ['down --to 007_add_index', 'Roll back everything after this version'],
      ['down --to-files --dry-run', 'Show what would be run to go back to these files, and what it would destroy'],
      ['down --all --confirm shop', 'Roll back everything in the database "shop"'],
    ],
  },
  wait: {
    summary: 'Wait until nothing is pending; only reads',
    examples: [['wait --timeout 5m', 'Give up after five minutes with exit code 33']],
  },
  status: {
    summary: 'Show every version: applied, pending, in part, held, unknown, changed, out of order',
    examples: [
      ['status', 'A table'],
      ['status --exit-code', 'Exit with 33 while something is pending'],
    ],
  },
  history: {
    summary: 'Show the journal: who, where, when, how long, how it ended',
    examples: [['history --json', 'As one JSON document']],
  },
  validate: {
    summary: 'Check the files without a database: names, pairs, SQL syntax, hazards',
    examples: [['validate --dir ./migrations --strict', 'For CI: hazards fail too']],
  },
  baseline: {
    summary: 'Record versions as applied without running them',
    examples: [['baseline --to 007_add_index', 'The database already has everything up to here']],
  },
  import: {
    summary: "Take over another tool's history, or its files",
    examples: [
      ['import --from goose --dry-run', 'Say what would be recorded'],
      ['import --files db/old --from goose --dir db/new', 'Write the files of goose in our form; no database is asked'],
      ['import --from flyway --from-table app.flyway_schema_history', 'Where its table is called otherwise'],
    ],
  },
  repair: {
    summary:
      'Accept changed files, replace stored down SQL, settle or forget an incomplete migration, end a hold; says first what it will do',
    examples: [
      ['repair --dry-run', 'Say what would be repaired'],
      ['repair --rename 002_sed=002_seed', 'The file of an applied version got another name'],
      ['repair --only 007_add_index --statement again', 'Let a statement whose end nobody knows run again'],
      ['repair --only 007_add_index --reset', 'Forget which of its statements are done, after undoing them by hand'],
    ],
  },
  lock: {
    summary: 'Show who holds the lock, who waits, since when, doing what',
    examples: [['lock --terminate', 'End the session of the holder']],
  },
  create: {
    summary: 'Make a new pair of migration files',
    examples: [['create add_users', 'For example 008_add_users.up.sql and 008_add_users.down.sql']],
  },
};

export const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];

export function isCommand(word: string | undefined): word is CommandName {
  return word !== undefined && Object.hasOwn(COMMANDS, word);
}

/** The part of the help about variables and exit codes. */
export function helpEpilogue(): string {
  const codes = Object.values(ERRORS).map(({ exit, meaning }) => `  ${String(exit).padStart(3)}  ${meaning}`);
  return `ENVIRONMENT
  Every flag --a-b can be given as the variable LOCKSTEP_A_B; a flag wins.
  LOCKSTEP_DATABASE_URL, else DATABASE_URL, else the PG* variables (PGHOST,
  PGDATABASE, PGUSER, PGPASSFILE, PGSSLMODE, …) say where the database is.

EXIT CODES
    0  the database is at the target
${codes.join('\n')}
  2x: fix what you gave. 3x: try again later. 4x: look at the database.

lockstep <command> --help explains a command.`;
}
