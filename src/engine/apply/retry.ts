/** Tries a step again while its table locks are not to be had, and says who keeps them. */
import { MigratorError } from '../../core/errors.ts';
import type { Version } from '../../core/migration.ts';
import type { Clock, Reporter, Session } from '../../core/ports.ts';
import { describeBlocker } from '../../core/runner.ts';
import type { SqlPiece } from '../../core/sql/script-plan.ts';
import { jitter } from '../session/jitter.ts';

/** DDL that does not get its lock gives way to those who wait behind it, and comes back this often and this long. */
const MAX_ATTEMPTS = 10;
const MAX_RETRY_MS = 5 * 60_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;

/** 57014 is a cancel or the statement timeout: another try would only take as long again. */
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
  // It was cancelled for the sake of others when these are known.
  return server !== undefined && (server.sqlstate !== CANCELLED || blockers !== undefined);
}

async function withBlockers(error: MigratorError, { session, pieces }: Attempt): Promise<MigratorError> {
  if (error.details.blockers) return error;
  // Only told, so whatever keeps us from looking must not hide the error.
  const blockers = await session.executor.blockersOf(pieces).catch(() => []);
  if (blockers.length === 0) return error;
  const problems = [
    ...(error.details.problems ?? []),
    ...blockers.map((blocker) => `blocked by ${describeBlocker(blocker)}`),
  ];
  return error.with({ blockers, problems });
}
