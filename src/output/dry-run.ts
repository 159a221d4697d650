/** What a dry run prints for people. */
import type { DryRunStep, EstimatedLoss, FindingOnServer, TableInUse } from '../core/outcome.ts';
import { describeBlocker } from '../core/runner.ts';
import { printableLine, printableLines } from '../core/text/printable.ts';
import { bytes, counted } from './words.ts';

export function formatDryRun(steps: readonly DryRunStep[]): string {
  const lines = steps.flatMap((step) => [
    `  would ${step.direction === 'up' ? 'apply' : 'roll back'} ${printableLine(step.version)}${step.source === 'stored' ? ', with the down SQL stored when it was applied' : ''}`,
    ...step.losses.map((loss) => `    destroys ${printableLine(describeLoss(loss))}`),
    ...(step.findings ?? []).flatMap(findingLines),
    ...(step.statements?.flatMap(statementLines) ?? printableLines(step.sql.trimEnd()).map((line) => `      ${line}`)),
  ]);
  return ['Dry run: nothing was changed.', ...(lines.length === 0 ? ['  nothing to do'] : lines)].join('\n');
}

function findingLines({ severity, rule, message, line, tables }: FindingOnServer): string[] {
  return [
    `    ${severity} in line ${line ?? 1}: ${printableLine(message)} [${printableLine(rule)}]`,
    ...tables.map((table) => `      ${printableLine(describeTable(table))}`),
  ];
}

function describeTable({ schema, name, rows, bytes: size, usedBy }: TableInUse): string {
  const users = usedBy.length === 0 ? '' : `, in use by ${usedBy.map(describeBlocker).join('; ')}`;
  return `table ${schema}.${name}: ${bytes(size)}, about ${counted(rows, 'row')}${users}`;
}

/** Only for a version in part. */
function statementLines({ sql, done }: { readonly sql: string; readonly done: boolean }): string[] {
  const lines = printableLines(`${sql};`);
  return done
    ? [`    already done: ${lines[0] ?? ''}${lines.length > 1 ? ' …' : ''}`]
    : lines.map((line) => `      ${line}`);
}

function describeLoss({ kind, name, column, rows }: EstimatedLoss): string {
  const size = rows === undefined ? '' : ` (about ${counted(rows, 'row')})`;
  switch (kind) {
    case 'table':
      return `table ${name}${size}`;
    case 'column':
      return `column ${column ?? ''} of ${name}${size}`;
    case 'rows':
      return `all rows of ${name}${size}`;
    case 'some rows':
      return `rows of ${name} that match its condition${size}`;
    case 'values':
      return `values of column ${column ?? ''} of ${name}, which is converted${size}`;
    case 'owned':
      return `everything that role ${name} owns in this database`;
    case 'schema':
      return `schema ${name}, with everything in it`;
    case 'database':
      return `database ${name}`;
    case 'dependents':
      return `whatever depends on ${name}`;
    case 'unknown':
      return `unknown: contains ${name}`;
  }
}
