/** Records that a version has got another name, in history and journal. */
import type { RepairAction } from '../../../core/plan/repair.ts';
import type { SessionContext } from '../state/context.ts';
import { insertRows, journalInsert, journalRow } from './journal.ts';
import { literal } from '../wire/sql.ts';

/** The stored down SQL stays where the file that has the name now brings none. */
export function renameStatements(
  { relation: { table, journal }, runner }: SessionContext,
  { from, migration }: Extract<RepairAction, { type: 'rename' }>,
): string[] {
  const { version, up, down } = migration;
  const stored = (column: string): string =>
    `(SELECT ${column} FROM ${journal} WHERE version = ${literal(from)} AND event IN ('applied', 'baselined', 'repaired', 'down stored') ORDER BY id DESC LIMIT 1)`;
  const row = journalRow(journal, runner, {
    event: 'repaired',
    step: { version, direction: 'up', script: up, migration },
  });
  const kept = down
    ? {}
    : {
        down_sql: stored('down_sql'),
        down_checksum: stored('down_checksum'),
        irreversible: `coalesce(${stored('irreversible')}, false)`,
      };
  return [
    `UPDATE ${table} SET version = ${literal(version)}, checksum = ${literal(up.checksum)} WHERE version = ${literal(from)}`,
    insertRows(journal, [{ ...row, ...kept }]),
    journalInsert(journal, runner, { event: 'renamed', version: from, direction: 'up', reason: `to ${version}` }),
  ];
}
