/** Bounded waits, each of which names what it waited for when it times out. */
import { setTimeout as pause } from 'node:timers/promises';

/** Longer than any wait takes on a slow machine, shorter than mocha's own limit of 60 s. */
const PATIENCE_MS = 30_000;

/** `work`, or an Error that says "not within 30 s: <what>". `what` may be a function that is called on timeout. */
export async function within<T>(work: Promise<T>, what: string | (() => string), ms = PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not within ${ms / 1000} s: ${typeof what === 'string' ? what : what()}`)),
      ms,
    );
  });
  try {
    return await Promise.race([work, overdue]);
  } finally {
    clearTimeout(timer);
  }
}

/** Polls state that has no event (pg_locks, pg_stat_activity) until `look` returns a value. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  ms = PATIENCE_MS,
): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`not within ${ms / 1000} s: ${what}`);
    await pause(20);
  }
}
