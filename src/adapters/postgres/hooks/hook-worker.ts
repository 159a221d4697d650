/** The entry of the thread in which a hook runs. The hook can import whatever Node has: nothing that it finds there speaks for us. */
// eslint-disable-next-line no-restricted-imports -- the streams of this thread: what is written there is the hook's
import { stderr, stdout } from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';

import type { MigratorError } from '../../../core/errors.ts';
import { openHookPool } from './dedicated-pool.ts';
import { HookLog } from './hook-log.ts';
import { describe, importHook } from './hook-run.ts';
import type { HookMessage, HookWorkerData, PlainError } from './hook-thread.ts';

const data = workerData as HookWorkerData;
const { path, version, target, connectWaitMs, onTheWay, port } = data;
delete data.port;
// Bound now: whatever a hook makes of the prototypes, it gets neither the port nor our words.
const send: (message: HookMessage) => void = port?.postMessage.bind(port) ?? (() => undefined);
const stop = new AbortController();

// The hook hears and says here what it likes: it is told to stop by it, and no more.
parentPort?.on('message', (reason: string) => {
  stop.abort(new Error(reason));
});

const log = new HookLog(onTheWay, (message, size) => send({ type: 'log', message, size }));
const rest = [stdout, stderr].map((stream) => log.capture(stream));

function plain({ code, summary, hint, details: { server } }: MigratorError): PlainError {
  return { code, summary, hint, server };
}

const { pool, close, failureOf } = openHookPool(target, {
  connectWaitMs,
  onWait: ({ error, ...waiting }) => send({ type: 'waiting', waiting: { ...waiting, error: plain(error) } }),
});
try {
  const hook = await importHook(path);
  stop.signal.throwIfAborted();
  await hook({ pool, version, log: (message: unknown) => log.say(String(message)), signal: stop.signal });
  await close();
  for (const say of rest) say();
  send({ type: 'done' });
  // Nothing else is to keep this thread.
  parentPort?.close();
} catch (error) {
  for (const say of rest) say();
  const failure = failureOf(error);
  send({ type: 'failed', message: describe(error, path), notConnected: failure && plain(failure) });
}
