/** The history table's rows: how they are read and inserted. */
import type { AppliedVersion } from '../../../core/history.ts';
import type { Migration } from '../../../core/migration.ts';
import type { StepScript } from '../../../core/ports.ts';
import type { SessionContext } from '../state/context.ts';
import type { Encoding } from '../wire/encoding.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import { literal } from '../wire/sql.ts';
import { journalInsert } from './journal-entries.ts';

/**
 * Only columns that we use, by their names. One that the table lacks is null: its name then is the outer query's. No
 * operator stands here, as the path may be that of the place.
 */
export function historyQuery(table: string): string {
  const none = [
    `NULL::pg_catalog.text AS version`,
    `NULL::pg_catalog.text AS checksum`,
    `NULL::pg_catalog.timestamptz AS applied_at`,
  ];
  return (
    `SELECT pg_catalog.json_build_array(r.version, r.checksum, r.applied_at) FROM (SELECT ${none.join(', ')}) none` +
    ` CROSS JOIN LATERAL (SELECT version, checksum, applied_at FROM ONLY ${table}) r`
  );
}

export function readHistory(result: ResultSet, { decode }: Encoding): AppliedVersion[] {
  return result.rows.map(([row]) => {
    const [version, checksum, appliedAt] = JSON.parse(row ?? '[]') as (string | null)[];
    return {
      version: decode(version ?? ''),
      checksum: checksum ?? undefined,
      appliedAt: appliedAt == null ? undefined : new Date(appliedAt),
    };
  });
}

/** Records a migration as applied without running it: its row, and its journal entry. */
export function baselineStatements(
  { relation: { table, journal }, runner }: SessionContext,
  migration: Migration,
  appliedAt?: string,
): string[] {
  const values = [migration.version, migration.up.checksum].map(literal);
  const [column, value] = appliedAt === undefined ? ['', ''] : [', applied_at', `, ${literal(appliedAt)}`];
  return [
    `INSERT INTO ${table} (version, checksum${column}) VALUES (${values.join(', ')}${value})`,
    journalInsert(journal, runner, { event: 'baselined', step: upStep(migration) }),
  ];
}

export function upStep(migration: Migration): StepScript {
  return { version: migration.version, direction: 'up', script: migration.up, migration };
}
