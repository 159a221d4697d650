/** Ties a run to a signal: once it aborts, the statement that runs is ended on the server too. */
import type { Session } from '../core/ports.ts';

export async function interruptedBy<T>(signal: AbortSignal, session: Session, body: () => Promise<T>): Promise<T> {
  const interrupt = (): void => {
    // What comes of it shows in the query that fails.
    session.interrupt().catch(() => undefined);
  };
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    signal.throwIfAborted();
    return await body();
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}
