/**
 * The entry of a hook's thread. The hook can import everything in Node, so it must not find a way to send Lockstep's
 * messages.
 */
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
// Bound before the hook is imported: a hook that changes prototypes reaches neither the port nor the messages.
const send: (message: HookMessage) => void = port?.postMessage.bind(port) ?? (() => undefined);
const stop = new AbortController();

// The hook can use this port too, so it carries only the request to stop.
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
  // Let the thread end.
  parentPort?.close();
} catch (error) {
  for (const say of rest) say();
  const failure = failureOf(error);
  send({ type: 'failed', message: describe(error, path), notConnected: failure && plain(failure) });
}
