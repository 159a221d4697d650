/** Runs a script statement by statement, and leaves no INVALID index behind. */
import { MigratorError } from '../../core/errors.ts';
import type { Limits, Session, StepScript } from '../../core/ports.ts';
import { settleHint } from '../../core/plan/in-part.ts';
import type { Unit } from '../../core/sql/script-plan.ts';
import { givesWayAlone } from '../../core/sql/gives-way.ts';
import { givingWay } from './give-way.ts';
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

/** `done`: how many of them earlier runs have finished. */
export async function runUnits(units: readonly Unit[], done: number, context: StatementsContext): Promise<void> {
  const { step, ports } = context;
  for (const unit of units) {
    // What only changes the session was lost with the session that did it.
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
  const attempt = { session, version: step.version, pieces: [unit], signal, retry: mayRetry(unit) };
  if (unit.transactional) {
    const inTransaction = retrying(attempt, ports, () =>
      watching({ session, version: step.version }, ports, () =>
        givingWay(waitOf(unit, context), () => executor.statement(step, unit, limits)),
      ),
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

/** Only the server knows of some statements, an extension's above all, that they can't run in a transaction. @throws every other error. */
function orRefusedInTransaction(error: unknown, { step }: StatementsContext): true {
  if (
    step.script.directives.noTransaction &&
    error instanceof MigratorError &&
    error.details.server?.sqlstate === REFUSED_IN_TRANSACTION
  )
    return true;
  throw error;
}

/** What rewrites many tables outside a transaction would begin anew with all of them. */
function mayRetry(unit: Unit): boolean {
  if (!unit.transactional && givesWayAlone(unit)) return unit.relations.length === 1;
  return unit.blocking || unit.ownLimit === true || unit.runsCode === true || unit.waitsForSnapshots;
}

function waitOf(unit: Unit, { session, limits, ports }: StatementsContext): Parameters<typeof givingWay>[0] {
  return { session, pieces: [unit], limitMs: limits.lockTimeoutMs, clock: ports.clock };
}

async function runAlone(unit: Unit, context: StatementsContext): Promise<void> {
  const { session, step, ports } = context;
  if (unit.waitsForSnapshots) await clearTheWay(context);
  await dropInvalid(unit, context);
  try {
    await watching({ session, version: step.version }, ports, () => executeAlone(unit, context));
  } catch (error) {
    // The first error is the one to tell, whatever happens to what the statement left. Of what it committed nobody can know.
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
  // A DETACH that was cancelled or killed between its transactions can only be finished, not run again.
  const isHalfDone = unit.detaches && (await executor.detachState(unit.detaches)) === 'pending';
  if (unit.detaches && isHalfDone) {
    await executor.finalizeDetach(unit.detaches);
    return;
  }
  await givingWay(waitOf(unit, context), () => executor.statementAlone(step, unit, limits)).catch((error: unknown) => {
    throw unit.runsCode === true &&
      error instanceof MigratorError &&
      error.code === 'CONTENTION' &&
      error.details.blockers
      ? cutShort(error, step)
      : error;
  });
}

/** What a procedure or DO block outside a transaction had committed when it was cancelled, nobody can know. */
function cutShort(error: MigratorError, step: StepScript): MigratorError {
  return new MigratorError('MIGRATION_INCOMPLETE', error.summary, {
    ...error.details,
    hint: settleHint(step),
    cause: error,
  });
}

/** The server has said that it is over. The journal says so last: until then the next run looks for what is left. */
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

/** A build that lost against a runner which came while it ran is kept clear of such runners the next time. */
async function guarded({ session, options, ports }: StatementsContext, body: () => Promise<void>): Promise<void> {
  if (!options.cancelBlockedWaiters) {
    await body();
    return;
  }
  const ended = new AbortController();
  // Only a help, so whatever keeps us from it is no failure of the run.
  const guard = session.keepWaitersAway(ended.signal).catch(() => []);
  try {
    await body();
  } finally {
    ended.abort();
    const waiters = await guard;
    if (waiters.length > 0) ports.reporter.report({ type: 'lock.waiters-cancelled', waiters });
  }
}

/** A runner that blocks inside PostgreSQL on our key has a snapshot: the build would wait for it, and it for us. */
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
