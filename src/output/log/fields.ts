/** An error and a lock holder, as fields of a log line. */
import type { MigratorError, ServerError } from '../../core/errors.ts';
import type { JournalEntry } from '../../core/history.ts';
import type { Holder } from '../../core/runner.ts';

/** All facts of an error. Only the log shows the rows in DETAIL and the line of SQL. */
export function errorFields(error: MigratorError): Record<string, unknown> {
  const { problems, version, location, server, recorded, holder, blockers } = error.details;
  return {
    code: error.code,
    exit: error.exit,
    summary: error.summary,
    next: error.next,
    ...(problems !== undefined && { problems }),
    ...(version !== undefined && { version }),
    ...(location && { file: location.file, line: location.line, column: location.column, sql: location.text }),
    ...(recorded && { recorded }),
    ...(server && wordsOf(server)),
    ...(holder && { holder: holderFields(holder) }),
    ...(blockers && { blockers }),
    ...(error.code === 'INTERNAL' && error.cause instanceof Error && { stack: error.cause.stack }),
  };
}

/** The server's texts. */
function wordsOf({ mayQuoteRows: _, ...words }: ServerError): Record<string, unknown> {
  return words;
}

/** A failure that the journal has. */
export function failureFields(failure: JournalEntry): Record<string, unknown> {
  const { at, run, code, error, file, line, sqlstate, runner, release } = failure;
  return { at: at.toISOString(), run, code, error, file, line, sqlstate, runner, release };
}

/** A session that holds the lock or waits for it. */
export function holderFields({ pid, applicationName, since, doing }: Holder): Record<string, unknown> {
  return { pid, applicationName, ...(since && { since: since.toISOString() }), ...(doing !== undefined && { doing }) };
}
