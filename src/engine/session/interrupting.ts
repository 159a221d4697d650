/** Ties a run to a signal: once it aborts, the statement that runs is ended on the server too. */
import { MigratorError } from '../../core/errors.ts';
import type { Session } from '../../core/ports.ts';

/** What a run that was told to stop fails with, instead of what failed because of it. */
export function interruption({ reason }: AbortSignal): MigratorError {
  if (reason instanceof MigratorError) return reason;
  return new MigratorError('INTERRUPTED', 'the run was interrupted by its caller', {
    cause: reason,
    hint: 'run again; what was committed before is recorded, everything else was rolled back',
  });
}

export async function interruptedBy<T>(signal: AbortSignal, session: Session, body: () => Promise<T>): Promise<T> {
  const interrupt = (): void => {
    // What comes of it shows in the query that fails.
    session.interrupt().catch(() => undefined);
  };
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    signal.throwIfAborted();
    return await body();
  } catch (error) {
    throw signal.aborted ? interruption(signal) : error;
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}
