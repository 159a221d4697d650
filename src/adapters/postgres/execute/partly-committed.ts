/** Tells whether a statement that failed outside a transaction had committed a part of its work. */
import { MigratorError } from '../../../core/errors.ts';
import { settleHint } from '../../../core/plan/in-part.ts';
import type { Unit } from '../../../core/sql/script-plan.ts';
import type { StepScript } from '../../../core/plan/step.ts';
import type { Wire } from '../wire/wire.ts';

/** Outside a transaction these may commit in their midst (PostgreSQL manual, "Transaction Management"). */
const MAY_COMMIT: ReadonlySet<string> = new Set(['CallStmt', 'DoStmt']);

/**
 * To be asked after the statement has failed. Each transaction of a session has a number of its own, also one that a
 * procedure begins, so one that failed whole took just one (PostgreSQL manual, "Transactions and Identifiers").
 */
export async function watchCommits(wire: Wire, { kind }: Unit): Promise<() => Promise<boolean>> {
  if (!MAY_COMMIT.has(kind)) return () => Promise.resolve(false);
  const before = await transactionNumber(wire);
  return async () => {
    const now = await transactionNumber(wire).catch(() => undefined);
    // Of a session that is lost the journal says no more than that the statement was started.
    return now === undefined ? !wire.lost.aborted : now !== before + 2;
  };
}

/** Of the transaction that asks. */
async function transactionNumber(wire: Wire): Promise<number> {
  const [result] = await wire.message(
    `SELECT pg_catalog.split_part(virtualxid, '/', 2) FROM pg_catalog.pg_locks WHERE locktype = 'virtualxid' AND pid = pg_catalog.pg_backend_pid()`,
  );
  return Number(result?.rows[0]?.[0]);
}

export function partlyCommitted(error: MigratorError, step: StepScript): MigratorError {
  return new MigratorError(
    'MIGRATION_INCOMPLETE',
    `${step.script.file} failed after it had committed a part of its work`,
    {
      ...error.details,
      hint: settleHint(step),
      cause: error,
    },
  );
}
