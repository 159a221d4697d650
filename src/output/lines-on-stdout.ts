/** The lines on stdout that people have always grepped for. */
import type { MigratorEvent, MigratorEventOf, MigratorEventType } from '../core/events.ts';
import type { Direction, Version } from '../core/migration.ts';
import { describeFailure } from '../core/tenants/report.ts';
import { printableLine } from '../core/text/printable.ts';
import { counted } from './words.ts';

type Lines = { readonly [T in MigratorEventType]?: (event: MigratorEventOf<T>, verbose: boolean) => string[] };

/** Everything else is for the log. */
const LINES: Lines = {
  'migration.applied': ({ version }) => [`  up ${version}`],
  'migration.rolled-back': ({ version }) => [`  down ${version}`],
  'migration.baselined': ({ version }) => [`  baseline ${version}`],
  'migration.skipped': ({ version, direction }) => [skipLine(version, direction)],
  'migrations.skipped': skipLines,
  'migration.all-skipped': skipLines,
  'migration.imported': ({ version, dryRun }) => [`  ${dryRun ? 'would import' : 'import'} ${version}`],
  'repair.planned': ({ version, action, diff = [], dryRun }) => [
    `  ${dryRun ? 'would repair' : 'repair'} ${version}: ${action}`,
    ...diff.map((line) => `      ${line}`),
  ],
  'run.finished': () => ['Done.'],
  'tenants.planned': ({ withoutHistory }) =>
    withoutHistory.length === 0 ? [] : [`  new, without a history: ${withoutHistory.join(', ')}`],
  'tenant.done': ({ schema, direction, versions }) => [`  ${schema}: ${direction} ${versions.join(', ')}`],
  'tenant.failed': ({ schema, error, again }) => [
    `  ${schema}: ${describeFailure(error)}${again ? '; it is tried once more at the end' : ''}`,
  ],
  'tenant.gone': ({ schema }) => [`  ${schema}: it was dropped meanwhile`],
  'tenants.finished': ({ direction, counts: { upToDate, failed, notRun }, dryRun }) => [
    ...(upToDate === 0 ? [] : [skipLine(counted(upToDate, 'schema'), direction)]),
    ...(failed + notRun > 0 || dryRun ? [] : ['Done.']),
  ],
};

function skipLines(
  { versions, direction }: { readonly versions: readonly Version[]; readonly direction: Direction },
  verbose: boolean,
): string[] {
  return verbose
    ? versions.map((version) => skipLine(version, direction))
    : [skipLine(counted(versions.length, 'migration'), direction)];
}

/** `verbose`: a line for each skipped migration, however many they are. */
export function linesOnStdout(event: MigratorEvent, verbose: boolean): string[] {
  // The table has a function per type; TypeScript can't tie the two together.
  const lines = LINES[event.type] as ((event: MigratorEvent, verbose: boolean) => string[]) | undefined;
  return (lines?.(event, verbose) ?? []).map(printableLine);
}

export function skipLine(what: string, direction: Direction): string {
  return `  skip ${what} (${direction === 'up' ? 'already applied' : 'not applied'})`;
}
