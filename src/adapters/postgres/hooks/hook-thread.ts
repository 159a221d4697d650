/** Runs one hook in its own thread, and receives messages over a port that the hook cannot reach. */
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { finished } from 'node:stream/promises';

import { MigratorError } from '../../../core/errors.ts';
import type { Migration, Version } from '../../../core/migration.ts';
import type { Reporter } from '../../../core/ports.ts';
import { boundedWords } from '../../../core/server-words.ts';
import type { HookTarget } from '../connection/dedicated.ts';
import type { Waiting } from './hook-connector.ts';
import { resourceLimits, memoryExceeded } from './hook-memory.ts';
import { bounded, describe, hookFailed, notConnected, type RunOptions } from './hook-run.ts';

export interface WorkerHooksOptions {
  readonly target: () => HookTarget;
  readonly reporter: Reporter;
  /** Resolves when every reported event is written. */
  readonly written: () => Promise<void>;
  readonly workerUrl: URL;
  /** How long to keep trying to connect, in milliseconds. */
  readonly connectWaitMs: number;
  /** How much memory one hook may use, in bytes. */
  readonly memory: () => number;
}

export interface HookWorkerData {
  readonly path: string;
  readonly version: Version;
  readonly target: HookTarget;
  readonly connectWaitMs: number;
  /** How many characters of the hook's log are unwritten, as one 32-bit number. */
  readonly onTheWay: SharedArrayBuffer;
  /** Removed before the hook is imported. */
  port?: MessagePort;
}

/** A MigratorError, for another thread. */
export type PlainError = Pick<MigratorError, 'code' | 'summary' | 'hint'> & Pick<MigratorError['details'], 'server'>;

export type HookMessage =
  /** `size` is added to `onTheWay` until it is written. */
  | { readonly type: 'log'; readonly message: string; readonly size: number }
  | { readonly type: 'waiting'; readonly waiting: Omit<Waiting, 'error'> & { readonly error: PlainError } }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string; readonly notConnected?: PlainError | undefined };

/** How long a hook waits for the log to be written. */
const WRITE_WAIT_MS = 5_000;
/** How long to wait for the thread's output after the hook has finished. */
const REMAINING_OUTPUT_MS = 1_000;

/** @throws MigratorError HOOK_FAILED, or the failure of the hook's connection. */
export async function runInThread(
  { version, hookPath: path = '' }: Migration,
  run: RunOptions,
  options: WorkerHooksOptions,
): Promise<void> {
  const { target, reporter, written, workerUrl, connectWaitMs } = options;
  const memory = options.memory();
  const { port1: incoming, port2: port } = new MessageChannel();
  const onTheWay = new SharedArrayBuffer(4);
  const workerData: HookWorkerData = { path, version, target: target(), connectWaitMs, onTheWay, port };
  const worker = new Worker(workerUrl, {
    workerData,
    transferList: [port],
    stdout: true,
    stderr: true,
    resourceLimits: resourceLimits(memory),
  });
  const over = new AbortController();
  const ended = new Promise<void>((resolve, reject) => {
    const hear = listener({ version, reporter, written, onTheWay: new Int32Array(onTheWay), resolve, reject });
    incoming.on('message', hear);
    worker.on('error', (error) =>
      reject(isOutOfMemory(error) ? outOfMemory(version, memory) : hookFailed(version, describe(error, path))),
    );
    worker.on('exit', (code) => {
      // Messages may still be in the port.
      for (let last = receiveMessageOnPort(incoming); last; last = receiveMessageOnPort(incoming))
        hear(last.message as HookMessage);
      reject(hookFailed(version, `it ended its thread with code ${code}`));
    });
    memoryExceeded(worker, memory, over.signal).then(
      () => reject(outOfMemory(version, memory)),
      () => undefined,
    );
  });
  hearStreams(worker, (message) => reporter.report({ type: 'hook.log', version, message }));
  try {
    await bounded(version, ended, run, (reason) => worker.postMessage(reason));
    await remainingOutput(worker);
  } finally {
    over.abort();
    await worker.terminate();
    incoming.close();
  }
}

interface Listening {
  readonly version: Version;
  readonly reporter: Reporter;
  readonly written: () => Promise<void>;
  readonly onTheWay: Int32Array;
  readonly resolve: () => void;
  readonly reject: (error: MigratorError) => void;
}

function listener({
  version,
  reporter,
  written,
  onTheWay,
  resolve,
  reject,
}: Listening): (message: HookMessage) => void {
  let unreleased = 0;
  let isUnread = false;
  /** Lets the hook continue once its lines are written. If nobody reads the log, waits only once. */
  const release = async (): Promise<void> => {
    const size = unreleased;
    unreleased = 0;
    if (!isUnread)
      isUnread = await Promise.race([written().then(() => false), sleep(WRITE_WAIT_MS, true, { ref: false })]);
    Atomics.sub(onTheWay, 0, size);
    Atomics.notify(onTheWay, 0);
  };
  return (message) => {
    switch (message.type) {
      case 'log':
        reporter.report({ type: 'hook.log', version, message: message.message });
        if (unreleased === 0)
          setImmediate(() => {
            release().catch(() => undefined);
          });
        unreleased += message.size;
        break;
      case 'waiting':
        reporter.report({ type: 'database.waiting', ...message.waiting, error: toError(message.waiting.error) });
        break;
      case 'done':
        resolve();
        break;
      case 'failed':
        reject(
          message.notConnected
            ? notConnected(version, toError(message.notConnected))
            : hookFailed(version, message.message),
        );
        break;
    }
  };
}

function toError({ code, summary, ...more }: PlainError): MigratorError {
  return new MigratorError(code, summary, more);
}

/** Receives only Node's own output: the thread sends the hook's output over the port. */
function hearStreams({ stdout, stderr }: Worker, log: (line: string) => void): void {
  for (const stream of [stdout, stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n')) if (line !== '') log(boundedWords(line));
    });
  }
}

function isOutOfMemory(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
}

function outOfMemory(version: Version, memory: number): MigratorError {
  return new MigratorError(
    'HOOK_FAILED',
    `the hook of ${version} used more memory than --hook-memory=${Math.floor(memory / 2 ** 20)}Mi`,
    {
      version,
      hint: "read and write in batches, or raise --hook-memory (and set the container's limit at least 128Mi above it); nothing was recorded",
    },
  );
}

/** Waits for output that has not arrived yet. */
async function remainingOutput({ stdout, stderr }: Worker): Promise<void> {
  const over = new AbortController();
  const ends = Promise.all([finished(stdout), finished(stderr)]);
  await Promise.race([ends, sleep(REMAINING_OUTPUT_MS, undefined, { signal: over.signal })]).catch(() => undefined);
  over.abort();
}
