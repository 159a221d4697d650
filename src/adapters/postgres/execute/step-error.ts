/** What a server error means while a migration runs. */
import { MigratorError, type ErrorCode, type ServerError } from '../../../core/errors.ts';
import type { Direction } from '../../../core/migration.ts';
import type { StepScript } from '../../../core/ports.ts';
import type { Unit, Unread } from '../../../core/sql/script-plan.ts';
import { withoutQuoted } from '../../../core/text/secrets.ts';
import { quotesOthers } from '../../../core/server-words.ts';
import { locate } from '../../../core/text/source-location.ts';
import { COPY_THROUGH_CLIENT } from '../../../core/sql/copy-through-client.ts';
import type { Message, OwnStatement } from '../wire/message.ts';
import type { Relation } from '../state/relation.ts';
import { journalName } from '../state/relation.ts';
import { codeForSqlstate, serverErrorOf } from '../wire/sqlstate.ts';
import { resultsBefore } from '../wire/simple-query.ts';

const SYNTAX_ERROR = '42601';

const HINTS: Readonly<Record<string, string>> = {
  '25001': 'this statement cannot run in a transaction: add "-- lockstep: no-transaction" at the top of the file',
  '2D000':
    'a procedure that commits cannot run in our transaction: add "-- lockstep: no-transaction" at the top of the file',
  '55P04': 'a new enum value can be used only after it was committed: split the file in two',
  '57014': 'it was cancelled, or ran into a statement_timeout (--statement-timeout): give it more time, or run again',
};
const INSIDE = 'this statement cannot run inside a function, procedure or DO block: write it by itself';
/** The directive has no effect in a file that could not be split into statements. */
const UNREAD_HINTS: Readonly<Record<string, string>> = {
  '25001':
    'this statement cannot run in a transaction, and this file cannot be read and split: move the statement into a file of its own',
  '2D000':
    'a procedure that commits cannot run in our transaction, and this file cannot be read and split: move the call into a file of its own',
};

/** For a whole file, which is one transaction. */
const NEXT: Partial<Record<ErrorCode, string>> = {
  MIGRATION_FAILED: 'correct the file and run again; nothing of it was applied',
  CONTENTION: 'run again when the other sessions are done; nothing of it was applied',
  DATABASE_UNAVAILABLE: 'run again; nothing of it was applied',
};

/** What failed is the stored text: a corrected file differs from it. */
const NEXT_OF_DOWN: typeof NEXT = {
  ...NEXT,
  MIGRATION_FAILED: 'correct the down file, then run the same again with --from files; nothing of it was rolled back',
};

/** For one statement of a file. */
const NEXT_OF_STATEMENT: typeof NEXT = {
  MIGRATION_FAILED: 'correct this statement and run again',
  CONTENTION: 'run again when the other sessions are done; it goes on with this statement',
  DATABASE_UNAVAILABLE: 'run again; it goes on with this statement',
};

/** Facts of pg's error that `ServerError` does not carry. */
interface ErrorFields {
  readonly position?: string;
  readonly internalQuery?: string;
  /** We refused to send rows; the server reports that as a cancel. */
  readonly copyRefused?: boolean;
}

/** The error of a step's message as a MigratorError; a lost connection leaves the outcome unknown. */
export function stepError(
  error: unknown,
  step: StepScript,
  sent: {
    readonly message: Message;
    readonly relation: Relation;
    readonly unit?: Unit;
    readonly unread?: Unread | undefined;
  },
): MigratorError {
  // The session that has one of our tables locked is known already.
  if (error instanceof MigratorError && error.details.blockers) return error.with({ version: step.version });
  const server = serverErrorOf(error);
  if (!server) return withoutServerError(error, step);
  const fields = (error as Error).cause as ErrorFields;
  const what = `${step.script.file} failed`;
  const position = placeIn(sent.message, fields);
  const ours =
    swallowed(server, fields, step, sent) ??
    ownError(sent.message.ownFailure(resultsBefore(error)), server.sqlstate, step, sent);
  if (ours) return ours;
  const code = codeOf(server, fields);
  // An error without a position (a constraint, a lock) is located at its statement: the one after those that finished.
  const offset = position ?? sent.message.statementOffset(resultsBefore(error).length) ?? sent.unit?.offset;
  // The server may quote the text before the position; without a position, any of it.
  const before = position === undefined ? step.script.text : step.script.text.slice(0, position);
  return new MigratorError(code, what, {
    version: step.version,
    server: {
      ...(server.sqlstate === SYNTAX_ERROR ? withoutSource(server, before) : server),
      ...(mayQuoteRows(server, fields, step) && { mayQuoteRows: true }),
    },
    ...(offset !== undefined && { location: locate(step.script.file, step.script.text, offset) }),
    ...(sent.unit && {
      problems: [`statement ${sent.unit.index} of the file; those before it are done and will not run again`],
    }),
    hint:
      fields.copyRefused === true
        ? COPY_THROUGH_CLIENT
        : hintFor(server.sqlstate, code, {
            ...sent,
            direction: step.direction,
            directed: step.script.directives.noTransaction,
          }),
    cause: error,
  });
}

/** Where in the file the server's position is. */
function placeIn(message: Message, { position }: ErrorFields): number | undefined {
  return position === undefined ? undefined : message.sourceOffset(Number(position));
}

/** An unclosed string or comment swallows what we send behind the file: the server's message would quote our text. */
function swallowed(
  { sqlstate, message: words }: ServerError,
  fields: ErrorFields,
  { version, script }: StepScript,
  { message, unread }: { readonly message: Message; readonly unread?: Unread | undefined },
): MigratorError | undefined {
  const position = placeIn(message, fields);
  if (!unread || sqlstate !== SYNTAX_ERROR || fields.position === undefined || !message.quotesOurs(words, position))
    return undefined;
  const offset = position ?? unread.at;
  return new MigratorError(
    'MIGRATION_FAILED',
    `${script.file} failed: a string, a quoted name or a comment in it is not closed`,
    {
      version,
      ...(offset !== undefined && { location: locate(script.file, script.text, offset) }),
      hint: NEXT.MIGRATION_FAILED,
    },
  );
}

function codeOf({ sqlstate }: ServerError, { copyRefused }: ErrorFields): ErrorCode {
  return (copyRefused === true ? undefined : codeForSqlstate(sqlstate, 'in-step')) ?? 'MIGRATION_FAILED';
}

/** The error is of a dynamic query; or it has no place in the file, and quotes text that is not in the file. */
function mayQuoteRows(
  { sqlstate, message }: ServerError,
  { position, internalQuery }: ErrorFields,
  { script }: StepScript,
): boolean {
  if (internalQuery !== undefined) return !script.text.includes(internalQuery.trim());
  return position === undefined && sqlstate.startsWith('42') && quotesOthers(message, script.text);
}

/** A syntax error quotes the script. */
function withoutSource(server: ServerError, before: string): ServerError {
  const { message, where } = server;
  return {
    ...server,
    message: withoutQuoted(message, before),
    ...(where !== undefined && { where: withoutQuoted(where, before) }),
  };
}

function hintFor(
  sqlstate: string,
  code: ErrorCode,
  {
    unit,
    unread,
    directed,
    direction,
  }: {
    readonly unit?: Unit;
    readonly unread?: Unread | undefined;
    readonly directed: boolean;
    readonly direction: Direction;
  },
): string | undefined {
  if (unread && UNREAD_HINTS[sqlstate] !== undefined) return UNREAD_HINTS[sqlstate];
  if (directed && unit && sqlstate === '25001') return INSIDE;
  const next = (unit ? NEXT_OF_STATEMENT : direction === 'up' ? NEXT : NEXT_OF_DOWN)[code];
  const files = direction === 'down' && unit && code === 'MIGRATION_FAILED' ? `${next}, with --from files` : next;
  return HINTS[sqlstate] ?? files;
}

function withoutServerError(error: unknown, step: StepScript): MigratorError {
  if (error instanceof MigratorError && error.code !== 'DATABASE_UNAVAILABLE') {
    return error.with({ version: step.version });
  }
  return new MigratorError(
    'OUTCOME_UNKNOWN',
    `the connection was lost while ${step.version} was running; the server may have committed it`,
    {
      version: step.version,
      cause: error,
      hint: 'run again: the next run reads from the database whether it was applied',
    },
  );
}

/** There is no such table, or schema. */
const TABLE_GONE: ReadonlySet<string> = new Set(['42P01', '3F000']);

/** Our statements around the file use only our two tables. */
function tablesGone(step: StepScript, { schema, name }: Relation): MigratorError {
  return new MigratorError(
    'MIGRATION_FAILED',
    `${step.script.file} drops the tables of Lockstep, or the schema "${schema}" in which they are; it was not recorded`,
    {
      version: step.version,
      hint: `leave ${schema}.${name} and ${schema}.${journalName(name)} out of what the file drops, or keep them in another schema (--table schema.name)`,
    },
  );
}

/** Errors of our own statements inside the migration's transaction. */
function ownError(
  failed: OwnStatement | undefined,
  sqlstate: string,
  step: StepScript,
  { relation, unread }: { readonly relation: Relation; readonly unread?: Unread | undefined },
): MigratorError | undefined {
  const { version, script } = step;
  const { name } = relation;
  const refused = (why: string, hint: string): MigratorError =>
    new MigratorError('MIGRATION_FAILED', `${script.file} ${why}`, { version, hint });
  // The server stopped, or the session ended, during a statement of ours.
  if (codeForSqlstate(sqlstate, 'in-step') !== undefined) return undefined;
  switch (failed) {
    case 'lock':
      return refused(
        'gave up the lock of this run; it was rolled back',
        'remove pg_advisory_unlock… and pg_advisory_unlock_all() from the migration',
      );
    case 'guard':
    case 'record':
    case 'journal':
      if (TABLE_GONE.has(sqlstate)) return tablesGone(step, relation);
      if (unread) {
        return refused(
          'ended the transaction that it ran in; it was not recorded',
          'remove COMMIT and ROLLBACK from the file; what it did after the first of them may be in the database',
        );
      }
      return refused(
        `changed ${name} or ${journalName(name)}, in which it is recorded; it was rolled back`,
        'the file must not write, truncate, rename, alter or drop either table, nor put rules or triggers on them',
      );
    case 'row':
      if (sqlstate !== '23505') return undefined;
      return new MigratorError(
        'HISTORY_CONFLICT',
        `${version} was recorded meanwhile by a runner that does not hold the lock`,
        {
          version,
          hint: 'stop the other runner, or give it the same lock key, and run again',
        },
      );
    case 'tables':
    case undefined:
      return undefined;
  }
}
