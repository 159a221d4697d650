/** The down SQL that the journal keeps. */
import type { Version } from '../../../core/migration.ts';
import type { StoredDown } from '../../../core/plan/stored-down.ts';
import { journalRows } from './journal-table.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import { literal } from '../wire/sql.ts';

const STORING = `'applied', 'baselined', 'repaired', 'down stored'`;

/** For a version that is applied. */
export function newestStored(journal: string, column: string, version: Version): string {
  return `SELECT ${column} FROM ${journal} WHERE version = ${literal(version)} AND event IN (${STORING}) ORDER BY id DESC LIMIT 1`;
}

/** Down SQL stored before a rollback does not belong to what was applied after it. */
export function storedDownsQuery(journal: string, withText: readonly Version[]): string {
  const text =
    withText.length === 0
      ? 'NULL'
      : `CASE WHEN version IN (${withText.map((version) => literal(version)).join(', ')}) THEN down_sql END`;
  return (
    `SELECT version, down_checksum, irreversible, ${text} FROM (SELECT DISTINCT ON (version) * FROM ${journalRows(journal)} j` +
    ` WHERE event IN (${STORING}, 'rolled back') ORDER BY version, id DESC) newest` +
    ` WHERE event <> 'rolled back'`
  );
}

export function readStoredDowns(result: ResultSet | undefined): StoredDown[] {
  return (result?.rows ?? []).map(([version, checksum, irreversible, sql]) => ({
    version: version ?? '',
    checksum: checksum ?? undefined,
    irreversible: irreversible === 't',
    ...(sql != null && { sql }),
  }));
}
