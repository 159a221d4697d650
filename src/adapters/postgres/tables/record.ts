/** How a migration's transaction is recorded: the history row first, the fence and the journal's row last. */
import type { StepScript } from '../../../core/ports.ts';
import type { SessionContext } from '../state/context.ts';
import { insertRows, journalRow, type JournalValues } from './journal-entries.ts';
import type { Message } from '../wire/message.ts';
import { ENTER_OWN_PATH } from '../wire/own-path.ts';
import { ifStillHeld, literal } from '../wire/sql.ts';
import { lockAndLook, ownLimits } from '../state/use-tables.ts';

/** Under our own path. */
export function useTables(context: SessionContext, message: Message): Message {
  const [lock = '', guard = ''] = lockAndLook(context, 'write', 'both');
  return message.addOwn('tables', lock).addOwn('guard', guard);
}

/** First in the transaction: a second runner without the lock fails here, before its DDL. */
export function historyRow({ relation: { table } }: SessionContext, step: StepScript): string {
  const { version } = step;
  return step.direction === 'up'
    ? `INSERT INTO ${table} (version, checksum) VALUES (${literal(version)}, ${literal(step.migration.up.checksum)})`
    : `DELETE FROM ${table} WHERE version = ${literal(version)}`;
}

/**
 * Deferred constraints and triggers run before the fence, with the file's own search_path and rights; the rest is ours.
 */
export function afterSource(context: SessionContext, message: Message): Message {
  const [keepPath = '', ownPath = ''] = ENTER_OWN_PATH;
  return message
    .add('SET CONSTRAINTS ALL IMMEDIATE')
    .addMark(keepPath.replace(/^SELECT /, ''))
    .add(ownPath, ...ownLimits(context));
}

/** Since the transaction began, in milliseconds. */
export const DURATION_SQL = 'round(extract(epoch FROM clock_timestamp() - now()) * 1000)';

interface RecordOptions {
  /** SQL for the journal's `duration_ms`. */
  readonly durationSql?: string;
  /** The step whose history row must be as this transaction wrote it. */
  readonly rowOf?: StepScript;
  /** The step that begins when this one has ended. */
  readonly next?: StepScript | undefined;
}

/**
 * The journal's row, and then the fence, as what hangs on the journal may run with it. Each fails (22012) unless: the
 * journal took the row; the tables are those that the run knows, and so is the row in the history; this backend still
 * holds the lock.
 */
export function addRecord(
  context: SessionContext,
  message: Message,
  values: JournalValues,
  { durationSql, rowOf, next }: RecordOptions = {},
): void {
  const { relation, runner } = context;
  const sameTable = (name: string, oid: string | undefined): string =>
    `to_regclass(${literal(name)}) = ${literal(oid)}::oid`;
  const conditions = [
    sameTable(relation.table, relation.oid),
    sameTable(relation.journal, relation.journalOid),
    // What later runs ask of it; a column that is not there is an error of its own.
    `EXISTS (SELECT FROM pg_index WHERE indrelid = ${literal(relation.oid)}::oid AND indisunique AND indisvalid AND indnkeyatts = 1 AND indpred IS NULL)`,
    rowOf
      ? isRecorded(relation.table, rowOf)
      : `NOT EXISTS (SELECT version, checksum, applied_at FROM ${relation.table} WHERE false)`,
  ];
  const rows = [journalRow(relation.journal, runner, values, { durationSql })];
  if (next) rows.push(journalRow(relation.journal, runner, { event: 'started', step: next }));
  message
    .addOwn(
      'journal',
      `WITH made AS (${insertRows(relation.journal, rows)} RETURNING 1) SELECT 1 / (SELECT count(*) FROM made)`,
    )
    .addOwn('record', `SELECT 1 / coalesce((${conditions.join(' AND ')})::integer, 0)`)
    .addOwn('lock', `SELECT 1 / coalesce(${ifStillHeld(relation.key, '1')}, 0)`);
}

/**
 * After `up` the row is as it was written by this very transaction, which a file that the parser could not read may
 * have ended.
 */
function isRecorded(table: string, step: StepScript): string {
  const { direction, version } = step;
  const row = `SELECT version, checksum, applied_at FROM ${table} WHERE version = ${literal(version)}`;
  if (direction === 'down') return `NOT EXISTS (${row})`;
  return `EXISTS (${row} AND checksum = ${literal(step.migration.up.checksum)} AND xmin::text::bigint = pg_current_xact_id()::text::bigint & 4294967295)`;
}
