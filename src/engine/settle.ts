/** Settles by the catalog what became of a statement whose run died in it. */
import { MigratorError } from '../core/errors.ts';
import type { Reporter, Session, StepScript } from '../core/ports.ts';
import { settleHint } from '../core/repair.ts';
import type { Unit } from '../core/sql/script-plan.ts';

/** Statements that may simply run again when nobody knows whether they ended. */
const REPEATABLE: ReadonlySet<string> = new Set(['VacuumStmt', 'ReindexStmt', 'ClusterStmt', 'AlterSystemStmt']);

interface SettleContext {
  readonly session: Session;
  readonly step: StepScript;
  readonly ports: { readonly reporter: Reporter };
}

/**
 * True when the statement has done its work, false when it is to run (again); clears what it left.
 * @throws MigratorError MIGRATION_INCOMPLETE when nobody can know.
 */
export async function settle(unit: Unit, context: SettleContext): Promise<boolean> {
  const { session, step } = context;
  const { executor } = session;
  if (unit.detaches) return (await executor.detachState(unit.detaches)) === 'detached';
  await dropReindexLeftovers(unit, context);
  if (REPEATABLE.has(unit.kind)) return false;
  if (unit.concurrentIndexes.length === 0) throw nobodyKnows(step, unit);
  for (const index of unit.concurrentIndexes) {
    if ((await executor.indexState(index)) !== (index.action === 'drop' ? 'absent' : 'valid')) return false;
  }
  return true;
}

/** Only after a REINDEX of ours: what others have left is theirs. */
export async function dropReindexLeftovers({ reindexes }: Unit, { session, step, ports }: SettleContext): Promise<void> {
  if (!reindexes) return;
  for (const name of await session.executor.dropReindexLeftovers(reindexes)) {
    ports.reporter.report({ type: 'index.dropped', version: step.version, index: name });
  }
}

function nobodyKnows(step: StepScript, unit: Unit): MigratorError {
  return new MigratorError(
    'MIGRATION_INCOMPLETE',
    `${step.script.file} stopped in statement ${unit.index}, and nobody can know whether it took effect`,
    { version: step.version, hint: settleHint(step.version) },
  );
}
