/**
 * The part of an error that may be shown outside the log: no rows (DETAIL, quoted values), no SQL, no other session's
 * query, no password.
 */
import type { ErrorCode, MigratorError } from './errors.ts';
import { cutBytes, oneLine } from './text/one-line.ts';
import { describeBlocker } from './runner.ts';
import { publicWords } from './server-words.ts';

/** The texts of an error that may be shown anywhere. */
export interface PublicWords {
  readonly summary: string;
  /** The server's. */
  readonly message?: string;
  readonly serverHint?: string;
  readonly problems?: readonly string[];
}

/** The one place that decides it; every output except the log and the text on stderr uses this. */
export function publicWordsOf({ summary, details: { server, problems, blockers } }: MigratorError): PublicWords {
  const words = server && publicWords(server);
  return {
    // Some summaries repeat what the server said.
    summary: words ? summary.replaceAll(server.message, () => words.message) : summary,
    ...(words && { message: words.message, ...(words.hint !== undefined && { serverHint: words.hint }) }),
    // The problems of an error with blockers quote the blockers' queries.
    ...(blockers
      ? { problems: blockers.map(({ query: _, ...blocker }) => describeBlocker(blocker)) }
      : problems && { problems }),
  };
}

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

export function briefError(error: MigratorError): BriefError {
  const { code, hint, details } = error;
  const { version, server, recorded } = details;
  const location = details.location ?? recorded?.at;
  const sqlstate = server?.sqlstate ?? recorded?.sqlstate;
  const { summary, message, problems = [] } = publicWordsOf(error);
  const why = message === undefined ? problems : [firstLine(message)];
  return {
    code,
    summary: oneLine(summary),
    why: why.map(oneLine),
    ...(sqlstate !== undefined && { sqlstate }),
    ...(version !== undefined && { version: oneLine(version) }),
    ...(location && { file: oneLine(location.file), line: location.line }),
    ...(hint !== undefined && { next: oneLine(hint) }),
  };
}

/** One sentence: what failed, where, why, what to do next; cut at the end to `max` bytes. */
export function describeBriefly(error: MigratorError, max: number): string {
  const { summary, why, sqlstate, file, line, next } = briefError(error);
  const at = file === undefined ? '' : ` (${summary.includes(file) ? 'line ' : `${file}:`}${line})`;
  // What the journal says of an earlier failure ends with it.
  const state = sqlstate === undefined || error.details.recorded ? '' : ` (SQLSTATE ${sqlstate})`;
  // Some summaries end with the server's words already.
  const more = why.filter((words) => !summary.includes(words));
  const reason = more.length === 0 ? state : `: ${more.join('; ')}${state}`;
  const advice = next === undefined ? '' : `. Next: ${next}`;
  return cutBytes(`${summary}${at}${reason}${advice}`, max);
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? '';
}
