/** Finds out whether a script that failed had committed a part of its work. */
import { MigratorError } from '../../../core/errors.ts';
import { settleHint } from '../../../core/plan/in-part.ts';
import type { Unit } from '../../../core/sql/script-plan.ts';
import type { StepScript } from '../../../core/plan/step.ts';
import type { SessionContext } from '../state/context.ts';
import { writeTables } from '../state/use-tables.ts';
import { newestStored } from '../tables/stored-downs.ts';
import { literal } from '../wire/sql.ts';
import type { Wire } from '../wire/wire.ts';

/** Outside a transaction these may commit in the middle (PostgreSQL manual, "Transaction Management"). */
const MAY_COMMIT: ReadonlySet<string> = new Set(['CallStmt', 'DoStmt']);

/**
 * Call the result after the statement has failed. Each transaction of a session has its own number, also one that a
 * procedure begins, so a statement that committed nothing took just one (PostgreSQL manual, "Transactions and
 * Identifiers").
 */
export async function watchCommits(wire: Wire, { kind }: Unit): Promise<() => Promise<boolean>> {
  if (!MAY_COMMIT.has(kind)) return () => Promise.resolve(false);
  const before = await transactionNumber(wire);
  return async () => {
    const now = await transactionNumber(wire).catch(() => undefined);
    // For a lost session it stays unknown: the journal only says that the statement was started.
    return now === undefined ? !wire.lost.aborted : now !== before + 2;
  };
}

/** The number of the transaction that runs this query. */
async function transactionNumber(wire: Wire): Promise<number> {
  const [result] = await wire.message(
    `SELECT pg_catalog.split_part(virtualxid, '/', 2) FROM pg_catalog.pg_locks WHERE locktype = 'virtualxid' AND pid = pg_catalog.pg_backend_pid()`,
  );
  return Number(result?.rows[0]?.[0]);
}

export function partlyCommitted(error: MigratorError, step: StepScript): MigratorError {
  return new MigratorError('MIGRATION_INCOMPLETE', `${step.script.file} failed after committing part of its work`, {
    ...error.details,
    hint: settleHint(step),
    cause: error,
  });
}

/**
 * For a file that could not be parsed, after it failed: if our change of the history is there all the same, the file
 * has ended our transaction by itself. Undoes the change, and resolves with the error that says so.
 */
export async function committedByFile(
  context: SessionContext,
  step: StepScript,
  error: unknown,
): Promise<MigratorError | undefined> {
  const {
    relation: { journal, table },
    wire,
  } = context;
  // After a conflict, the row belongs to another runner.
  if (wire.lost.aborted || (error instanceof MigratorError && error.code === 'HISTORY_CONFLICT')) return undefined;
  const version = literal(step.version);
  const undo =
    step.direction === 'up'
      ? `DELETE FROM ${table} WHERE version = ${version}`
      : `INSERT INTO ${table} (version, checksum) SELECT ${version}, (${newestStored(journal, 'checksum', step.version)}) WHERE NOT EXISTS (SELECT version FROM ${table} WHERE version = ${version})`;
  const [undone] = await writeTables(context, [`${undo} RETURNING 1`]).catch(() => []);
  if (undone?.rows.length !== 1) return undefined;
  return new MigratorError(
    'MIGRATION_FAILED',
    `${step.script.file} ended the transaction that it ran in, and failed after that`,
    {
      version: step.version,
      hint: 'what the file did before its COMMIT is in the database, but not recorded: undo it by hand, then remove the COMMIT from the file',
    },
  );
}
