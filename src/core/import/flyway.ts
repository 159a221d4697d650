/** Reads Flyway's history table: dotted versions, baselines, undo rows and repeatable migrations. */
import { versionNumber } from '../migration.ts';
import type { ForeignHistory, ForeignRow, ForeignVersion } from './foreign-history.ts';

/**
 * One row per script that ran; the newest row of a version counts. UNDO_… marks a version as undone, DELETE its script
 * as gone, and a baseline stands for everything up to it (Flyway's documentation, "Flyway schema history table").
 */
export function readFlyway(rows: readonly ForeignRow[]): ForeignHistory {
  const inOrder = [...rows].sort((a, b) => Number(a['installed_rank']) - Number(b['installed_rank']));
  const newest = new Map<string, ForeignRow>();
  for (const row of inOrder) if (row['version'] != null) newest.set(row['version'], row);
  const repeated = new Set(
    inOrder.filter((row) => row['version'] == null && typeOf(row) !== 'SCHEMA').map((row) => row['script']),
  );
  const counted = [...newest.values()].filter((row) => !/^(?:UNDO_|DELETE$)/.test(typeOf(row)));
  const done = counted.filter((row) => row['success'] === 'true');
  const dotted = counted.some(({ version }) => !/^\d+$/.test(version ?? ''));
  const [baseline] = done.filter((row) => /BASELINE$/.test(typeOf(row))).map((row) => versionOf(row, dotted));
  return {
    applied: done.filter((row) => !/BASELINE$/.test(typeOf(row))).map((row) => versionOf(row, dotted)),
    through: baseline,
    unfinished: counted
      .filter((row) => row['success'] !== 'true')
      .map((row) => `version ${row['version'] ?? ''} (${row['script'] ?? ''}) failed`),
    remarks:
      repeated.size === 0
        ? []
        : [
            `repeatable migrations of Flyway have no counterpart here and are not imported: ${[...repeated].join(', ')}`,
          ],
  };
}

function typeOf(row: ForeignRow): string {
  return row['type'] ?? '';
}

/** If some version has dots, match by name only: a file's number has no dots. */
function versionOf({ version, description, installed_on: appliedAt }: ForeignRow, dotted: boolean): ForeignVersion {
  const label = `${version ?? ''}${description == null ? '' : ` (${description})`}`;
  const number = /^\d+$/.test(version ?? '') && !dotted ? versionNumber(version ?? '') : undefined;
  return { label, number, name: description ?? undefined, appliedAt: appliedAt ?? undefined };
}
