/** The lines on stdout that people have always grepped for. */
import type { MigratorEvent, MigratorEventOf, MigratorEventType } from '../core/events.ts';
import type { Direction, Version } from '../core/migration.ts';
import { printableLine } from '../core/text/printable.ts';
import { counted } from './words.ts';

export type Lines = { readonly [T in MigratorEventType]?: (event: MigratorEventOf<T>, verbose: boolean) => string[] };

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
};

function skipLines(
  { versions, direction }: { readonly versions: readonly Version[]; readonly direction: Direction },
  verbose: boolean,
): string[] {
  return verbose
    ? versions.map((version) => skipLine(version, direction))
    : [skipLine(counted(versions.length, 'migration'), direction)];
}

/** For events that only some runs report, which load their lines with what reports them. */
export function printToo(more: Lines): void {
  Object.assign(LINES, more);
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
