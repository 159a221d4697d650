/** Makes the plan of a run, from the files and what the database says now. */
import { MigratorError } from '../../core/errors.ts';
import type { HistoryState } from '../../core/history.ts';
import type { VersionInPart } from '../../core/plan/in-part.ts';
import type { Migration, Version } from '../../core/migration.ts';
import { leavingVersions, planDown } from '../../core/plan/plan-down.ts';
import { planOrThrow, planUp, type Plan } from '../../core/plan/plan.ts';
import type { Session } from '../../core/ports.ts';
import type { StoredDown } from '../../core/plan/stored-down.ts';
import { readSquashed } from './squashed.ts';
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
  await requireNothingLost(state, session);
  const squashed = await readSquashed(migrations, state.applied, session.journal);
  if (request.direction === 'up')
    return planOrThrow(planUp(migrations, state.applied, { ...request, strict, squashed, inPart }));
  const leaving = leavingOf(migrations, state, session, { ...request, squashed });
  const [stored, distrust] = leaving.length === 0 ? [[], []] : await readStored(leaving, session, request);
  return planOrThrow(
    planDown(migrations, state.applied, {
      ...request,
      strict,
      inPart,
      stored,
      distrust,
      squashed,
      database: session.database,
    }),
  );
}

/** One version may have been taken away by the original Go runner's `down`, which keeps no journal. */
const LOST_FROM = 2;

/** @throws MigratorError HISTORY_CONFLICT when the history is empty, and the journal says that it was not always so. */
async function requireNothingLost({ applied }: HistoryState, { history, journal }: Session): Promise<void> {
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
        `applied by the journal: ${known.slice(0, 10).join(', ')}${known.length > 10 ? ` and ${known.length - 10} more` : ''}`,
      ],
      hint: 'somebody has truncated or dropped the history table, or restored a half: "lockstep repair --history journal" records these versions again, "lockstep repair --history empty" takes them for not applied',
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

export function leavingOf(
  migrations: readonly Migration[],
  { applied }: HistoryState,
  { database }: Session,
  { target, squashed }: DownRequest & { readonly squashed?: ReadonlySet<Version> },
): readonly Version[] {
  return leavingVersions(migrations, applied, { target, database, squashed }).leaving;
}

/**
 * `--steps` counts from what is applied when the command starts. If that has changed when it gets the lock, it would
 * roll back something else than what was meant. @throws MigratorError ROLLBACK_REFUSED.
 */
export function requireSameSteps(meant: readonly Version[], now: readonly Version[]): void {
  if (meant.join('\n') === now.join('\n')) return;
  const name = (versions: readonly Version[]): string => (versions.length === 0 ? 'nothing' : versions.join(', '));
  throw new MigratorError(
    'ROLLBACK_REFUSED',
    'while this run waited for the lock, another one changed what is applied; nothing was run',
    {
      problems: [`--steps meant ${name(meant)}, and would now roll back ${name(now)}`],
      hint: 'look at "lockstep status"; then run it again, or better with --to VERSION, which means the same however often it runs',
    },
  );
}
