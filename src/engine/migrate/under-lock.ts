/** What a run does once it holds the lock; loaded when there is something to do. */
import { toMigratorError } from '../../core/errors.ts';
import { withoutHistory } from '../../core/plan/exists-already.ts';
import type { HistoryState } from '../../core/history.ts';
import { unfinished } from '../../core/plan/in-part.ts';
import type { Version } from '../../core/migration.ts';
import { beyondTarget } from '../../core/plan/plan-down.ts';
import type { Plan } from '../../core/plan/plan.ts';
import type { StepScript } from '../../core/plan/step.ts';
import { analyzeSteps, warnOfDowns } from './analyze-steps.ts';
import { applyStep } from '../apply/apply.ts';
import { complete } from './complete.ts';
import { interruption } from '../session/interrupting.ts';
import { requireSameSteps } from './plan-run.ts';
import type { PlannedStep } from '../apply/planned-step.ts';
import { withProgress } from '../apply/resume.ts';
import { checkHeldVersions, pause, plan, stepsMeant, type Run } from './run.ts';

/** What was planned before is forgotten: history changes while one waits. */
export async function planAgainAndApply(run: Run, meant: readonly Version[] | undefined): Promise<void> {
  const { migrations, session, progress, options, ports } = run;
  const { history, journal } = session;
  progress.warn(await history.ensureTables());
  const state = await history.read();
  if (meant) requireSameSteps(meant, stepsMeant(run, state) ?? []);
  const inPart = unfinished(await journal.inPart(), state.applied);
  const planned = await plan(run, state, inPart);
  progress.warn(await complete(migrations, state, session, options.request.direction));
  if (planned.steps.length === 0) {
    progress.upToDate(planned);
    await holdMore(run, []);
    return;
  }
  progress.planned(planned);
  const prepared = await prepare(run, planned);
  await pause(run, planned);
  const steps = await withProgress(await analyzeSteps(prepared, ports), inPart, ports.parser);
  await warnOfDowns(prepared, ports);
  progress.start(planned);
  progress.lost(await journal.startRun(options.journalKeepMs));
  await progress
    .recording(session, () => applyAll(run, steps, state))
    .catch((error: unknown) => {
      reportHeldVersions(run, prepared, []);
      throw error;
    });
  await holdMore(run, prepared);
  // Only told: what was done is done.
  const elsewhere = await history.placeOfNextRun().catch(() => undefined);
  if (elsewhere !== undefined) progress.warn([elsewhere]);
}

/** Each step with what comes of the hold on it: an end, or a new one. @throws MigratorError HISTORY_CONFLICT when one binds this run. */
async function prepare(run: Run, planned: Plan): Promise<readonly StepScript[]> {
  const { session, options } = run;
  const { request, runner } = options;
  if (request.direction === 'down') {
    const hold = request.hold ?? (runner.release !== undefined || (await session.journal.knowsReleases()));
    return planned.steps.map((step) => (step.direction === 'down' ? { ...step, hold } : step));
  }
  const ended = new Map((await checkHeldVersions(run, planned)).map((one) => [one.hold.version, one]));
  return planned.steps.map((step) => (step.direction === 'up' ? { ...step, ends: ended.get(step.version) } : step));
}

async function applyAll(
  { migrations, session, progress, options, ports }: Run,
  steps: readonly PlannedStep[],
  { applied }: HistoryState,
): Promise<void> {
  const { signal, request } = options;
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
        throw request.direction === 'up' ? withoutHistory(toMigratorError(error), migrations, applied) : error;
      }),
    );
  }
}

/** With `--hold` what was rolled back before and lies beyond the target is held now, too. */
async function holdMore(run: Run, steps: readonly StepScript[]): Promise<void> {
  const {
    migrations,
    session: { journal },
    options: { request },
  } = run;
  if (request.direction === 'up') return;
  const { hold, reason, target } = request;
  const isMeant = hold === true && target.kind !== 'steps';
  const done = steps.map(({ version }) => version);
  const before = isMeant
    ? beyondTarget(target, (await journal.rolledBack()).toReversed(), migrations).filter(
        (version) => !done.includes(version),
      )
    : [];
  if (before.length > 0) await journal.holdVersions(before, reason);
  reportHeldVersions(run, steps, before);
}

function reportHeldVersions(
  { progress, options: { request } }: Run,
  steps: readonly StepScript[],
  before: readonly Version[],
): void {
  if (request.direction === 'up') return;
  const hold = before.length > 0 || steps.some((step) => step.direction === 'down' && step.hold);
  progress.tellHeld({ hold, before, reason: request.reason });
}
