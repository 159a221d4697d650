/** Keeps a DO block or a CALL from waiting long for a table lock, because others queue behind it. */
import { MigratorError } from '../../core/errors.ts';
import type { Version } from '../../core/migration.ts';
import type { Clock, Session } from '../../core/ports.ts';
import { describeBlocker, type Blocker } from '../../core/runner.ts';
import type { SqlPiece } from '../../core/sql/script-plan.ts';

/** `query_canceled`: an exception handler for WHEN OTHERS does not catch it (PostgreSQL manual, "Trapping Errors"). */
const CANCELLED = '57014';
/** How long to wait for the result of our own cancel. */
const CANCEL_ANSWER_MS = 1_000;

export interface Watched {
  readonly session: Session;
  readonly version: Version;
  /** What is sent. */
  readonly pieces: readonly SqlPiece[];
  /** How long a DO block or a CALL among them may wait for a table lock, in milliseconds; 0 is for ever. */
  readonly lockTimeoutMs: number;
}

/**
 * Cancels the statement once it has waited for too long; resolves with the blockers, or undefined if it was not
 * cancelled.
 */
export async function cancelLongWait(
  { session, pieces, lockTimeoutMs }: Watched,
  clock: Clock,
  ended: AbortSignal,
): Promise<readonly Blocker[] | undefined> {
  if (lockTimeoutMs === 0 || !pieces.some(({ runsCode }) => runsCode === true)) return undefined;
  await clock.sleep(lockTimeoutMs, ended);
  // It only helps others: a failure to look must not fail the run.
  return ended.aborted ? undefined : await session.cancelLongWait(lockTimeoutMs, ended).catch(() => undefined);
}

/** The error of a statement that `cancelLongWait` cancelled, with the blockers; every other error as it is. */
export async function withBlockers(
  error: unknown,
  { lockTimeoutMs }: Watched,
  cancelled: Promise<readonly Blocker[] | undefined>,
  clock: Clock,
): Promise<unknown> {
  if (!(error instanceof MigratorError) || error.details.server?.sqlstate !== CANCELLED) return error;
  // The error can arrive before the result of the cancel.
  const blockers = await Promise.race([cancelled, clock.sleep(CANCEL_ANSWER_MS).then(() => undefined)]);
  return blockers ? waitedTooLong(error, lockTimeoutMs, blockers) : error;
}

function waitedTooLong(error: MigratorError, limitMs: number, blockers: readonly Blocker[]): MigratorError {
  return new MigratorError(
    'CONTENTION',
    `${error.summary}: it waited for a table lock for longer than --lock-timeout=${limitMs / 1000}s`,
    {
      ...error.details,
      blockers,
      problems: [
        ...(error.details.problems ?? []),
        ...blockers.map((blocker) => `blocked by ${describeBlocker(blocker)}`),
      ],
      hint: 'run again when the other sessions are done',
      cause: error,
    },
  );
}
