/** Watches the memory of a hook's thread, so that the thread ends before the kernel kills the process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import type { ResourceLimits, Worker } from 'node:worker_threads';

const MIB = 2 ** 20;
const LOOK_MS = 20;

/**
 * V8's own limit ends only a thread that approaches it slowly: one large allocation beyond it ends the process. So that
 * limit is set far away, the thread is watched, and V8 is told to collect garbage as if the limit were near.
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

/** 0 before the thread runs and after it has ended. Buffers are outside the heap. */
async function memoryOf(worker: Worker): Promise<number> {
  return await worker.getHeapStatistics().then(
    ({ used_heap_size: heap, external_memory: external }) => heap + external,
    () => 0,
  );
}

/** Resolves with the bytes that the thread uses once they exceed the limit; else stays pending. */
export async function memoryExceeded(worker: Worker, bytes: number, signal: AbortSignal): Promise<number> {
  let wasOver = false;
  while (!signal.aborted) {
    const taken = await memoryOf(worker);
    const isOver = taken > bytes;
    // A small excess, once, may be garbage.
    if (isOver && (wasOver || taken > bytes * 1.1)) return taken;
    wasOver = isOver;
    await sleep(LOOK_MS, undefined, { signal, ref: false });
  }
  return await new Promise<never>(() => undefined);
}
