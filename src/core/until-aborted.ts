/** Waits for work that cannot be cancelled, but only until a signal aborts. */

/** @throws the signal's reason; the work then continues and its result is ignored. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const stop = whenAborted(signal, () => reject(signal.reason));
  work.then(resolve, reject);
  return promise.finally(stop);
}

/** Calls `body` once when the signal aborts, at once if it has already. Returns a function that stops listening. */
export function whenAborted(signal: AbortSignal, body: () => void): () => void {
  if (signal.aborted) body();
  else signal.addEventListener('abort', body, { once: true });
  return () => signal.removeEventListener('abort', body);
}
