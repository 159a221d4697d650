// Answers: how do results look? Tables in Markdown, which read well in a terminal too.
import { isMet, type Check, type Result, type Row } from '../goals/goal.ts';

export function resultText({ tables, checks, notes = [] }: Result): string {
  const parts = tables.map(({ title, columns, rows }) => `${title}:\n\n${table(columns, rows)}`);
  if (checks.length > 0) parts.push(checksText(checks));
  return [...parts, ...notes].join('\n\n');
}

function checksText(checks: readonly Check[]): string {
  const rows = checks.map((check) => {
    const unit = check.unit === undefined ? '' : ` ${check.unit}`;
    const bound = `${check.atLeast === true ? '≥' : '≤'} ${check.bound}${unit}`;
    const met = { true: 'yes', false: 'no', undefined: 'not measured' }[`${isMet(check)}`];
    return [check.what, check.measured === undefined ? undefined : `${figure(check.measured)}${unit}`, bound, met];
  });
  return table(['goal', 'measured', 'bound', 'met'], rows);
}

function table(columns: readonly string[], rows: readonly Row[]): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? figure(cell) : (cell ?? '–'))));
  const widths = columns.map((column, index) =>
    Math.max(3, column.length, ...cells.map((row) => (row[index] ?? '').length)),
  );
  // A column of figures is to the right.
  const right = columns.map((_, index) => rows.some((row) => typeof row[index] === 'number'));
  const pad = (text: string, index: number): string =>
    right[index] === true ? text.padStart(widths[index] ?? 0) : text.padEnd(widths[index] ?? 0);
  const line = (row: readonly string[]): string => `| ${row.map(pad).join(' | ')} |`;
  const rule = `|${widths.map((width, index) => (right[index] === true ? `${'-'.repeat(width + 1)}:` : '-'.repeat(width + 2))).join('|')}|`;
  return [line(columns), rule, ...cells.map(line)].join('\n');
}

/** Three digits, or all of a larger number. */
function figure(value: number): string {
  if (Number.isInteger(value) || value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}
