/** Keeps a DO block or a CALL from waiting long for a table lock, behind which others would queue. */
import { MigratorError } from '../../core/errors.ts';
import type { Clock, Session } from '../../core/ports.ts';
import { describeBlocker, type Blocker } from '../../core/runner.ts';
import type { SqlPiece } from '../../core/sql/script-plan.ts';

/** The statement was cancelled; an exception handler for all other errors does not catch it. */
const CANCELLED = '57014';
/** For the answer to a cancel of ours. */
const CANCEL_ANSWER_MS = 1_000;

interface GiveWay {
  readonly session: Session;
  readonly pieces: readonly SqlPiece[];
  readonly limitMs: number;
  readonly clock: Clock;
}

/** @throws MigratorError CONTENTION with the blockers where the wait was too long. */
export async function givingWay<T>({ session, pieces, limitMs, clock }: GiveWay, body: () => Promise<T>): Promise<T> {
  if (limitMs === 0 || !pieces.some(({ runsCode }) => runsCode === true)) return await body();
  const ended = new AbortController();
  const watch = cancelLongWait(session, limitMs, { clock, ended: ended.signal });
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof MigratorError) || error.details.server?.sqlstate !== CANCELLED) throw error;
    // Whoever has cancelled it may learn so only after us.
    const blockers = await Promise.race([watch, clock.sleep(CANCEL_ANSWER_MS).then(() => undefined)]);
    throw blockers ? waitedTooLong(error, limitMs, blockers) : error;
  } finally {
    ended.abort(null);
    await watch;
  }
}

/** A help for others, so whatever keeps us from it is no failure of the run. */
async function cancelLongWait(
  session: Session,
  limitMs: number,
  { clock, ended }: { readonly clock: Clock; readonly ended: AbortSignal },
): Promise<readonly Blocker[] | undefined> {
  await clock.sleep(limitMs, ended);
  return ended.aborted ? undefined : await session.cancelLongWait(limitMs, ended).catch(() => undefined);
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
