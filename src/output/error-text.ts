/** A failure as people read it on stderr: what failed, why, and what to do next. */
import { ERRORS, type MigratorError } from '../core/errors.ts';
import { printableLines } from '../core/text/printable.ts';
import { caretLines } from '../core/text/source-location.ts';

/** Three parts, each line below the first indented. Ends without a line break. */
export function formatError(error: MigratorError): string {
  return [
    ...part('error:', [errorLine(error), ...place(error)]),
    ...part('why:', why(error)),
    ...part('next:', [error.next]),
  ].join('\n');
}

function part(label: string, lines: readonly string[]): string[] {
  return lines.flatMap(printableLines).map((line, index) => `${index === 0 ? label.padEnd(7) : ' '.repeat(7)}${line}`);
}

function place({ details: { location, recorded } }: MigratorError): string[] {
  if (recorded?.at) return [`${recorded.at.file}:${recorded.at.line}`];
  return location ? [`${location.file}:${location.line}:${location.column}`, ...caretLines(location)] : [];
}

/** What failed. */
export function errorLine({ summary, code }: MigratorError): string {
  return `${summary} (${code})`;
}

function why(error: MigratorError): readonly string[] {
  const reasons = reasonsOf(error);
  return reasons.length > 0 ? reasons : [ERRORS[error.code].meaning];
}

/** Why, in the words of the server as a rule; nothing where there is no more to say than what failed. */
export function reasonsOf({ code, cause, details: { server, problems = [] } }: MigratorError): readonly string[] {
  if (server) {
    return [
      `${server.message} (SQLSTATE ${server.sqlstate})`,
      ...(server.detail === undefined ? [] : [`detail: ${server.detail}`]),
      ...(server.hint === undefined ? [] : [`hint: ${server.hint}`]),
      ...problems,
    ];
  }
  if (problems.length > 0) return problems;
  // Its stack is for those who mend it: the log in JSON has it.
  return code === 'INTERNAL' && cause instanceof Error ? [`${cause.name}: ${cause.message}`] : [];
}
