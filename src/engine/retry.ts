/** Tries a step again while its table locks are not to be had. */
import { MigratorError } from '../core/errors.ts';
import type { Version } from '../core/migration.ts';
import type { Clock, Reporter } from '../core/ports.ts';
import { jitter } from './connect.ts';

/** DDL that does not get its lock gives way to those who wait behind it, and comes back this often and this long. */
const MAX_ATTEMPTS = 10;
const MAX_RETRY_MS = 5 * 60_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;

/** 57014 is a cancel or the statement timeout: another try would only take as long again. */
const CANCELLED = '57014';

export async function retrying(
  { version, retry, signal }: { readonly version: Version; readonly retry: boolean; readonly signal: AbortSignal },
  { clock, reporter }: { readonly clock: Clock; readonly reporter: Reporter },
  attemptOnce: () => Promise<void>,
): Promise<void> {
  const deadline = clock.now() + MAX_RETRY_MS;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await attemptOnce();
      return;
    } catch (error) {
      const mendable =
        error instanceof MigratorError &&
        error.code === 'CONTENTION' &&
        error.details.server !== undefined &&
        error.details.server.sqlstate !== CANCELLED;
      if (!retry || !mendable || attempt >= MAX_ATTEMPTS || clock.now() >= deadline) throw error;
      const retryInMs = jitter(clock, FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS);
      reporter.report({ type: 'migration.retrying', version, attempt, retryInMs, error });
      await clock.sleep(retryInMs, signal);
      signal.throwIfAborted();
    }
  }
}
