/** What a dry run would do, as people read it. */
import type { DryRunStep, EstimatedLoss } from '../core/outcome.ts';
import { printableLine, printableLines } from '../core/printable.ts';

export function formatDryRun(steps: readonly DryRunStep[]): string {
  const lines = steps.flatMap((step) => [
    `  would ${step.direction === 'up' ? 'apply' : 'roll back'} ${printableLine(step.version)}${step.source === 'stored' ? ', with the down SQL that was stored when it was applied' : ''}`,
    ...step.losses.map((loss) => `    destroys ${printableLine(describeLoss(loss))}`),
    ...printableLines(step.sql.trimEnd()).map((line) => `      ${line}`),
  ]);
  return ['Dry run: nothing is changed.', ...(lines.length === 0 ? ['  nothing to do'] : lines)].join('\n');
}

function describeLoss({ kind, name, column, rows }: EstimatedLoss): string {
  const size = rows === undefined ? '' : ` (about ${rows} ${rows === 1 ? 'row' : 'rows'})`;
  switch (kind) {
    case 'table':
      return `table ${name}${size}`;
    case 'column':
      return `column ${column ?? ''} of ${name}${size}`;
    case 'rows':
      return `all rows of ${name}${size}`;
    case 'schema':
      return `schema ${name}, with everything in it`;
    case 'database':
      return `database ${name}`;
    case 'dependents':
      return `whatever depends on ${name}`;
    case 'unknown':
      return `what only a person can tell: it holds ${name}`;
  }
}
