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

/** Runs hooks in a worker thread: a busy hook must not starve the session that holds the lock. */
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
    // A signal may have arrived while the module was loading.
    options.signal.throwIfAborted();
    await runInThread(migration, options, this.#options);
  }
}

export interface ThreadHooksOptions extends Pick<WorkerHooksOptions, 'reporter' | 'connectWaitMs'> {
  /** Opens a hook's pool, or says why there cannot be one. */
  readonly connections: ((options: ConnectingOptions) => HookConnections) | MigratorError;
}

/** The library's hooks: functions passed by the caller, or modules beside the files. */
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
