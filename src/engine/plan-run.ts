/** Makes the plan of a run, from the files and what the database says now. */
import { MigratorError } from '../core/errors.ts';
import type { HistoryState } from '../core/history.ts';
import type { VersionInPart } from '../core/in-part.ts';
import type { Migration, Version } from '../core/migration.ts';
import { leavingVersions, planDown } from '../core/plan-down.ts';
import { planOrThrow, planUp, type Plan } from '../core/plan.ts';
import type { Session } from '../core/ports.ts';
import type { StoredDown } from '../core/stored-down.ts';
import type { DownRequest, Request } from './request.ts';

interface PlanOptions {
  readonly request: Request;
  readonly strict: boolean;
  readonly inPart: readonly VersionInPart[];
}

/** @throws MigratorError with every problem of the plan. */
export async function planRun(
  migrations: readonly Migration[],
  state: HistoryState,
  session: Session,
  { request, strict, inPart }: PlanOptions,
): Promise<Plan> {
  if (request.direction === 'up') return planOrThrow(planUp(migrations, state.applied, { ...request, strict, inPart }));
  const leaving = leavingOf(migrations, state, session, request);
  const [stored, distrust] = leaving.length === 0 ? [[], []] : await readStored(leaving, session, request);
  return planOrThrow(planDown(migrations, state.applied, { ...request, strict, inPart, stored, distrust, database: session.database }));
}

async function readStored(
  leaving: readonly Version[],
  { history }: Session,
  { trustStored = false }: DownRequest,
): Promise<readonly [readonly StoredDown[], readonly string[]]> {
  return [await history.storedDowns(leaving), trustStored ? [] : await history.distrust()];
}

export function leavingOf(
  migrations: readonly Migration[],
  { applied }: HistoryState,
  { database }: Session,
  { target }: DownRequest,
): readonly Version[] {
  return leavingVersions(migrations, applied, { target, database }).leaving;
}

/**
 * `--steps` counts from what is applied when the command starts. If that has changed when it gets the lock, it would
 * roll back something else than what was meant. @throws MigratorError ROLLBACK_REFUSED.
 */
export function requireSameSteps(meant: readonly Version[], now: readonly Version[]): void {
  if (meant.join('\n') === now.join('\n')) return;
  const name = (versions: readonly Version[]): string => (versions.length === 0 ? 'nothing' : versions.join(', '));
  throw new MigratorError('ROLLBACK_REFUSED', 'while this run waited for the lock, another one changed what is applied; nothing was run', {
    problems: [`--steps meant ${name(meant)}, and would now roll back ${name(now)}`],
    hint: 'look at "lockstep status"; then run it again, or better with --to VERSION, which means the same however often it runs',
  });
}
