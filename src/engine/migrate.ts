/** `up` and `down`: preview → lock → read again → plan again → apply → outcome. The whole order is here. */
import type { HistoryState } from '../core/history.ts';
import type { EndedHold } from '../core/hold.ts';
import { MigratorError } from '../core/errors.ts';
import type { Migration, Version } from '../core/migration.ts';
import { pendingVersions, type Plan } from '../core/plan.ts';
import type { Outcome } from '../core/outcome.ts';
import type { Check, MigrationSource, Session } from '../core/ports.ts';
import type { SqlParser } from '../core/sql/script-plan.ts';
import { onlyAddsToHistory, type RunnerIdentity } from '../core/runner.ts';
import { analyzeSteps } from './analyze-steps.ts';
import { applyStep, type PlannedStep } from './apply.ts';
import { complete } from './complete.ts';
import { connect, type ConnectPorts } from './connect.ts';
import { dryRunSteps } from './dry-run.ts';
import { endHolds, refuseHeld, tellEnded } from './held.ts';
import { holdLock } from './hold-lock.ts';
import { interruptedBy, interruption } from './interrupting.ts';
import { refuseWhilePaused } from './pause.ts';
import { leavingOf, planRun, requireSameSteps } from './plan-run.ts';
import { Progress } from './progress.ts';
import type { Request } from './request.ts';
import type { ApplyOptions, ApplyPorts } from './step-context.ts';

export interface MigrateOptions extends ApplyOptions {
  readonly request: Request;
  readonly runner: RunnerIdentity;
  readonly strict: boolean;
  readonly dryRun: boolean;
  /** A migration that failed in this release is not tried again at once. */
  readonly pausesAfterFailure: boolean;
  readonly connectWaitMs: number;
  readonly lockWaitMs: number;
  readonly signal: AbortSignal;
}

export interface MigratePorts extends ApplyPorts, ConnectPorts {
  readonly source: MigrationSource;
  readonly parser: SqlParser;
}

/** @throws MigratorError; its `details.outcome` says what was done before it. */
export async function migrate(options: MigrateOptions, ports: MigratePorts): Promise<Outcome> {
  const { request, signal, dryRun } = options;
  const progress = new Progress(request.direction, dryRun, ports);
  try {
    const { migrations } = await ports.source.read();
    const { session, check } = await connect({ ...options, writes: !dryRun }, ports, signal);
    try {
      const run: Run = { migrations, session, progress, options, ports };
      await interruptedBy(signal, session, () => planThenLock(run, check));
    } finally {
      await session.close();
    }
    return progress.succeeded();
  } catch (error) {
    throw progress.failed(signal.aborted ? interruption(signal) : error);
  }
}

/** What the parts below share. */
interface Run {
  readonly migrations: readonly Migration[];
  readonly session: Session;
  readonly progress: Progress;
  readonly options: MigrateOptions;
  readonly ports: MigratePorts;
}

/** The plan made before the lock is a preview: it fails early, and lets replicas leave without the lock. */
async function planThenLock(run: Run, check: Check): Promise<void> {
  const { migrations, session, progress, options } = run;
  const { lockWaitMs, signal, dryRun } = options;
  const { direction } = options.request;
  const meant = stepsMeant(run, check.history);
  const settled = async (now: Check): Promise<true | undefined> => {
    progress.sees(pendingVersions(migrations, now.history.applied));
    // While others roll back, a plan made now is about a state that will not last; nor does it for a rollback while others apply.
    const lasts = now.free || (direction === 'up' && now.holder !== undefined && onlyAddsToHistory(now.holder));
    if (!lasts && !dryRun) return undefined;
    const preview = await plan(run, now.history);
    progress.planned(preview);
    if (dryRun) await rehearse(run, preview);
    else if (preview.steps.length === 0) progress.upToDate(preview);
    else {
      // Whoever holds the lock may be mending it.
      if (now.free) await held(run, preview);
      if (now.free) await pause(run, preview);
      return undefined;
    }
    return true;
  };
  const body = async (waitedMs: number): Promise<true> => {
    progress.waitedMs = waitedMs;
    await planAgainAndApply(run, meant);
    return true;
  };
  await holdLock<true>({ session, check, settled, body, lockWaitMs, signal }, run.ports);
}

/** Under the lock. What was planned before is forgotten: history changes while one waits. */
async function planAgainAndApply(run: Run, meant: readonly Version[] | undefined): Promise<void> {
  const { migrations, session, progress, options, ports } = run;
  const { signal, request } = options;
  const { history } = session;
  await history.ensureTables();
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
    for (const planned of steps) {
      signal.throwIfAborted();
      await progress.step(session, planned.step, () =>
        applyStep(session, planned, { options, ports, signal }).catch((error: unknown) => {
          // What fails because it was told to stop did not fail by itself.
          throw signal.aborted ? interruption(signal) : error;
        }),
      );
    }
  });
  await applying.finally(() => progress.tellHeld(request));
}

/** What a dry run does instead. */
async function rehearse(run: Run, preview: Plan): Promise<void> {
  const { session, progress, ports } = run;
  tellEnded(await held(run, preview), ports.reporter, true);
  progress.wouldRun = await dryRunSteps(await analyzeSteps(preview.steps, ports), session);
}

/** `--steps` is about what is applied now; every other target means the same whenever the lock is had. */
function stepsMeant({ migrations, session, options: { request } }: Run, state: HistoryState): readonly Version[] | undefined {
  if (request.direction === 'up' || request.target.kind !== 'steps') return undefined;
  return leavingOf(migrations, state, session, request);
}

/** The holds that this run ends. @throws MigratorError HISTORY_CONFLICT when one keeps it from its plan. */
async function held({ session, options: { request, runner } }: Run, { steps }: Plan): Promise<readonly EndedHold[]> {
  if (request.direction === 'down') return [];
  const migrations = steps.flatMap((step) => (step.direction === 'up' ? step.migration : []));
  if (migrations.length === 0) return [];
  return refuseHeld(await session.history.holds(), migrations, { release: runner.release, reapply: request.reapply ?? [] });
}

/** A file of which a part is committed can't become one transaction. @throws MigratorError HISTORY_CONFLICT. */
function refuseNowTransactional(steps: readonly PlannedStep[], inPart: ReadonlySet<Version>): void {
  const found = steps.find(({ step, plan }) => plan.mode === 'transaction' && inPart.has(step.version));
  if (!found) return;
  const { step } = found;
  throw new MigratorError('HISTORY_CONFLICT', `${step.script.file} was applied in part, statement by statement, and would now run as one transaction`, {
    version: step.version,
    hint: 'restore the statements that ran; what is still to be done may follow them or stand in a new file',
  });
}

/** @throws MigratorError MIGRATION_FAILED while the next migration is not to be tried again. */
async function pause({ session, options, ports }: Run, { steps: [next] }: Plan): Promise<void> {
  if (next?.direction === 'up' && options.pausesAfterFailure) await refuseWhilePaused(next.migration, session, ports.clock);
}

function plan({ migrations, session, options }: Run, state: HistoryState): Promise<Plan> {
  return planRun(migrations, state, session, options);
}
