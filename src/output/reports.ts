/**
 * What commands print for people on stdout: tables, reports and their last line. `columns` is the width of the
 * terminal.
 */
import type { JournalEntry } from '../core/history.ts';
import { describeHeldVersion } from '../core/plan/held-versions.ts';
import { describeInPart, waysOut } from '../core/plan/in-part.ts';
import type { VersionStatus } from '../core/plan/plan.ts';
import { printableLine } from '../core/text/printable.ts';
import type { ConvertReport, LockReport, RepairReport, ValidateReport } from '../core/reports.ts';
import type { Finding } from '../core/rules/finding.ts';
import { describeHolder } from '../core/runner.ts';
import { columnsOf, fit } from './terminal/width.ts';
import { counted } from './words.ts';

export function formatStatus(rows: readonly VersionStatus[], columns = Infinity): string {
  if (rows.length === 0) return 'no migrations';
  const counts = new Map<string, number>();
  for (const { state } of rows) counts.set(state, (counts.get(state) ?? 0) + 1);
  const summary = [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
  const holds = rows.flatMap(({ hold }) => (hold ? printableLine(`held: ${describeHeldVersion(hold)}`) : []));
  const inPart = rows.flatMap((row) =>
    row.inPart
      ? printableLine(
          `in part: ${describeInPart(row.inPart)}; unless a runner is working on it: ${waysOut(row.inPart)}`,
        )
      : [],
  );
  const invalid = rows.flatMap(({ version, invalidIndexes = [] }) =>
    invalidIndexes.map((name) =>
      printableLine(
        `INVALID: index ${name} of ${version}, which no query uses; rebuild it: REINDEX INDEX CONCURRENTLY ${name}`,
      ),
    ),
  );
  const states = table(
    ['VERSION', 'STATE', 'APPLIED AT'],
    rows.map((row) => [row.version, row.state, row.appliedAt?.toISOString() ?? '']),
    columns,
  );
  return [...states, '', ...holds, ...inPart, ...invalid, summary].join('\n');
}

export function formatHistory(entries: readonly JournalEntry[], columns = Infinity): string {
  if (entries.length === 0) return 'the journal is empty';
  const rows = entries.map((entry) => [
    entry.at.toISOString(),
    entry.statement === undefined ? entry.event : `${entry.event} ${entry.statement}`,
    entry.version ?? entry.command ?? '',
    entry.durationMs === undefined ? '' : `${entry.durationMs} ms`,
    entry.runner ?? '',
    entry.release ?? '',
    entry.file === undefined ? (entry.error ?? '') : `${entry.file}:${entry.line}: ${entry.error}`,
    entry.hold?.reason ?? '',
  ]);
  const head = ['TIME', 'EVENT', 'VERSION', 'TOOK', 'RUNNER', 'RELEASE', 'ERROR', 'REASON'];
  return table(head, rows, columns).join('\n');
}

export function formatLock({ key, holder, waiters, terminated }: LockReport): string {
  const lines = [`lock ${key}: ${holder ? `held by ${describeHolder(holder)}` : 'nobody holds it'}`];
  for (const waiter of waiters)
    lines.push(`  waiting: ${describeHolder(waiter)}${waiter.blocked ? ', blocked inside PostgreSQL' : ''}`);
  if (terminated !== undefined)
    lines.push(terminated ? "terminated the holder's session" : "could not terminate the holder's session");
  return lines.map(printableLine).join('\n');
}

export function formatConversion({ dryRun, files }: ConvertReport): string {
  const lines = files.map((name) => printableLine(`  ${dryRun ? 'would write' : 'write'} ${name}`));
  return [...lines, dryRun ? 'Dry run: nothing was written.' : 'Done.'].join('\n');
}

/** The steps themselves were printed before they were done. */
export function formatRepair({ dryRun, steps, left }: RepairReport): string {
  const lines = left.map((sentence) => printableLine(`  left as it is: ${sentence}`));
  if (steps.length === 0)
    return [left.length === 0 ? 'Nothing to repair.' : 'Nothing was repaired.', ...lines].join('\n');
  return [...lines, dryRun ? 'Dry run: nothing was changed.' : 'Done.'].join('\n');
}

export function formatValidation({ migrations, findings }: ValidateReport): string {
  const lines = findings.map(({ severity, rule, message, file, line, column }) => {
    const place = [file, line, column].filter((part) => part !== undefined).join(':');
    return printableLine(`${place === '' ? '' : `${place}: `}${severity}: ${message} [${rule}]`);
  });
  const number = (wanted: Finding['severity']): number => findings.filter(({ severity }) => severity === wanted).length;
  const counts = [
    counted(migrations, 'migration'),
    counted(number('error'), 'error'),
    counted(number('warning'), 'warning'),
  ];
  return [...lines, [...counts, ...(number('note') > 0 ? [counted(number('note'), 'note')] : [])].join(', ')].join(
    '\n',
  );
}

/** A time that is cut says nothing. */
const WHOLE: ReadonlySet<string> = new Set(['TIME', 'APPLIED AT']);

/**
 * Columns as wide as their longest cell; empty columns are left out. Where the terminal is narrower, the widest are
 * cut.
 */
export function table(head: readonly string[], body: readonly (readonly string[])[], columns: number): string[] {
  const used = head.map((_, index) => index).filter((index) => body.some((row) => row[index] !== ''));
  const rows = [head, ...body.map((row) => row.map(printableLine))].map((row) => used.map((index) => row[index] ?? ''));
  const widths = used.map((_, index) => Math.max(...rows.map((row) => columnsOf(row[index] ?? ''))));
  const whole = used.flatMap((column, index) => (WHOLE.has(head[column] ?? '') ? index : []));
  const limits = narrowed(widths, columns - GAP.length * (used.length - 1), whole);
  return rows.map((row) =>
    row
      .map((cell, index) => fit(cell, limits[index] ?? 0))
      .map((cell, index) => cell + ' '.repeat((limits[index] ?? 0) - columnsOf(cell)))
      .join(GAP)
      .trimEnd(),
  );
}

const GAP = '  ';
/** A name that is cut to less cannot be known. */
const LEAST_WIDTH = 6;

/**
 * As little as needed of the widest is taken away, until all are `room` wide together; those in `whole` are left alone.
 */
function narrowed(widths: readonly number[], room: number, whole: readonly number[]): readonly number[] {
  const widest = Math.max(...widths.filter((_, index) => !whole.includes(index)));
  const sum = widths.reduce((total, width) => total + width, 0);
  if (sum <= room || widest <= LEAST_WIDTH) return widths;
  const last = widths.findLastIndex((width, index) => width === widest && !whole.includes(index));
  return narrowed(widths.with(last, widest - 1), room, whole);
}
