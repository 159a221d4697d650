/** Plans a run from the files and the current state of the database. */
import { MigratorError } from '../../core/errors.ts';
import type { HistoryState } from '../../core/history.ts';
import { unfinished, type VersionInPart } from '../../core/plan/in-part.ts';
import type { Version } from '../../core/migration.ts';
import { leavingVersions, planDown } from '../../core/plan/plan-down.ts';
import { planOrThrow, planUp, type Plan } from '../../core/plan/plan.ts';
import type { Session } from '../../core/ports.ts';
import type { StoredDown } from '../../core/plan/stored-down.ts';
import { readSquashed } from './squashed.ts';
import type { DownRequest } from './request.ts';
import type { Run } from './run.ts';

/** @throws MigratorError with every problem of the plan. */
export async function planRun(run: Run, state: HistoryState, partial: readonly VersionInPart[]): Promise<Plan> {
  const { migrations, session, options, ports } = run;
  const { request, strict } = options;
  const { applied } = state;
  const inPart = unfinished(partial, applied);
  await requireNothingLost(state, session);
  const squashed = await readSquashed(migrations, applied, session.journal);
  if (request.direction === 'up') {
    const plan = planOrThrow(planUp(migrations, applied, { ...request, strict, squashed, inPart }));
    const hasHook = plan.steps.some((step) => step.direction === 'up' && ports.hooks.has(step.migration));
    if (hasHook && !options.dryRun) ports.hooks.requirePool?.();
    return plan;
  }
  const { database } = session;
  const { leaving } = leavingVersions(migrations, applied, { target: request.target, database, squashed });
  const [stored, distrust] = leaving.length === 0 ? [[], []] : await readStored(leaving, session, request);
  return planOrThrow(
    planDown(migrations, applied, { ...request, strict, inPart, stored, distrust, squashed, database }),
  );
}

/** The original Go runner's `down` keeps no journal, so one version may be gone without an entry. */
const LOST_FROM = 2;

/**
 * @throws MigratorError HISTORY_CONFLICT when the history is empty although versions are applied according to the
 * journal.
 */
export async function requireNothingLost(
  { applied }: HistoryState,
  { history, journal }: Pick<Session, 'history' | 'journal'>,
): Promise<void> {
  if (applied.length > 0) return;
  const known = await journal.appliedVersions();
  if (known.length < LOST_FROM) return;
  // Another run may have applied them since the history was read.
  if ((await history.read()).applied.length > 0) return;
  throw new MigratorError(
    'HISTORY_CONFLICT',
    'the history is empty, but its journal says that versions are applied; nothing was run',
    {
      problems: [
        `applied according to the journal: ${known.slice(0, 10).join(', ')}${known.length > 10 ? ` and ${known.length - 10} more` : ''}`,
      ],
      hint: 'the history table was truncated or dropped, or only one of the two tables was restored: "lockstep repair --history journal" records these versions again, "lockstep repair --history empty" treats them as not applied',
    },
  );
}

async function readStored(
  leaving: readonly Version[],
  { history, journal }: Session,
  { trustStored = false }: DownRequest,
): Promise<readonly [readonly StoredDown[], readonly string[]]> {
  return [await journal.storedDowns(leaving), trustStored ? [] : await history.distrust()];
}

/** What `--steps` rolls back as things stand; undefined for every other target, which means the same at any time. */
export function stepsMeant(
  { migrations, session: { database }, options: { request } }: Run,
  { applied }: HistoryState,
): readonly Version[] | undefined {
  if (request.direction === 'up' || request.target.kind !== 'steps') return undefined;
  return leavingVersions(migrations, applied, { target: request.target, database }).leaving;
}

/**
 * `--steps` counts from what is applied when the command starts. If that changed before the run got the lock, it would
 * roll back other versions than the user meant. @throws MigratorError ROLLBACK_REFUSED.
 */
export function requireSameSteps(meant: readonly Version[], now: readonly Version[]): void {
  if (meant.join('\n') === now.join('\n')) return;
  const name = (versions: readonly Version[]): string => (versions.length === 0 ? 'nothing' : versions.join(', '));
  throw new MigratorError(
    'ROLLBACK_REFUSED',
    'while this run waited for the lock, another run changed which versions are applied; nothing was run',
    {
      problems: [`--steps meant ${name(meant)}, and would now roll back ${name(now)}`],
      hint: 'look at "lockstep status"; then run it again, or better with --to VERSION, which means the same however often it runs',
    },
  );
}
