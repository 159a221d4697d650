/** Runs pre-migration hooks: in a worker thread for the command line, in the caller's thread for the library. */
import { MigratorError } from '../../../core/errors.ts';
import type { Migration, Version } from '../../../core/migration.ts';
import type { HookRunner } from '../../../core/ports.ts';
import { boundedWords } from '../../../core/server-words.ts';
import type { Hook } from './hook-context.ts';
import type { ConnectingOptions } from './hook-connector.ts';
import type { HookConnections } from './hook-pool.ts';
import { bounded, describe, hookFailed, importHook, notConnected, type RunOptions } from './hook-run.ts';
import type { WorkerHooksOptions } from './hook-thread.ts';

/** A hook that keeps its thread busy must not starve the session that holds the lock. */
export class WorkerHooks implements HookRunner {
  readonly #options: WorkerHooksOptions;

  constructor(options: WorkerHooksOptions) {
    this.#options = options;
  }

  has(migration: Migration): boolean {
    return migration.hookPath !== undefined;
  }

  async run(migration: Migration, options: RunOptions): Promise<void> {
    const { runInThread } = await import('./hook-thread.ts');
    // What came while that was loaded tells nobody again.
    options.signal.throwIfAborted();
    await runInThread(migration, options, this.#options);
  }
}

export interface ThreadHooksOptions extends Pick<WorkerHooksOptions, 'reporter' | 'connectWaitMs'> {
  /** Opens the pool of a hook; or why there can be none. */
  readonly connections: ((options: ConnectingOptions) => HookConnections) | MigratorError;
}

/** The library's hooks: given as functions, or found as modules. */
export class ThreadHooks implements HookRunner {
  readonly #hooks: Readonly<Record<Version, Hook>>;
  readonly #options: ThreadHooksOptions;

  constructor(hooks: Readonly<Record<Version, Hook>>, options: ThreadHooksOptions) {
    this.#hooks = hooks;
    this.#options = options;
  }

  requirePool(): void {
    const { connections } = this.#options;
    if (connections instanceof MigratorError) throw connections;
  }

  has(migration: Migration): boolean {
    return migration.hookPath !== undefined || Object.hasOwn(this.#hooks, migration.version);
  }

  async run({ version, hookPath }: Migration, options: RunOptions): Promise<void> {
    const { connections, reporter, connectWaitMs } = this.#options;
    if (connections instanceof MigratorError) throw connections;
    const stop = new AbortController();
    const { pool, close, destroy, failureOf } = connections({
      connectWaitMs,
      onWait: (waiting) => reporter.report({ type: 'database.waiting', ...waiting }),
    });
    const log = (message: unknown): void => {
      reporter.report({ type: 'hook.log', version, message: boundedWords(String(message)) });
    };
    const call = async (): Promise<void> => {
      const hook = this.#hooks[version] ?? (await importHook(hookPath ?? ''));
      await hook({ pool, version, log, signal: stop.signal });
      await close();
    };
    const failed = (error: unknown): MigratorError => {
      const failure = failureOf(error);
      return failure ? notConnected(version, failure) : hookFailed(version, describe(error, hookPath), error);
    };
    try {
      const ended = call().catch((error: unknown) => {
        throw failed(error);
      });
      await bounded(version, ended, options, (reason) => {
        stop.abort(new Error(reason));
      });
    } finally {
      destroy();
    }
  }
}
