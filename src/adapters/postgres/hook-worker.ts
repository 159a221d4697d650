/** The entry of the thread in which a hook runs; it talks to its parent by messages only. */
import { parentPort, workerData } from 'node:worker_threads';

import { openHookPool } from './dedicated-pool.ts';
import { describe, importHook, type HookWorkerData, type HookWorkerMessage } from './hooks.ts';

const { path, version, target } = workerData as HookWorkerData;
const stop = new AbortController();

function tell(message: HookWorkerMessage): void {
  parentPort?.postMessage(message);
}

parentPort?.on('message', (reason: string) => {
  stop.abort(new Error(reason));
});

const { pool, close } = openHookPool(target);
try {
  const hook = await importHook(path);
  const log = (message: unknown): void => {
    tell({ type: 'log', message: String(message) });
  };
  await hook({ pool, version, log, signal: stop.signal });
  await close();
  tell({ type: 'done' });
  // Nothing else is to keep this thread.
  parentPort?.close();
} catch (error) {
  tell({ type: 'failed', message: describe(error, path) });
}
