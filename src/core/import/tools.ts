/** Where each other migration tool keeps its history, and how to read it. */
import { compareVersions, versionNumber } from '../migration.ts';
import type { ForeignHistory, ForeignRow, ForeignVersion, ImportTool } from './foreign-history.ts';
import { readFlyway } from './flyway.ts';

interface ToolEntry {
  /** As people write it. */
  readonly title: string;
  /** The tool's name in foreign-table.ts, if it differs from `title`. */
  readonly shape?: string;
  /** The default name of its table. */
  readonly table: string;
  /** How to settle an unfinished migration with the tool itself. */
  readonly settle?: string;
  readonly read: (rows: readonly ForeignRow[]) => ForeignHistory;
}

export const TOOLS: Readonly<Record<ImportTool, ToolEntry>> = {
  'golang-migrate': {
    title: 'golang-migrate',
    table: 'schema_migrations',
    settle: 'repair the database, then set its version with "migrate force VERSION"',
    read: readGolangMigrate,
  },
  goose: { title: 'goose', table: 'goose_db_version', read: readGoose },
  dbmate: { title: 'dbmate', shape: 'dbmate or Rails', table: 'schema_migrations', read: readDbmate },
  'node-pg-migrate': { title: 'node-pg-migrate', table: 'pgmigrations', read: readNodePgMigrate },
  flyway: {
    title: 'Flyway',
    table: 'flyway_schema_history',
    settle: 'repair the database, then run "flyway repair"',
    read: readFlyway,
  },
  prisma: {
    title: 'Prisma',
    table: '_prisma_migrations',
    settle: 'repair the database, then run "prisma migrate resolve" with --applied or --rolled-back',
    read: readPrisma,
  },
};

/** One row with the current version; everything before it is applied as well. */
function readGolangMigrate(rows: readonly ForeignRow[]): ForeignHistory {
  const [row] = rows;
  const version = row?.['version'] ?? '';
  if (!row) return known([]);
  if (row['dirty'] === 'true') return { ...known([]), unfinished: [`version ${version} is dirty`] };
  const at = { label: version, number: versionNumber(version) };
  return { ...known([at]), through: at };
}

/**
 * One row each time that a version was applied or rolled back; the newest row of a version counts. Version 0 marks the
 * creation of the table.
 */
function readGoose(rows: readonly ForeignRow[]): ForeignHistory {
  const newest = new Map<string, ForeignRow>();
  for (const row of [...rows].sort((a, b) => Number(a['id']) - Number(b['id'])))
    newest.set(row['version_id'] ?? '', row);
  const applied = [...newest].filter(([version, row]) => version !== '0' && row['is_applied'] === 'true');
  applied.sort(([a], [b]) => compareVersions(a, b));
  return known(
    applied.map(([version, row]) => ({
      label: version,
      number: versionNumber(version),
      appliedAt: row['tstamp'] ?? undefined,
    })),
  );
}

/** One row per file, with its number as text. */
function readDbmate(rows: readonly ForeignRow[]): ForeignHistory {
  const versions = rows.map(({ version }) => version ?? '').sort();
  return known(versions.map((version) => ({ label: version, number: versionNumber(version) })));
}

/** One row per file, with its name without the extension. */
function readNodePgMigrate(rows: readonly ForeignRow[]): ForeignHistory {
  const inOrder = [...rows].sort((a, b) => Number(a['id']) - Number(b['id']));
  return known(
    inOrder.map(({ name, run_on: appliedAt }) => ({ ...named(name ?? ''), appliedAt: appliedAt ?? undefined })),
  );
}

/** One row per attempt: finished, rolled back, or neither. */
function readPrisma(rows: readonly ForeignRow[]): ForeignHistory {
  const kept = rows.filter((row) => row['rolled_back_at'] == null);
  const nameOf = (row: ForeignRow): string => row['migration_name'] ?? '';
  return {
    ...known(
      kept
        .filter((row) => row['finished_at'] != null)
        .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
        .map((row) => ({
          ...named(nameOf(row)),
          appliedAt: row['finished_at'] ?? undefined,
          checksum: row['checksum'] ?? undefined,
        })),
    ),
    unfinished: kept.filter((row) => row['finished_at'] == null).map((row) => `${nameOf(row)} is unfinished`),
  };
}

function known(applied: readonly ForeignVersion[]): ForeignHistory {
  return { applied, unfinished: [], remarks: [] };
}

/** `0042_add-users`, as `<number>_<name>`. */
function named(label: string): ForeignVersion {
  return { label, number: versionNumber(label), name: /^\d+[_-]+(.+)$/s.exec(label)?.[1] };
}
