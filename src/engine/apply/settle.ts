/** Finds out from the catalog how a statement ended during which its run died, and removes what it left. */
import { MigratorError } from '../../core/errors.ts';
import type { Reporter, Session, StepScript } from '../../core/ports.ts';
import { settleHint } from '../../core/plan/in-part.ts';
import { describeBlocker } from '../../core/runner.ts';
import type { ConcurrentIndex, Unit } from '../../core/sql/script-plan.ts';

/** Statements that can simply run again when it is unknown whether they ended. */
const REPEATABLE: ReadonlySet<string> = new Set(['VacuumStmt', 'ReindexStmt', 'ClusterStmt', 'AlterSystemStmt']);

interface SettleContext {
  readonly session: Session;
  readonly step: StepScript;
  readonly ports: { readonly reporter: Reporter };
}

/**
 * True when the statement has done its work, false when it must run (again). Removes what a REINDEX left; what a build
 * left is removed by `dropInvalid` before it runs again.
 * @throws MigratorError MIGRATION_INCOMPLETE when the catalog cannot tell.
 */
export async function settle(unit: Unit, context: SettleContext): Promise<boolean> {
  const { session, step } = context;
  const { executor } = session;
  if (unit.detaches) return (await executor.detachState(unit.detaches)) === 'detached';
  await dropReindexLeftovers(unit, context);
  if (REPEATABLE.has(unit.kind)) return false;
  if (unit.concurrentIndexes.length === 0) throw effectUnknown(step, unit.index);
  for (const index of unit.concurrentIndexes) {
    if ((await executor.indexState(index)) !== (index.action === 'drop' ? 'absent' : 'valid')) return false;
  }
  return true;
}

/** Like `settle`, for a statement that is no longer in the file: running it again cannot finish what is half done. */
export async function settleRemoved(unit: Unit, context: SettleContext): Promise<boolean> {
  const { session, step } = context;
  if (unit.detaches && (await session.executor.detachState(unit.detaches)) === 'pending')
    throw effectUnknown(step, unit.index);
  for (const index of unit.concurrentIndexes) {
    const state = await session.executor.indexState(index);
    if (index.action === 'drop' && state === 'invalid') throw effectUnknown(step, unit.index);
    if (state === 'being built') throw await builtByOthers(index, unit, context);
  }
  return await settle(unit, context);
}

/** How the catalog contradicts a user who says that the statement did its work; undefined when it does not. */
export async function contradiction(unit: Unit, { executor }: Session): Promise<string | undefined> {
  if (unit.detaches && (await executor.detachState(unit.detaches)) !== 'detached')
    return `partition ${unit.detaches.partition.name} is not detached`;
  for (const index of unit.concurrentIndexes) {
    const state = await executor.indexState(index);
    if (state !== (index.action === 'drop' ? 'absent' : 'valid')) return `its index ${index.name} is ${state}`;
  }
  return undefined;
}

/** Whether the catalog can tell how the statement ended, or it can simply run again. */
export function isSettleable({ kind, detaches, concurrentIndexes }: Unit): boolean {
  return detaches !== undefined || concurrentIndexes.length > 0 || REPEATABLE.has(kind);
}

/**
 * An INVALID index of this name on this table would make the build fail, or with IF NOT EXISTS pass for a valid one.
 * @throws MigratorError CONTENTION while another session builds it.
 */
export async function dropInvalid(unit: Unit, { session, step, ports }: SettleContext): Promise<void> {
  for (const index of unit.concurrentIndexes) {
    if (index.action !== 'create') continue;
    const state = await session.executor.indexState(index);
    if (state === 'being built') throw await builtByOthers(index, unit, { session, step });
    if (state !== 'invalid') continue;
    await session.executor.dropIndex(index);
    ports.reporter.report({ type: 'index.dropped', version: step.version, index: index.name });
  }
}

async function builtByOthers(
  index: ConcurrentIndex,
  unit: Unit,
  { session, step }: Pick<SettleContext, 'session' | 'step'>,
): Promise<MigratorError> {
  const blockers = await session.executor
    .blockersOf([{ ...unit, relations: index.table ? [index.table] : [] }])
    .catch(() => []);
  return new MigratorError('CONTENTION', `another session is at work on the index ${index.name}, or on its table`, {
    version: step.version,
    blockers,
    problems: blockers.map((blocker) => `at work: ${describeBlocker(blocker)}`),
    hint: 'run again when that session is done; the index is left as it is until then',
  });
}

/** Only after our own REINDEX: leftovers of other sessions are not ours to drop. */
export async function dropReindexLeftovers(
  { reindexes }: Unit,
  { session, step, ports }: SettleContext,
): Promise<void> {
  if (!reindexes) return;
  for (const name of await session.executor.dropReindexLeftovers(reindexes)) {
    ports.reporter.report({ type: 'index.dropped', version: step.version, index: name });
  }
}

export function effectUnknown(step: StepScript, statement: number): MigratorError {
  return new MigratorError(
    'MIGRATION_INCOMPLETE',
    `${step.script.file} stopped in statement ${statement}, and it is unknown whether the statement took effect`,
    { version: step.version, hint: settleHint(step) },
  );
}
