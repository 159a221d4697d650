/** Ends the thread of a hook that takes more memory than it may, before the kernel ends the whole process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import type { ResourceLimits, Worker } from 'node:worker_threads';

const MIB = 2 ** 20;
const LOOK_MS = 20;

/**
 * V8's own limit only ends a thread that comes near it slowly: one allocation that goes beyond it ends the process. So that
 * limit is far away, and the thread is watched; V8 is told to collect garbage as if the limit were near.
 */
export function resourceLimits(bytes: number): ResourceLimits {
  const mib = Math.floor(bytes / MIB);
  setFlagsFromString(`--initial-old-space-size=${Math.ceil(mib / 4)}`);
  setFlagsFromString('--heap-growing-percent=30');
  return {
    maxOldGenerationSizeMb: 4 * mib + 2048,
    maxYoungGenerationSizeMb: Math.min(48, Math.max(8, Math.floor(mib / 8))),
  };
}

/** 0 while the thread does not run yet, or no more. Buffers lie outside of the heap. */
async function memoryOf(worker: Worker): Promise<number> {
  return await worker.getHeapStatistics().then(
    ({ used_heap_size: heap, external_memory: external }) => heap + external,
    () => 0,
  );
}

/** Resolves with the bytes that the thread has taken once that is too much; stays pending otherwise. */
export async function tooMuchMemory(worker: Worker, bytes: number, signal: AbortSignal): Promise<number> {
  let wasOver = false;
  while (!signal.aborted) {
    const taken = await memoryOf(worker);
    const isOver = taken > bytes;
    // A little, once, may be garbage.
    if (isOver && (wasOver || taken > bytes * 1.1)) return taken;
    wasOver = isOver;
    await sleep(LOOK_MS, undefined, { signal, ref: false });
  }
  return await new Promise<never>(() => undefined);
}
