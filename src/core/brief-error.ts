/** What of an error may leave the log: no rows (DETAIL), no line of SQL, no query of another session, no password. */
import type { ErrorCode, MigratorError } from './errors.ts';
import { cutBytes, oneLine } from './one-line.ts';

export interface BriefError {
  readonly code: ErrorCode;
  /** What failed. */
  readonly summary: string;
  /** The server's first line, else each problem. */
  readonly why: readonly string[];
  readonly sqlstate?: string;
  readonly version?: string;
  readonly file?: string;
  readonly line?: number;
  /** What to do next. */
  readonly next?: string;
}

export function briefError({ code, summary, hint, details }: MigratorError): BriefError {
  const { version, location, server, problems = [], blockers } = details;
  // With blockers, problems quote their queries.
  const why = server ? [firstLine(server.message)] : blockers ? [] : problems;
  return {
    code,
    summary: oneLine(summary),
    why: why.map(oneLine),
    ...(server && { sqlstate: server.sqlstate }),
    ...(version !== undefined && { version: oneLine(version) }),
    ...(location && { file: oneLine(location.file), line: location.line }),
    ...(hint !== undefined && { next: oneLine(hint) }),
  };
}

/** One sentence: what failed, where, why, what to do next; at most `max` bytes, and what to do next is what goes first. */
export function describeBriefly(error: MigratorError, max: number): string {
  const { summary, why, sqlstate, file, line, next } = briefError(error);
  const at = file === undefined ? '' : ` (${summary.includes(file) ? 'line ' : `${file}:`}${line})`;
  const state = sqlstate === undefined ? '' : ` (SQLSTATE ${sqlstate})`;
  const reason = why.length === 0 ? '' : `: ${why.join('; ')}${state}`;
  const advice = next === undefined ? '' : `. Next: ${next}`;
  return cutBytes(`${summary}${at}${reason}${advice}`, max);
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? '';
}
