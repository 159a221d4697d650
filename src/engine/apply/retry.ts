/** Retries a step while it cannot get its table locks, and names the sessions that hold them. */
import { MigratorError } from '../../core/errors.ts';
import type { Version } from '../../core/migration.ts';
import type { Clock, Reporter, Session } from '../../core/ports.ts';
import { describeBlocker } from '../../core/runner.ts';
import type { SqlPiece } from '../../core/sql/script-plan.ts';
import { jitter } from '../session/jitter.ts';

/** DDL that does not get its lock gives way to the sessions behind it, and is retried this often and for this long. */
const MAX_ATTEMPTS = 10;
const MAX_RETRY_MS = 5 * 60_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;

/** 57014 is a cancel or the statement timeout: another attempt would take as long again. */
const CANCELLED = '57014';

export interface Attempt {
  readonly session: Session;
  readonly version: Version;
  /** What is sent. */
  readonly pieces: readonly SqlPiece[];
  readonly retry: boolean;
  readonly signal: AbortSignal;
}

/** @throws MigratorError CONTENTION naming the blockers, after the last attempt; every other error at once. */
export async function retrying(
  attempt: Attempt,
  { clock, reporter }: { readonly clock: Clock; readonly reporter: Reporter },
  attemptOnce: (count: number) => Promise<void>,
): Promise<void> {
  const { version, retry, signal } = attempt;
  const deadline = clock.now() + MAX_RETRY_MS;
  for (let count = 1; ; count += 1) {
    try {
      await attemptOnce(count);
      return;
    } catch (cause) {
      if (!isContention(cause)) throw cause;
      const error = await withBlockers(cause, attempt);
      if (!retry || count >= MAX_ATTEMPTS || clock.now() >= deadline) throw error;
      const retryInMs = jitter(clock, FIRST_PAUSE_MS * 2 ** (count - 1), LONGEST_PAUSE_MS);
      reporter.report({ type: 'migration.retrying', version, attempt: count, retryInMs, error });
      await clock.sleep(retryInMs, signal);
      signal.throwIfAborted();
    }
  }
}

function isContention(error: unknown): error is MigratorError {
  if (!(error instanceof MigratorError) || error.code !== 'CONTENTION') return false;
  const { server, blockers } = error.details;
  // Blockers are known when we cancelled the statement ourselves, to give way.
  return server !== undefined && (server.sqlstate !== CANCELLED || blockers !== undefined);
}

async function withBlockers(error: MigratorError, { session, pieces }: Attempt): Promise<MigratorError> {
  if (error.details.blockers) return error;
  // Only for the message: a failure to look must not hide the error.
  const blockers = await session.executor.blockersOf(pieces).catch(() => []);
  if (blockers.length === 0) return error;
  const problems = [
    ...(error.details.problems ?? []),
    ...blockers.map((blocker) => `blocked by ${describeBlocker(blocker)}`),
  ];
  return error.with({ blockers, problems });
}
