/** Waits for work that cannot be told to stop, but no longer than until a signal aborts. */

/** @throws the signal's reason; the work goes on unheard then. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const stop = whenAborted(signal, () => reject(signal.reason));
  work.then(resolve, reject);
  return promise.finally(stop);
}

/** Calls `body` once when the signal aborts: at once when it has done so already. Returns what stops listening. */
export function whenAborted(signal: AbortSignal, body: () => void): () => void {
  if (signal.aborted) body();
  else signal.addEventListener('abort', body, { once: true });
  return () => signal.removeEventListener('abort', body);
}
