/** Every way a run can fail, its exit code, and the one error class that carries it. */

import type { SourceLocation } from './text/source-location.ts';
import type { Outcome } from './outcome.ts';
import type { Blocker, Holder } from './runner.ts';
import { maskPasswords } from './text/secrets.ts';

/**
 * What a Kubernetes Job should do with an exit code: give up at once, count it against `backoffLimit`, or ignore it.
 */
type JobAction = 'FailJob' | 'Count' | 'Ignore';

interface ErrorEntry {
  readonly exit: number;
  readonly job: JobAction;
  readonly meaning: string;
}

/** The tens digit says who acts: 2x the user, 3x nobody (retry), 4x a person at the database. */
export const ERRORS = {
  INTERNAL: { exit: 1, job: 'Count', meaning: 'a bug in Lockstep' },
  CONFIG_INVALID: { exit: 20, job: 'FailJob', meaning: 'flags, environment, pooler, lock key' },
  MIGRATIONS_INVALID: { exit: 21, job: 'FailJob', meaning: 'the migration files' },
  HISTORY_CONFLICT: { exit: 22, job: 'FailJob', meaning: 'the files and the history of the database disagree' },
  ACCESS_REFUSED: { exit: 23, job: 'FailJob', meaning: 'authentication, missing database, permission' },
  ROLLBACK_REFUSED: {
    exit: 24,
    job: 'FailJob',
    meaning: 'no target, no down script, irreversible, or stored SQL that cannot be trusted',
  },
  NOT_PROVEN: {
    exit: 25,
    job: 'FailJob',
    meaning: 'a down file does not lead back, or the kept schema is not what the files make',
  },
  DATABASE_UNAVAILABLE: {
    exit: 30,
    job: 'Count',
    meaning: 'the database could not be reached in time, or the connection was lost',
  },
  LOCK_TIMEOUT: { exit: 31, job: 'Count', meaning: 'another runner holds the lock' },
  CONTENTION: { exit: 32, job: 'Count', meaning: 'could not get a table lock, even after retrying' },
  PENDING: { exit: 33, job: 'Count', meaning: 'migrations are still pending' },
  OUTCOME_UNKNOWN: { exit: 34, job: 'Count', meaning: 'the connection was lost after a migration was sent' },
  HOOK_FAILED: { exit: 35, job: 'Count', meaning: 'a pre-migration hook failed; nothing was recorded' },
  MIGRATION_FAILED: { exit: 40, job: 'FailJob', meaning: 'the SQL failed; rolled back, not recorded' },
  MIGRATION_INCOMPLETE: { exit: 41, job: 'FailJob', meaning: 'a statement-by-statement migration stopped half-way' },
  DRIFTED: { exit: 42, job: 'FailJob', meaning: 'the database is not what the migrations make' },
  INTERRUPTED: { exit: 143, job: 'Ignore', meaning: 'a signal ended the run (143 SIGTERM, 130 SIGINT)' },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** The server's ErrorResponse. */
export interface ServerError {
  readonly sqlstate: string;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  readonly where?: string | undefined;
  /** Raised by RAISE in PL/pgSQL, so the SQLSTATE is its author's choice. */
  readonly raised?: boolean;
  /** It may quote values of rows, whatever its SQLSTATE is. */
  readonly mayQuoteRows?: boolean | undefined;
}

/** An earlier failure, as the journal has it: its text may be shown anywhere. */
export interface RecordedFailure {
  readonly error: string;
  readonly at?: Pick<SourceLocation, 'file' | 'line'> | undefined;
  readonly sqlstate?: string | undefined;
}

export interface ErrorDetails {
  /** If there are several problems: one line each. */
  readonly problems?: readonly string[] | undefined;
  readonly version?: string | undefined;
  readonly location?: SourceLocation | undefined;
  readonly server?: ServerError | undefined;
  /** The earlier failure that this error repeats. */
  readonly recorded?: RecordedFailure | undefined;
  /** Who holds the advisory lock. */
  readonly holder?: Holder | undefined;
  /** Which sessions hold the table lock that was needed. */
  readonly blockers?: readonly Blocker[] | undefined;
  /** What the run did before it failed. */
  readonly outcome?: Outcome | undefined;
  /** The error may go away when the file or the command yields another secret. */
  readonly awaitsSecret?: boolean | undefined;
  /** What interrupted the run. */
  readonly signal?: 'SIGINT' | 'SIGTERM' | undefined;
}

interface MigratorErrorInit extends ErrorDetails {
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

const RUN_AGAIN = 'run the command again; it continues from the state of the database';

/** By the tens digit of the exit code, which says who acts. */
const NEXT_STEPS: Readonly<Record<number, string>> = {
  2: 'correct this, then run the command again',
  4: 'see "lockstep history" for what was done, correct the cause, then run the command again',
};

/** 128 + the signal's number, as shells report it. */
const SIGINT_EXIT = 130;

/**
 * The only error that Lockstep throws on purpose: what failed, why, and what to do next. Passwords in it are masked.
 */
export class MigratorError extends Error {
  override readonly name = 'MigratorError';
  readonly code: ErrorCode;
  readonly summary: string;
  readonly hint: string | undefined;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, summary: string, init: MigratorErrorInit = {}) {
    const { hint, cause, problems, server, ...details } = init;
    const masked = maskPasswords(summary);
    super(masked, { cause });
    this.code = code;
    this.summary = masked;
    this.hint = hint;
    this.details = {
      ...details,
      ...(problems && { problems: problems.map(maskPasswords) }),
      ...(server && { server: withoutPasswords(server) }),
    };
  }

  get exit(): number {
    return this.details.signal === 'SIGINT' ? SIGINT_EXIT : ERRORS[this.code].exit;
  }

  /** What to do next: the hint, else a default for the exit code's tens digit. */
  get next(): string {
    return this.hint ?? NEXT_STEPS[Math.floor(ERRORS[this.code].exit / 10)] ?? RUN_AGAIN;
  }

  /** The same error with more facts. */
  with(more: MigratorErrorInit): MigratorError {
    return new MigratorError(this.code, this.summary, {
      ...this.details,
      hint: this.hint,
      cause: this.cause,
      ...more,
    });
  }
}

function withoutPasswords(server: ServerError): ServerError {
  const { message, detail, hint, where } = server;
  return {
    ...server,
    message: maskPasswords(message),
    ...(detail !== undefined && { detail: maskPasswords(detail) }),
    ...(hint !== undefined && { hint: maskPasswords(hint) }),
    ...(where !== undefined && { where: maskPasswords(where) }),
  };
}

/** `error` as a MigratorError: anything unexpected is INTERNAL. */
export function toMigratorError(error: unknown): MigratorError {
  if (error instanceof MigratorError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new MigratorError('INTERNAL', `unexpected error: ${message}`, {
    cause: error,
    hint: 'this is a bug in Lockstep: please report it with the log of this run; --log-format=json includes the stack',
  });
}
