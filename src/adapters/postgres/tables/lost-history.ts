/** A history that was truncated or dropped, settled in either direction: by the journal, or as it is. */
import type { RepairAction } from '../../../core/plan/repair.ts';
import type { SessionContext } from '../state/context.ts';
import { journalInsert } from './journal.ts';
import { literal } from '../wire/sql.ts';

export function settleHistory(
  { relation: { table, journal }, runner }: SessionContext,
  { version, from }: Extract<RepairAction, { type: 'settle history' }>,
): string[] {
  if (from === 'empty')
    return [
      journalInsert(journal, runner, {
        event: 'rolled back',
        version,
        direction: 'down',
        reason: 'repair --history empty',
      }),
    ];
  const newest = `SELECT version, checksum, at FROM ${journal} WHERE version = ${literal(version)} AND event IN ('applied', 'baselined', 'repaired') ORDER BY id DESC LIMIT 1`;
  return [
    `INSERT INTO ${table} (version, checksum, applied_at) ${newest}`,
    // What is stored for rolling back stays so.
    journalInsert(journal, runner, { event: 'repaired', version, direction: 'up', keepsStored: true }),
  ];
}
