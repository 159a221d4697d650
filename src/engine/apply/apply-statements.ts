/** Runs a script statement by statement, and leaves no INVALID index behind. */
import { MigratorError } from '../../core/errors.ts';
import type { Limits, Session, StepScript } from '../../core/ports.ts';
import { settleHint } from '../../core/plan/in-part.ts';
import type { Unit } from '../../core/sql/script-plan.ts';
import { givesWayAlone } from '../../core/sql/gives-way.ts';
import type { Watched } from './give-way.ts';
import { retrying } from './retry.ts';
import { dropInvalid, dropReindexLeftovers } from './settle.ts';
import type { StepContext } from './step-context.ts';
import { watching } from './watch.ts';

export interface StatementsContext extends StepContext {
  readonly session: Session;
  readonly step: StepScript;
  readonly limits: Limits;
}

const REFUSED_IN_TRANSACTION = '25001';

/** `done`: how many statements earlier runs have finished. */
export async function runUnits(units: readonly Unit[], done: number, context: StatementsContext): Promise<void> {
  const { step, ports } = context;
  for (const unit of units) {
    // A statement that only changes its session runs again: that session is gone.
    const todo = unit.index > done || unit.sessionOnly ? unit : unit.again;
    if (!todo) continue;
    context.signal.throwIfAborted();
    await runUnit(todo, context);
    ports.reporter.report({
      type: 'statement.finished',
      version: step.version,
      statement: unit.index,
      of: units.length,
    });
  }
}

async function runUnit(unit: Unit, context: StatementsContext): Promise<void> {
  const { session, step, ports, signal, limits } = context;
  const { executor } = session;
  const attempt = { ...watchedUnit(unit, context), signal, retry: mayRetry(unit) };
  if (unit.transactional) {
    const inTransaction = retrying(attempt, ports, () =>
      watching(attempt, ports, () => executor.statement(step, unit, limits)),
    );
    if (
      !(await inTransaction.then(
        () => false,
        (error: unknown) => orRefusedInTransaction(error, context),
      ))
    )
      return;
  }
  const startedAt = ports.clock.now();
  await retrying(attempt, ports, (count) =>
    count > 1 && unit.waitsForSnapshots ? guarded(context, () => runAlone(unit, context)) : runAlone(unit, context),
  );
  await requireValid(unit, context);
  await executor.statementDone(step, unit, ports.clock.now() - startedAt);
}

/**
 * For some statements, mostly of extensions, only the server knows that they cannot run in a transaction. @throws every
 * other error.
 */
function orRefusedInTransaction(error: unknown, { step }: StatementsContext): true {
  if (
    step.script.directives.noTransaction &&
    error instanceof MigratorError &&
    error.details.server?.sqlstate === REFUSED_IN_TRANSACTION
  )
    return true;
  throw error;
}

/** A statement that rewrites many tables outside a transaction would start again with the first one. */
function mayRetry(unit: Unit): boolean {
  if (!unit.transactional && givesWayAlone(unit)) return unit.relations.length === 1;
  return unit.blocking || unit.ownLimit === true || unit.runsCode === true || unit.waitsForSnapshots;
}

function watchedUnit(unit: Unit, { session, step, limits }: StatementsContext): Watched {
  return { session, version: step.version, pieces: [unit], lockTimeoutMs: limits.lockTimeoutMs };
}

async function runAlone(unit: Unit, context: StatementsContext): Promise<void> {
  const { session, step, ports } = context;
  if (unit.waitsForSnapshots) await clearTheWay(context);
  await dropInvalid(unit, context);
  try {
    await watching(watchedUnit(unit, context), ports, () => executeAlone(unit, context)).catch((error: unknown) => {
      throw cutShort(error, unit, step);
    });
  } catch (error) {
    // The first error is thrown, even if the clean-up fails. After a partial commit there is nothing that could be
    // cleaned up safely.
    const isSettled = !(error instanceof MigratorError && error.code === 'MIGRATION_INCOMPLETE');
    if (isSettled && !session.lost.aborted) await clearAfter(unit, context).catch(() => undefined);
    throw error;
  }
}

async function executeAlone(unit: Unit, context: StatementsContext): Promise<void> {
  const {
    session: { executor },
    step,
    limits,
  } = context;
  // A DETACH that was cancelled or killed between its two transactions can only be finalized, not run again.
  const isHalfDone = unit.detaches && (await executor.detachState(unit.detaches)) === 'pending';
  if (unit.detaches && isHalfDone) {
    await executor.finalizeDetach(unit.detaches);
    return;
  }
  await executor.statementAlone(step, unit, limits);
}

/** A procedure or DO block outside a transaction that was cancelled may have committed a part of its work. */
function cutShort(error: unknown, unit: Unit, step: StepScript): unknown {
  const wasCancelled = error instanceof MigratorError && error.code === 'CONTENTION' && error.details.blockers;
  if (unit.runsCode !== true || !wasCancelled) return error;
  return new MigratorError('MIGRATION_INCOMPLETE', error.summary, {
    ...error.details,
    hint: settleHint(step),
    cause: error,
  });
}

/** The server has ended the statement. The journal entry comes last: without it, the next run looks for leftovers. */
async function clearAfter(unit: Unit, context: StatementsContext): Promise<void> {
  await dropInvalid(unit, context);
  await dropReindexLeftovers(unit, context);
  await context.session.executor.statementFailed(context.step, unit);
}

async function requireValid(unit: Unit, { session, step }: StatementsContext): Promise<void> {
  for (const index of unit.concurrentIndexes) {
    if (index.action !== 'create') continue;
    const state = await session.executor.indexState(index);
    if (state === 'valid') continue;
    throw new MigratorError(
      'MIGRATION_FAILED',
      `${step.script.file} ended without an error, but its index ${index.name} is ${state} on that table`,
      {
        version: step.version,
        hint: 'something else has that name, or is building it: look at the index, then run again',
      },
    );
  }
}

/**
 * For a build that failed because a runner blocked on our key while it ran: keeps such runners away during the next
 * try.
 */
async function guarded({ session, options, ports }: StatementsContext, body: () => Promise<void>): Promise<void> {
  if (!options.cancelBlockedWaiters) {
    await body();
    return;
  }
  const ended = new AbortController();
  // It only helps: its failure must not fail the run.
  const guard = session.keepWaitersAway(ended.signal).catch(() => []);
  try {
    await body();
  } finally {
    ended.abort();
    const waiters = await guard;
    if (waiters.length > 0) ports.reporter.report({ type: 'lock.waiters-cancelled', waiters });
  }
}

/**
 * A runner that blocks inside PostgreSQL on our key has a snapshot: the build would wait for it, and it would wait for
 * us.
 */
async function clearTheWay({ session, step, options, ports }: StatementsContext): Promise<void> {
  const { lock } = session;
  if (options.cancelBlockedWaiters) {
    const waiters = await lock.cancelBlockedWaiters();
    if (waiters.length > 0) ports.reporter.report({ type: 'lock.waiters-cancelled', waiters });
    return;
  }
  const blocked = (await lock.waiters()).filter((waiter) => waiter.blocked);
  if (blocked.length === 0) return;
  const names = blocked.map((waiter) => `"${waiter.applicationName}" (pid ${waiter.pid})`).join(', ');
  throw new MigratorError(
    'CONTENTION',
    `${step.script.file} would wait for sessions that wait for our lock: ${names}`,
    {
      version: step.version,
      hint: 'stop those runners, or allow them to be cancelled (leave out --no-cancel-blocked-waiters)',
    },
  );
}
