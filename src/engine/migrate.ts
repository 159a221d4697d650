/** `up` and `down`: preview → lock → read again → plan again → apply → outcome. The whole order is here. */
import type { HistoryState } from '../core/history.ts';
import { MigratorError } from '../core/errors.ts';
import type { Migration, Version } from '../core/migration.ts';
import { pendingVersions, planDown, planOrThrow, planUp, type Plan } from '../core/plan.ts';
import type { Outcome } from '../core/outcome.ts';
import type { Check, MigrationSource, Session, StepScript } from '../core/ports.ts';
import type { SqlParser } from '../core/sql/script-plan.ts';
import { onlyAddsToHistory, type RunnerIdentity } from '../core/runner.ts';
import type { DownTarget, UpTarget } from '../core/target.ts';
import { analyzeSteps } from './analyze-steps.ts';
import { applyStep, type PlannedStep } from './apply.ts';
import { connect, type ConnectPorts } from './connect.ts';
import { holdLock } from './hold-lock.ts';
import { interruptedBy, interruption } from './interrupting.ts';
import { refuseWhilePaused } from './pause.ts';
import { Progress } from './progress.ts';
import type { ApplyOptions, ApplyPorts } from './step-context.ts';

export type Request =
  | { readonly direction: 'up'; readonly target: UpTarget }
  | { readonly direction: 'down'; readonly target: DownTarget };

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
  const { migrations, session, progress, options, ports } = run;
  const { lockWaitMs, signal, dryRun } = options;
  const settled = async (now: Check): Promise<true | undefined> => {
    progress.sees(pendingVersions(migrations, now.history.applied));
    // While others roll back, a plan made now is about a state that will not last.
    const lasts = now.free || (now.holder !== undefined && onlyAddsToHistory(now.holder));
    if (!lasts && !dryRun) return undefined;
    const preview = plan(run, now.history);
    progress.planned(preview);
    if (dryRun) await analyzeSteps(scriptsOf(run, preview), ports);
    else if (preview.steps.length === 0) progress.upToDate(preview);
    else {
      // Whoever holds the lock may be mending it.
      if (now.free) await pause(run, preview);
      return undefined;
    }
    return true;
  };
  const body = async (waitedMs: number): Promise<true> => {
    progress.waitedMs = waitedMs;
    await planAgainAndApply(run);
    return true;
  };
  await holdLock<true>({ session, check, settled, body, lockWaitMs, signal }, ports);
}

/** Under the lock. What was planned before is forgotten: history changes while one waits. */
async function planAgainAndApply(run: Run): Promise<void> {
  const { migrations, session, progress, options, ports } = run;
  const { signal } = options;
  const { history } = session;
  await history.ensureTables();
  const state = await history.read();
  const planned = plan(run, state);
  await history.completeChecksums(withoutChecksum(migrations, state));
  if (planned.steps.length === 0) {
    progress.upToDate(planned);
    return;
  }
  progress.planned(planned);
  await pause(run, planned);
  const steps = await analyzeSteps(scriptsOf(run, planned), ports);
  refuseNowTransactional(steps, await history.versionsInPart());
  progress.start(planned);
  progress.lost(await history.startRun());
  await progress.recording(session, async () => {
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
  if (next && options.pausesAfterFailure) await refuseWhilePaused(next, session, ports.clock);
}

/** @throws MigratorError with every problem of the plan. */
function plan({ migrations, session, options }: Run, { applied }: HistoryState): Plan {
  const { request, strict } = options;
  return planOrThrow(
    request.direction === 'up'
      ? planUp(migrations, applied, { target: request.target, strict })
      : planDown(migrations, applied, { target: request.target, strict, database: session.database }),
  );
}

function scriptsOf({ options }: Run, { steps }: Plan): StepScript[] {
  const { direction } = options.request;
  return steps.map((migration) => {
    const script = direction === 'up' ? migration.up : (migration.down ?? migration.up);
    return { version: migration.version, direction, script, migration };
  });
}

/** Rows of the original Go runner have none: they compare as equal, and are completed by whoever holds the lock. */
function withoutChecksum(migrations: readonly Migration[], { applied }: HistoryState): Migration[] {
  const bare = new Set(applied.filter((row) => row.checksum === undefined).map((row) => row.version));
  return migrations.filter((migration) => bare.has(migration.version));
}
