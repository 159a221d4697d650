/**
 * Watches the memory of a hook's thread, in the place of src/adapters/postgres/hooks/hook-memory.ts: Bun ignores
 * resourceLimits (oven-sh/bun#31411), and tells nothing of the heap of a thread that does not yield (oven-sh/bun#42360).
 * So the whole process is watched.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ResourceLimits, Worker } from 'node:worker_threads';

const LOOK_MS = 20;
/** Garbage cannot be told apart. With the default limit, half of the container's, the process ends below the other half. */
const WITH_GARBAGE = 1.4;

export function resourceLimits(): ResourceLimits {
  return {};
}

/** Resolves with the bytes by which the process has grown once they exceed the limit; else stays pending. */
export async function memoryExceeded(_worker: Worker, bytes: number, signal: AbortSignal): Promise<number> {
  const before = process.memoryUsage.rss();
  while (!signal.aborted) {
    const taken = process.memoryUsage.rss() - before;
    if (taken > bytes * WITH_GARBAGE) return taken;
    await sleep(LOOK_MS, undefined, { signal, ref: false });
  }
  return await new Promise<never>(() => undefined);
}
