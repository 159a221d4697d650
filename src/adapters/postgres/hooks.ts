/** Runs pre-migration hooks: in a worker thread for the command line, in the caller's thread for the library. */
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Worker } from 'node:worker_threads';

import { MigratorError } from '../../core/errors.ts';
import type { Migration, Version } from '../../core/migration.ts';
import type { HookRunner, Reporter } from '../../core/ports.ts';
import type { HookTarget } from './dedicated.ts';
import type { Hook } from './hook-context.ts';
import type { HookConnections } from './hook-pool.ts';

export interface HookWorkerData {
  readonly path: string;
  readonly version: Version;
  readonly target: HookTarget;
}

export type HookWorkerMessage =
  | { readonly type: 'log'; readonly message: string }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string };

/** How long a hook may go on after it was told to stop. */
const STOP_GRACE_MS = 2_000;
/** How long a hook's thread may go on after the hook is done. */
const LAST_WORDS_MS = 1_000;

interface RunOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A hook that keeps its thread busy must not starve the session that holds the lock. */
export class WorkerHooks implements HookRunner {
  readonly #target: () => HookTarget;
  readonly #reporter: Reporter;
  readonly #workerUrl: URL;

  constructor(target: () => HookTarget, reporter: Reporter, workerUrl: URL) {
    this.#target = target;
    this.#reporter = reporter;
    this.#workerUrl = workerUrl;
  }

  has(migration: Migration): boolean {
    return migration.hookPath !== undefined;
  }

  async run({ version, hookPath: path = '' }: Migration, options: RunOptions): Promise<void> {
    const workerData: HookWorkerData = { path, version, target: this.#target() };
    const { Worker } = await import('node:worker_threads');
    const worker = new Worker(this.#workerUrl, { workerData, stdout: true, stderr: true });
    const log = (message: string): void => {
      if (message !== '') this.#reporter.report({ type: 'hook.log', version, message });
    };
    for (const stream of [worker.stdout, worker.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        text.split('\n').forEach(log);
      });
    }
    const ended = new Promise<void>((resolve, reject) => {
      worker.on('message', (message: HookWorkerMessage) => {
        if (message.type === 'log') log(message.message);
        else if (message.type === 'done') resolve();
        else reject(hookFailed(version, message.message));
      });
      worker.on('error', (error) => {
        reject(hookFailed(version, describe(error, path)));
      });
      worker.on('exit', (code) => {
        reject(hookFailed(version, `it ended its thread with code ${code}`));
      });
    });
    try {
      await bounded(version, ended, options, (reason) => {
        worker.postMessage(reason);
      });
      await lastWords(worker);
    } finally {
      await worker.terminate();
    }
  }
}

/** A hook that is done may not have told all of its output yet. */
async function lastWords({ stdout, stderr }: Worker): Promise<void> {
  const { finished } = await import('node:stream/promises');
  const told = new AbortController();
  const ends = Promise.all([finished(stdout), finished(stderr)]);
  await Promise.race([ends, sleep(LAST_WORDS_MS, undefined, { signal: told.signal })]).catch(() => undefined);
  told.abort();
}

/** The library's hooks: given as functions, or found as modules. */
export class ThreadHooks implements HookRunner {
  readonly #given: Readonly<Record<Version, Hook>>;
  readonly #connections: () => HookConnections;
  readonly #reporter: Reporter;

  constructor(given: Readonly<Record<Version, Hook>>, connections: () => HookConnections, reporter: Reporter) {
    this.#given = given;
    this.#connections = connections;
    this.#reporter = reporter;
  }

  has(migration: Migration): boolean {
    return migration.hookPath !== undefined || Object.hasOwn(this.#given, migration.version);
  }

  async run({ version, hookPath }: Migration, options: RunOptions): Promise<void> {
    const stop = new AbortController();
    const { pool, close, destroy } = this.#connections();
    const log = (message: string): void => {
      this.#reporter.report({ type: 'hook.log', version, message });
    };
    const call = async (): Promise<void> => {
      const hook = this.#given[version] ?? (await importHook(hookPath ?? ''));
      await hook({ pool, version, log, signal: stop.signal });
      await close();
    };
    try {
      const ended = call().catch((error: unknown) => {
        throw hookFailed(version, describe(error, hookPath), error);
      });
      await bounded(version, ended, options, (reason) => {
        stop.abort(new Error(reason));
      });
    } finally {
      destroy();
    }
  }
}

/** @throws Error when the module has no function as its default export. */
export async function importHook(path: string): Promise<Hook> {
  const module = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
  if (typeof module.default === 'function') return module.default as Hook;
  throw new Error(`${path} does not export a function as its default`);
}

/** With the place in the hook's own file, where the error knows one; of a syntax error, at least what was being imported. */
export function describe(error: unknown, path: string | undefined): string {
  if (!(error instanceof Error)) return String(error);
  const file = path === undefined ? undefined : basename(path);
  const start = file === undefined ? -1 : (error.stack?.indexOf(`${file}:`) ?? -1);
  const place = start === -1 ? undefined : /^[^:]+:\d+(?::\d+)?/.exec(error.stack?.slice(start) ?? '')?.[0];
  if (place !== undefined) return `${error.message} (${place})`;
  return error instanceof SyntaxError && file !== undefined ? `${error.message} (importing ${file})` : error.message;
}

/** Waits for the hook; tells it to stop on the signal or after its time, and gives it a moment to do so. */
async function bounded(
  version: Version,
  ended: Promise<void>,
  { timeoutMs, signal }: RunOptions,
  stop: (reason: string) => void,
): Promise<void> {
  const timeUp = timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : new AbortController().signal;
  const stopped = AbortSignal.any([signal, timeUp]);
  const over = new AbortController();
  let grace: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_resolve, reject) => {
    const tell = (): void => {
      stop(timeUp.aborted ? 'the time of this hook is up' : 'the run is ending');
      grace = setTimeout(reject, STOP_GRACE_MS, new Error('the hook went on after it was told to stop'));
    };
    stopped.addEventListener('abort', tell, { once: true, signal: over.signal });
  });
  try {
    await Promise.race([ended, overdue]);
  } catch (error) {
    signal.throwIfAborted();
    if (!timeUp.aborted) throw error;
    throw new MigratorError('HOOK_FAILED', `the hook of ${version} was not done within --hook-timeout=${timeoutMs / 1000}s`, {
      version,
      cause: error,
      hint: 'make the hook faster, or give it more time; it must be idempotent, for it runs again',
    });
  } finally {
    // A signal that comes later is none of this hook's, and must not keep the process for the time of grace.
    over.abort();
    clearTimeout(grace);
  }
}

function hookFailed(version: Version, message: string, cause?: unknown): MigratorError {
  return new MigratorError('HOOK_FAILED', `the hook of ${version} failed: ${message}`, {
    version,
    cause,
    hint: 'nothing was recorded: correct the hook (or what it found) and run again; it must be idempotent',
  });
}
