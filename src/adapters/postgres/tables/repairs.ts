/** What a repair writes into history and journal. */
import type { Version } from '../../../core/migration.ts';
import type { RepairAction } from '../../../core/plan/repair.ts';
import type { SessionContext } from '../state/context.ts';
import { literal } from '../wire/sql.ts';
import { upStep } from './history-rows.ts';
import { insertRows, journalInsert, journalRow, type JournalValues } from './journal-entries.ts';
import { newestStored } from './stored-downs.ts';

type Action<T extends RepairAction['type']> = Extract<RepairAction, { type: T }>;

export function repairStatements(context: SessionContext, action: RepairAction): string[] {
  const { relation, runner } = context;
  const entry = (values: JournalValues): string => journalInsert(relation.journal, runner, values);
  switch (action.type) {
    case 'settle statement': {
      const { version, direction, started } = action;
      const event = action.as === 'done' ? 'statement done' : 'statement reset';
      const { statement, checksum: statementChecksum } = started;
      return [entry({ event, version, direction, statement, statementChecksum })];
    }
    case 'rename':
      return rename(context, action);
    case 'settle history':
      return action.from === 'empty'
        ? [
            entry({
              event: 'rolled back',
              version: action.version,
              direction: 'down',
              reason: 'repair --history empty',
            }),
          ]
        : restore(context, action.version);
    case 'reset progress': {
      const { version, direction } = action.inPart;
      return [entry({ event: 'progress reset', version, direction })];
    }
    case 'release hold':
      return [entry({ event: 'hold ended', version: action.hold.version, direction: 'up', reason: 'repair' })];
    case 'replace down':
      return [entry({ event: 'repaired', step: upStep(action.migration) })];
    case 'accept checksum': {
      const { version, up } = action.migration;
      return [
        `UPDATE ${relation.table} SET checksum = ${literal(up.checksum)} WHERE version = ${literal(version)}`,
        entry({ event: 'repaired', step: upStep(action.migration), keepsStored: true }),
      ];
    }
  }
}

/** Stored down SQL is kept when the file with the new name has none. */
function rename(
  { relation: { table, journal }, runner }: SessionContext,
  { from, migration }: Action<'rename'>,
): string[] {
  const { version, up, down } = migration;
  const stored = (column: string): string => `(${newestStored(journal, column, from)})`;
  const row = journalRow(journal, runner, { event: 'repaired', step: upStep(migration) });
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

/** The row of a history that was truncated or dropped, from the journal; stored down SQL is kept. */
function restore({ relation: { table, journal }, runner }: SessionContext, version: Version): string[] {
  const newest = `SELECT version, checksum, at FROM ${journal} WHERE version = ${literal(version)} AND event IN ('applied', 'baselined', 'repaired') ORDER BY id DESC LIMIT 1`;
  return [
    `INSERT INTO ${table} (version, checksum, applied_at) ${newest}`,
    journalInsert(journal, runner, { event: 'repaired', version, direction: 'up', keepsStored: true }),
  ];
}
