/** What the parts of a run share: what it is given, and what is asked both before the lock and under it. */
import type { HistoryState } from '../../core/history.ts';
import type { NoLongerHeld } from '../../core/plan/held-versions.ts';
import { unfinished, type VersionInPart } from '../../core/plan/in-part.ts';
import type { Migration, Version } from '../../core/migration.ts';
import type { Plan } from '../../core/plan/plan.ts';
import type { MigrationSource, Session } from '../../core/ports.ts';
import type { RunnerIdentity } from '../../core/runner.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';
import type { ConnectPorts } from '../session/connect.ts';
import { refuseHeldVersions } from './held-versions.ts';
import { refuseWhilePaused } from './pause.ts';
import { leavingOf, planRun } from './plan-run.ts';
import type { Progress } from './progress.ts';
import type { Request } from './request.ts';
import type { ApplyOptions, ApplyPorts } from '../apply/step-context.ts';

export interface MigrateOptions extends ApplyOptions {
  readonly request: Request;
  readonly runner: RunnerIdentity;
  readonly strict: boolean;
  readonly dryRun: boolean;
  /** A migration that failed in this release is not tried again at once. */
  readonly pausesAfterFailure: boolean;
  readonly connectWaitMs: number;
  readonly lockWaitMs: number;
  /** How long rows of runs that changed nothing stay in the journal; 0 keeps them. */
  readonly journalKeepMs: number;
  readonly signal: AbortSignal;
}

export interface MigratePorts extends ApplyPorts, ConnectPorts {
  readonly source: MigrationSource;
  readonly parser: SqlParser;
}

export interface Run {
  readonly migrations: readonly Migration[];
  readonly session: Session;
  readonly progress: Progress;
  readonly options: MigrateOptions;
  readonly ports: MigratePorts;
}

export async function plan(
  { migrations, session, options, ports }: Run,
  state: HistoryState,
  inPart: readonly VersionInPart[],
): Promise<Plan> {
  const planned = await planRun(migrations, state, session, { ...options, inPart: unfinished(inPart, state.applied) });
  const hooked = planned.steps.some((step) => step.direction === 'up' && ports.hooks.has(step.migration));
  if (hooked && !options.dryRun) ports.hooks.requirePool?.();
  return planned;
}

/** `--steps` is about what is applied now; every other target means the same whenever the lock is had. */
export function stepsMeant(
  { migrations, session, options: { request } }: Run,
  state: HistoryState,
): readonly Version[] | undefined {
  if (request.direction === 'up' || request.target.kind !== 'steps') return undefined;
  return leavingOf(migrations, state, session, request);
}

/** The holds that this run ends. @throws MigratorError HISTORY_CONFLICT when one keeps it from its plan. */
export async function checkHeldVersions(
  { session, options: { request, runner } }: Run,
  { steps }: Plan,
): Promise<readonly NoLongerHeld[]> {
  if (request.direction === 'down' || steps.length === 0) return [];
  const versions = steps.map(({ version }) => version);
  return refuseHeldVersions(await session.journal.heldVersions(), versions, {
    release: runner.release,
    reapply: request.reapply ?? [],
  });
}

/** @throws MigratorError MIGRATION_FAILED while the next migration is not to be tried again. */
export async function pause({ session, options, ports }: Run, { steps: [next] }: Plan): Promise<void> {
  if (next?.direction === 'up' && options.pausesAfterFailure)
    await refuseWhilePaused(next.migration, session, ports.clock);
}
