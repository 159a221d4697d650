/** What a run does once it holds the lock; loaded when there is something to do. */
import { MigratorError, toMigratorError } from '../core/errors.ts';
import { withoutHistory } from '../core/exists-already.ts';
import type { Direction, Version } from '../core/migration.ts';
import { analyzeSteps } from './analyze-steps.ts';
import { applyStep, type PlannedStep } from './apply.ts';
import { complete } from './complete.ts';
import { endHolds } from './held.ts';
import { interruption } from './interrupting.ts';
import { requireSameSteps } from './plan-run.ts';
import { held, pause, plan, stepsMeant, type Run } from './run.ts';

/** What was planned before is forgotten: history changes while one waits. */
export async function planAgainAndApply(run: Run, meant: readonly Version[] | undefined): Promise<void> {
  const { migrations, session, progress, options, ports } = run;
  const { signal, request } = options;
  const { history } = session;
  progress.warn(await history.ensureTables());
  const state = await history.read();
  if (meant) requireSameSteps(meant, stepsMeant(run, state) ?? []);
  const planned = await plan(run, state);
  const remarks = await complete(migrations, state, history, request.direction);
  progress.warn(remarks);
  if (planned.steps.length === 0) {
    progress.upToDate(planned);
    return;
  }
  progress.planned(planned);
  const ended = await held(run, planned);
  await pause(run, planned);
  const steps = await analyzeSteps(planned.steps, ports);
  refuseNowTransactional(steps, await history.versionsInPart());
  progress.start(planned);
  progress.lost(await history.startRun());
  const applying = progress.recording(session, async () => {
    if (ended.length > 0) await endHolds(ended, history, ports.reporter);
    for (const [index, planned] of steps.entries()) {
      if (signal.aborted) {
        const error = interruption(signal);
        if (!session.lost.aborted) await session.executor.withdraw(error).catch(() => undefined);
        throw error;
      }
      await progress.step(session, planned.step, () =>
        applyStep(session, planned, { options, ports, signal, next: steps[index + 1]?.step }).catch((error: unknown) => {
          // What fails because it was told to stop did not fail by itself.
          if (signal.aborted) throw interruption(signal);
          throw request.direction === 'up' ? withoutHistory(toMigratorError(error), migrations, state.applied) : error;
        }),
      );
    }
  });
  await applying.finally(() => progress.tellHeld(request));
  // Only told: what was done is done.
  const elsewhere = await history.placeOfNextRun().catch(() => undefined);
  if (elsewhere !== undefined) progress.warn([elsewhere]);
}

/** A file of which a part is committed can't become one transaction. @throws MigratorError HISTORY_CONFLICT. */
function refuseNowTransactional(steps: readonly PlannedStep[], inPart: ReadonlyMap<Version, Direction>): void {
  const found = steps.find(({ step, plan }) => plan.mode === 'transaction' && inPart.has(step.version));
  if (!found) return;
  const { step } = found;
  throw new MigratorError('HISTORY_CONFLICT', `${step.script.file} was applied in part, statement by statement, and would now run as one transaction`, {
    version: step.version,
    hint: 'restore the statements that ran; what is still to be done may follow them or stand in a new file',
  });
}
