/** The journal as queries read it. */

const COLUMNS =
  'id, at, run, event, command, version, direction, statement, duration_ms, code, error, runner, release, image, checksum, down_sql, down_checksum, irreversible, hold, statement_sql';

/** As a FROM item: the columns that we use, and no others; those that an early version's journal may lack are null there. */
export function journalRows(journal: string): string {
  return `(SELECT r.* FROM (SELECT NULL::boolean AS irreversible, NULL::jsonb AS hold, NULL::text AS statement_sql) none CROSS JOIN LATERAL (SELECT ${COLUMNS} FROM ${journal}) r)`;
}
