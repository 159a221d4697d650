/** The lines on stdout that people have always grepped for. */
import type { MigratorEvent, MigratorEventOf, MigratorEventType } from '../../core/events.ts';
import type { Direction } from '../../core/migration.ts';
import type { Reporter } from '../../core/ports.ts';
import { printableLine } from '../../core/text/printable.ts';

export interface HumanOptions {
  readonly stdout: NodeJS.WritableStream;
  /** A line for each skipped migration, also when all are. */
  readonly verbose: boolean;
}

export function createHumanOutput({ stdout, verbose }: HumanOptions): Reporter {
  return {
    report(event) {
      for (const line of linesOf(event, verbose)) stdout.write(`${printableLine(line)}\n`);
    },
  };
}

type Lines = { readonly [T in MigratorEventType]?: (event: MigratorEventOf<T>, verbose: boolean) => string[] };

/** Everything else is for the log. */
const LINES: Lines = {
  'migration.applied': ({ version }) => [`  up ${version}`],
  'migration.rolled-back': ({ version }) => [`  down ${version}`],
  'migration.baselined': ({ version }) => [`  baseline ${version}`],
  'migration.skipped': ({ version, direction }) => [skipLine(version, direction)],
  'migration.all-skipped': ({ versions, direction }, verbose) =>
    verbose
      ? versions.map((version) => skipLine(version, direction))
      : [skipLine(versions.length === 1 ? '1 migration' : `${versions.length} migrations`, direction)],
  'migration.imported': ({ version, dryRun }) => [`  ${dryRun ? 'would import' : 'import'} ${version}`],
  'repair.planned': ({ version, action, diff = [], dryRun }) => [
    `  ${dryRun ? 'would repair' : 'repair'} ${version}: ${action}`,
    ...diff.map((line) => `      ${line}`),
  ],
  'run.finished': () => ['Done.'],
};

function linesOf(event: MigratorEvent, verbose: boolean): string[] {
  // The table has a function per type; TypeScript can't tie the two together.
  const lines = LINES[event.type] as ((event: MigratorEvent, verbose: boolean) => string[]) | undefined;
  return lines?.(event, verbose) ?? [];
}

function skipLine(what: string, direction: Direction): string {
  return `  skip ${what} (${direction === 'up' ? 'already applied' : 'not applied'})`;
}
