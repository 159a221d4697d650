/** Ties a run to a signal: once it aborts, the running statement is cancelled on the server too. */
import { MigratorError } from '../../core/errors.ts';
import type { Session } from '../../core/ports.ts';

/** The error of an interrupted run, instead of the error that the interruption caused. */
export function interruption({ reason }: AbortSignal): MigratorError {
  if (reason instanceof MigratorError) return reason;
  return new MigratorError('INTERRUPTED', 'the run was interrupted by its caller', {
    cause: reason,
    hint: 'run again; what was committed before is recorded, everything else was rolled back',
  });
}

export async function interruptedBy<T>(
  signal: AbortSignal,
  session: Pick<Session, 'interrupt'>,
  body: () => Promise<T>,
): Promise<T> {
  const interrupt = (): void => {
    // Its effect shows in the query that fails.
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
