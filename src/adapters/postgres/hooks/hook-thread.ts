/** Runs one hook in a thread of its own, and hears of it over a port that the hook itself cannot reach. */
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { finished } from 'node:stream/promises';

import { MigratorError } from '../../../core/errors.ts';
import type { Migration, Version } from '../../../core/migration.ts';
import type { Reporter } from '../../../core/ports.ts';
import { boundedWords } from '../../../core/server-words.ts';
import type { HookTarget } from '../connection/dedicated.ts';
import type { Waiting } from './hook-connector.ts';
import { resourceLimits, tooMuchMemory } from './hook-memory.ts';
import { bounded, describe, hookFailed, notConnected, type RunOptions } from './hook-run.ts';

export interface WorkerHooksOptions {
  readonly target: () => HookTarget;
  readonly reporter: Reporter;
  /** Resolves when what was reported is written. */
  readonly written: () => Promise<void>;
  readonly workerUrl: URL;
  /** How long a connection may be tried for, in milliseconds. */
  readonly connectWaitMs: number;
  /** How much one hook may take, in bytes. */
  readonly memory: () => number;
}

export interface HookWorkerData {
  readonly path: string;
  readonly version: Version;
  readonly target: HookTarget;
  readonly connectWaitMs: number;
  /** How much of the log is on its way, as one 32-bit number. */
  readonly onTheWay: SharedArrayBuffer;
  /** Taken out before the hook is imported. */
  port?: MessagePort;
}

/** A MigratorError, for another thread. */
export type PlainError = Pick<MigratorError, 'code' | 'summary' | 'hint'> & Pick<MigratorError['details'], 'server'>;

export type HookMessage =
  /** `size` is what it counts for while it is on its way. */
  | { readonly type: 'log'; readonly message: string; readonly size: number }
  | { readonly type: 'waiting'; readonly waiting: Omit<Waiting, 'error'> & { readonly error: PlainError } }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string; readonly notConnected?: PlainError | undefined };

/** How long the log may take for what one hook has on its way to it. */
const WRITE_WAIT_MS = 5_000;
/** How long a hook's thread may go on after the hook is done. */
const LAST_WORDS_MS = 1_000;

/** @throws MigratorError HOOK_FAILED, or what a connection of the hook failed with. */
export async function runInThread(
  { version, hookPath: path = '' }: Migration,
  run: RunOptions,
  options: WorkerHooksOptions,
): Promise<void> {
  const { target, reporter, written, workerUrl, connectWaitMs } = options;
  const memory = options.memory();
  const { port1: ours, port2: port } = new MessageChannel();
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
    ours.on('message', hear);
    worker.on('error', (error) =>
      reject(isOutOfMemory(error) ? tooMuch(version, memory) : hookFailed(version, describe(error, path))),
    );
    worker.on('exit', (code) => {
      // Its last words may still lie here.
      for (let last = receiveMessageOnPort(ours); last; last = receiveMessageOnPort(ours))
        hear(last.message as HookMessage);
      reject(hookFailed(version, `it ended its thread with code ${code}`));
    });
    tooMuchMemory(worker, memory, over.signal).then(
      () => reject(tooMuch(version, memory)),
      () => undefined,
    );
  });
  hearStreams(worker, (message) => reporter.report({ type: 'hook.log', version, message }));
  try {
    await bounded(version, ended, run, (reason) => worker.postMessage(reason));
    await lastWords(worker);
  } finally {
    over.abort();
    await worker.terminate();
    ours.close();
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
  let stopRequested = 0;
  let unread = false;
  /** Lets the hook go on once what it has said is written; where nobody reads the log, that is waited for once. */
  const release = async (): Promise<void> => {
    const size = stopRequested;
    stopRequested = 0;
    if (!unread) unread = await Promise.race([written().then(() => false), sleep(WRITE_WAIT_MS, true, { ref: false })]);
    Atomics.sub(onTheWay, 0, size);
    Atomics.notify(onTheWay, 0);
  };
  return (message) => {
    switch (message.type) {
      case 'log':
        reporter.report({ type: 'hook.log', version, message: message.message });
        if (stopRequested === 0)
          setImmediate(() => {
            release().catch(() => undefined);
          });
        stopRequested += message.size;
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

/** Only what Node itself writes comes here: the thread sends what the hook prints by its own way. */
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

function tooMuch(version: Version, memory: number): MigratorError {
  return new MigratorError(
    'HOOK_FAILED',
    `the hook of ${version} took more memory than --hook-memory=${Math.floor(memory / 2 ** 20)}Mi`,
    {
      version,
      hint: "read and write in portions, or give it more memory (and the container's limit at least 128Mi beyond that); nothing was recorded",
    },
  );
}

/** A hook that is done may not have told all of its output yet. */
async function lastWords({ stdout, stderr }: Worker): Promise<void> {
  const stopRequested = new AbortController();
  const ends = Promise.all([finished(stdout), finished(stderr)]);
  await Promise.race([ends, sleep(LAST_WORDS_MS, undefined, { signal: stopRequested.signal })]).catch(() => undefined);
  stopRequested.abort();
}
