/** One runner with all its ports in memory. */
import { randomUUID } from 'node:crypto';

import type { Migration, Version } from '../../../src/core/migration.ts';
import type { Outcome } from '../../../src/core/outcome.ts';
import type { Clock } from '../../../src/core/ports.ts';
import type { CommandName, RunnerIdentity } from '../../../src/core/runner.ts';
import type { DownTarget } from '../../../src/core/plan/target.ts';
import { migrate } from '../../../src/engine/migrate/migrate.ts';
import type { MigrateOptions } from '../../../src/engine/migrate/run.ts';
import type { DownRequest } from '../../../src/engine/migrate/request.ts';
import { Recorder } from '../recorder.ts';
import { FakeDatabase } from './database.ts';
import { FakeHooks, fakeParser, source } from './files.ts';
import type { FakeServer } from './server.ts';

export function runner(command: CommandName = 'up', name = 'pod-a'): RunnerIdentity {
  return { run: randomUUID(), command, productVersion: '1.0.0', name };
}

interface Setting {
  readonly server: FakeServer;
  readonly clock: Clock;
  readonly files?: readonly Migration[];
  readonly name?: string;
  readonly release?: string;
  readonly hooks?: Readonly<Record<Version, (signal: AbortSignal) => unknown>>;
}

export type RunOptions = Partial<Omit<MigrateOptions, 'request' | 'runner' | 'signal'>>;

export class FakeRun {
  readonly recorder = new Recorder();
  readonly database: FakeDatabase;
  readonly #interruption = new AbortController();
  readonly #setting: Setting;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.database = new FakeDatabase(setting.server);
  }

  get signal(): AbortSignal {
    return this.#interruption.signal;
  }

  interrupt(reason: Error): void {
    this.#interruption.abort(reason);
  }

  up(options: RunOptions = {}, to?: Version, reapply: readonly Version[] = []): Promise<Outcome> {
    return this.#migrate(
      { direction: 'up', target: to === undefined ? { kind: 'latest' } : { kind: 'version', version: to }, reapply },
      options,
    );
  }

  down(target: DownTarget, options: RunOptions = {}, more: Partial<DownRequest> = {}): Promise<Outcome> {
    return this.#migrate({ ...more, direction: 'down', target }, options);
  }

  #migrate(request: MigrateOptions['request'], options: RunOptions): Promise<Outcome> {
    const { clock, files = [], name, release, hooks } = this.#setting;
    const { database, recorder: reporter, signal } = this;
    return migrate(
      {
        strict: false,
        dryRun: false,
        pausesAfterFailure: false,
        connectWaitMs: 60_000,
        lockWaitMs: 600_000,
        hookTimeoutMs: 1_800_000,
        cancelBlockedWaiters: true,
        journalKeepMs: 0,
        limits: { lockTimeoutMs: 5_000, statementTimeoutMs: 0 },
        ...options,
        request,
        runner: { ...runner(request.direction, name), release },
        signal,
      },
      { clock, reporter, database, source: source(files), parser: fakeParser, hooks: new FakeHooks(hooks) },
    );
  }
}

/** The error that `work` rejects with. */
export async function failure<E = unknown>(work: Promise<unknown>): Promise<E> {
  const value = await work.then(
    (result: unknown) => ({ result }),
    (error: unknown) => ({ error: error as E }),
  );
  if ('error' in value) return value.error;
  throw new Error(`it did not fail, but gave ${JSON.stringify(value.result)}`);
}
