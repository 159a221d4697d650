/** What a run does once it holds the lock; loaded when there is something to do. */
import { toMigratorError, type MigratorError } from '../../core/errors.ts';
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
import { checkHeldVersions } from './held-versions.ts';
import { refuseWhilePaused } from './pause.ts';
import { planRun, requireSameSteps, stepsMeant } from './plan-run.ts';
import type { LookBefore } from '../drift/before-up.ts';
import type { PlannedStep } from '../apply/planned-step.ts';
import { withProgress } from '../apply/resume.ts';
import type { Run } from './run.ts';

/**
 * Forgets the plan made before the lock: the history may have changed since. Resolves with whether anything was applied.
 */
export async function planAgainAndApply(run: Run, meant: readonly Version[] | undefined): Promise<boolean> {
  const { migrations, session, progress, options, ports } = run;
  const { history, journal } = session;
  progress.warn(await history.ensureTables());
  const state = await history.read();
  if (meant) requireSameSteps(meant, stepsMeant(run, state) ?? []);
  const inPart = unfinished(await journal.inPart(), state.applied);
  const plan = await planRun(run, state, inPart);
  progress.warn(await complete(migrations, state, session, options.request.direction));
  if (plan.steps.length === 0) {
    progress.upToDate(plan);
    await holdMore(run, []);
    return false;
  }
  progress.planned(plan);
  const scripts = await withHolds(run, plan);
  await refuseWhilePaused(run, plan);
  const steps = await withProgress(await analyzeSteps(scripts, ports), inPart, ports.parser);
  await warnOfDowns(scripts, ports);
  if (options.drift) progress.warn(await driftBefore(run, scripts, options.drift));
  progress.start(plan);
  await applyAll(run, steps, state).catch((error: unknown) => {
    reportHeldVersions(run, scripts, []);
    throw error;
  });
  await holdMore(run, scripts);
  return true;
}

/** Needs no lock: nobody waits for it. Only a warning: the run itself has succeeded. */
export async function warnOfNextPlace({ session: { history }, progress }: Run): Promise<void> {
  const elsewhere = await history.placeOfNextRun().catch(() => undefined);
  if (elsewhere !== undefined) progress.warn([elsewhere]);
}

async function driftBefore(
  { session, migrations, ports }: Run,
  scripts: readonly StepScript[],
  look: LookBefore,
): Promise<readonly string[]> {
  const { lookForDrift } = await import('../drift/before-up.ts');
  const versions = new Set(scripts.map(({ version }) => version));
  const pending = migrations.filter(({ version }) => versions.has(version));
  return await lookForDrift(session, pending, look, ports.parser);
}

/**
 * The steps, with the hold that each ends or begins. @throws MigratorError HISTORY_CONFLICT when a hold forbids the
 * plan.
 */
async function withHolds(run: Run, plan: Plan): Promise<readonly StepScript[]> {
  const { session, options } = run;
  const { request, runner } = options;
  if (request.direction === 'down') {
    const hold = request.hold ?? (runner.release !== undefined || (await session.journal.knowsReleases()));
    return plan.steps.map((step) => (step.direction === 'down' ? { ...step, hold } : step));
  }
  const ended = new Map((await checkHeldVersions(run, plan)).map((one) => [one.hold.version, one]));
  return plan.steps.map((step) => (step.direction === 'up' ? { ...step, ends: ended.get(step.version) } : step));
}

async function applyAll(run: Run, steps: readonly PlannedStep[], state: HistoryState): Promise<void> {
  const { session, progress, options, ports } = run;
  const { signal } = options;
  progress.lost(await session.journal.startRun(options.journalKeepMs));
  try {
    for (const [index, planned] of steps.entries()) {
      if (signal.aborted) {
        const error = interruption(signal);
        if (!session.lost.aborted) await session.executor.withdraw(error).catch(() => undefined);
        throw error;
      }
      try {
        const context = { options, ports, signal, next: steps[index + 1]?.step };
        progress.applied(planned.step, await applyStep(session, planned, context));
      } catch (error) {
        throw await progress.stepFailed(session, planned.step, causeOf(error, run, state));
      }
    }
  } catch (error) {
    // Whatever ends the run is recorded, if the session is still alive.
    if (!session.lost.aborted) await session.journal.endRun(toMigratorError(error)).catch(() => undefined);
    throw error;
  }
  await session.journal.endRun(undefined);
}

/** An interrupted step fails with the interruption, not with what the interruption caused. */
function causeOf(error: unknown, { migrations, options }: Run, { applied }: HistoryState): MigratorError {
  if (options.signal.aborted) return interruption(options.signal);
  const cause = toMigratorError(error);
  return options.request.direction === 'up' ? withoutHistory(cause, migrations, applied) : cause;
}

/** `--hold` also holds versions beyond the target that earlier runs rolled back. */
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
  progress.reportHeld({ hold, before, reason: request.reason });
}
