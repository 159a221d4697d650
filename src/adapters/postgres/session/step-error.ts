/** What a server error means while a migration runs. */
import { MigratorError, type ErrorCode, type ServerError } from '../../../core/errors.ts';
import type { StepScript } from '../../../core/ports.ts';
import type { Unit } from '../../../core/sql/script-plan.ts';
import { withoutQuoted } from '../../../core/secrets.ts';
import { locate } from '../../../core/source-location.ts';
import type { Message } from './message.ts';
import type { Relation } from './relation.ts';
import { journalName } from './relation.ts';
import { codeForSqlstate, serverErrorOf } from '../sqlstate.ts';
import { resultsBefore } from './simple-query.ts';

const SYNTAX_ERROR = '42601';

const HINTS: Readonly<Record<string, string>> = {
  '25001': 'this statement cannot run in a transaction: add "-- lockstep: no-transaction" at the top of the file',
  '2D000': 'a procedure that commits cannot run in our transaction: add "-- lockstep: no-transaction" at the top of the file',
  '55P04': 'a new enum value can be used only after it was committed: split the file in two',
  '57014': 'it was cancelled, or ran into a statement_timeout (--statement-timeout): give it more time, or run again',
};
const INSIDE = 'this statement cannot run inside a function, procedure or DO block: write it by itself';
/** In a file that nobody could split into statements the directive has no effect. */
const UNREAD_HINTS: Readonly<Record<string, string>> = {
  '25001': 'this statement cannot run in a transaction, and this file cannot be read and split: move the statement into a file of its own',
  '2D000': 'a procedure that commits cannot run in our transaction, and this file cannot be read and split: move the call into a file of its own',
};

/** Of a whole file, which is one transaction. */
const NEXT: Partial<Record<ErrorCode, string>> = {
  MIGRATION_FAILED: 'correct the file and run again; nothing of it was applied',
  CONTENTION: 'run again when the other sessions are done; nothing of it was applied',
  DATABASE_UNAVAILABLE: 'run again; nothing of it was applied',
};

/** Of one statement of a file. */
const NEXT_OF_STATEMENT: typeof NEXT = {
  MIGRATION_FAILED: 'correct this statement and run again',
  CONTENTION: 'run again when the other sessions are done; it goes on with this statement',
  DATABASE_UNAVAILABLE: 'run again; it goes on with this statement',
};

/** Facts of pg's error that `ServerError` does not carry. */
interface ErrorFields {
  readonly position?: string;
  readonly table?: string;
  readonly column?: string;
}

/** The error of a step's message as a MigratorError; a lost connection leaves the outcome unknown. */
export function stepError(
  error: unknown,
  step: StepScript,
  sent: { readonly message: Message; readonly relation: Relation; readonly unit?: Unit; readonly unread?: boolean },
): MigratorError {
  const server = serverErrorOf(error);
  if (!server) return withoutServerError(error, step);
  const fields = (error as Error).cause as ErrorFields;
  const what = `${step.script.file} failed`;
  const position = fields.position === undefined ? undefined : sent.message.sourceOffset(Number(fields.position));
  const isInOurs = fields.position !== undefined && position === undefined;
  const ours = isInOurs && TABLE_GONE.has(server.sqlstate) ? tablesGone(step, sent.relation) : tableError(server.sqlstate, fields, step, sent);
  if (ours) return ours;
  const code = codeForSqlstate(server.sqlstate, 'in-step') ?? 'MIGRATION_FAILED';
  // Without a position (a constraint, a lock) the statement itself is the place: the one after those that are finished.
  const offset = position ?? sent.unit?.offset ?? sent.message.statementOffset(resultsBefore(error).length);
  // The text that may be quoted ends before the place; without a place it is any of it.
  const before = position === undefined ? step.script.text : step.script.text.slice(0, position);
  return new MigratorError(code, what, {
    version: step.version,
    server: server.sqlstate === SYNTAX_ERROR ? withoutSource(server, before) : server,
    ...(offset !== undefined && { location: locate(step.script.file, step.script.text, offset) }),
    ...(sent.unit && { problems: [`statement ${sent.unit.index} of the file; those before it are done and will not run again`] }),
    hint: hintFor(server.sqlstate, code, { ...sent, directed: step.script.directives.noTransaction }),
    cause: error,
  });
}

/** A syntax error quotes the script. */
function withoutSource(server: ServerError, before: string): ServerError {
  const { message, where } = server;
  return { ...server, message: withoutQuoted(message, before), ...(where !== undefined && { where: withoutQuoted(where, before) }) };
}

function hintFor(
  sqlstate: string,
  code: ErrorCode,
  { unit, unread, directed }: { readonly unit?: Unit; readonly unread?: boolean; readonly directed: boolean },
): string | undefined {
  if (unread === true && UNREAD_HINTS[sqlstate] !== undefined) return UNREAD_HINTS[sqlstate];
  if (directed && unit && sqlstate === '25001') return INSIDE;
  return HINTS[sqlstate] ?? (unit ? NEXT_OF_STATEMENT : NEXT)[code];
}

function withoutServerError(error: unknown, step: StepScript): MigratorError {
  if (error instanceof MigratorError && error.code !== 'DATABASE_UNAVAILABLE') {
    return error.with({ version: step.version });
  }
  return new MigratorError(
    'OUTCOME_UNKNOWN',
    `the connection was lost while ${step.version} was running; the server may have committed it`,
    { version: step.version, cause: error, hint: 'run again: the next run reads from the database whether it was applied' },
  );
}

/** There is no such table, or schema. */
const TABLE_GONE: ReadonlySet<string> = new Set(['42P01', '3F000']);

/** Our statements around the file name nothing but our two tables. */
function tablesGone(step: StepScript, { schema, name }: Relation): MigratorError {
  return new MigratorError('MIGRATION_FAILED', `${step.script.file} drops the tables of Lockstep, or the schema "${schema}" in which they are; it was not recorded`, {
    version: step.version,
    hint: `leave ${schema}.${name} and ${schema}.${journalName(name)} out of what the file drops, or keep them in another schema (--table schema.name)`,
  });
}

/** Errors of our own rows inside the migration's transaction. */
function tableError(
  sqlstate: string,
  { table, column }: ErrorFields,
  step: StepScript,
  { relation, unread }: { readonly relation: Relation; readonly unread?: boolean },
): MigratorError | undefined {
  if (sqlstate === '23502' && table === journalName(relation.name) && column === 'event') {
    return new MigratorError('MIGRATION_FAILED', `${step.script.file} gave up the lock of this run; it was rolled back`, {
      version: step.version,
      hint: 'take pg_advisory_unlock… and pg_advisory_unlock_all() out of the migration',
    });
  }
  if (sqlstate === '23502' && table === journalName(relation.name) && column === 'run' && unread !== true) {
    return new MigratorError('MIGRATION_FAILED', `${step.script.file} took its own record out of ${relation.name}; it was rolled back`, {
      version: step.version,
      hint: `leave ${relation.name} and ${journalName(relation.name)} out of what the file deletes, truncates or drops`,
    });
  }
  if (sqlstate === '23502' && table === journalName(relation.name) && column === 'run') {
    return new MigratorError('MIGRATION_FAILED', `${step.script.file} ended the transaction that it ran in; it was not recorded`, {
      version: step.version,
      hint: 'take COMMIT and ROLLBACK out of the file; what it did after the first of them may be in the database',
    });
  }
  if (sqlstate === '23505' && table === relation.name) {
    return new MigratorError('HISTORY_CONFLICT', `${step.version} was recorded meanwhile by a runner that does not hold the lock`, {
      version: step.version,
      hint: 'stop the other runner, or give it the same lock key, and run again',
    });
  }
  return undefined;
}
