/** A failure on a terminal: as everywhere, but no wider than it, and without a reason that says less than the error. */
import type { MigratorError } from '../../core/errors.ts';
import { printableLines } from '../../core/text/printable.ts';
import { caretLines } from '../../core/text/source-location.ts';
import { errorLine, reasonsOf } from '../error-text.ts';
import type { Color, Paint } from './paint.ts';
import { wrap } from './width.ts';

const INDENT = 7;

export function terminalError(error: MigratorError, paint: Paint, columns: number): string[] {
  const { location } = error.details;
  const room = Math.max(20, columns - INDENT - 1);
  const wrapped = (lines: readonly string[]): string[] =>
    lines.flatMap(printableLines).flatMap((line) => wrap(line, room));
  const part = (label: string, color: Color, lines: readonly string[]): string[] =>
    lines.map((line, index) => `${index === 0 ? paint(color, label.padEnd(INDENT)) : ' '.repeat(INDENT)}${line}`);
  const place = location ? [`${location.file}:${location.line}:${location.column}`] : [];
  const sql = location ? caretLines(location, room).flatMap(printableLines) : [];
  return [
    ...part('error:', 'red', [...wrapped([errorLine(error), ...place]), ...sql]),
    ...part('why:', 'plain', wrapped(reasonsOf(error))),
    ...part('next:', 'plain', wrapped([error.next])),
  ];
}
