/** Runs the library in a workspace: its schema, its lock key, its files. */
import { runMigrations, type Outcome, type RunMigrationsOptions } from '../../src/index.ts';
import { MigratorError, type ErrorCode } from '../../src/core/errors.ts';
import { WireProxy } from './wire-proxy.ts';
import type { Workspace } from './workspace.ts';

type Place = 'pool' | 'connection' | 'connectionString';

/** Overrides of the workspace's settings. */
export type RunOptions = Partial<Omit<RunMigrationsOptions, Place | 'direction' | 'lockKey'>> & {
  readonly connectionString?: string;
  /** Undefined means the key derived from the table's name. */
  readonly lockKey?: string | undefined;
};

/** `up` in the workspace, with these overrides. */
export function up(workspace: Workspace, options: RunOptions = {}): Promise<Outcome> {
  return run(workspace, 'up', options);
}

/** `down` in the workspace, with one of `to`, `steps`, `all`. */
export function down(workspace: Workspace, options: RunOptions): Promise<Outcome> {
  return run(workspace, 'down', options);
}

async function run({ url, dir, lockKey }: Workspace, direction: 'up' | 'down', options: RunOptions): Promise<Outcome> {
  return await runMigrations({ connectionString: url, dir, lockKey, ...options, direction } as RunMigrationsOptions);
}

/** The error that `work` rejects with, which must have this code. @throws any other error. */
export async function failure(code: ErrorCode, work: Promise<unknown>): Promise<MigratorError> {
  const error = await work.then(
    (value) => {
      throw new Error(`it ended well, not with ${code}: ${JSON.stringify(value)}`);
    },
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof MigratorError) || error.code !== code) throw error;
  return error;
}

/** The versions that a run has applied or rolled back, in order. */
export function done(outcome: Outcome | undefined): string[] {
  return (outcome?.done ?? []).map((step) => step.version);
}

/** A proxy in front of the workspace's server, stopped with the test. Its address contains the workspace's schema. */
export async function proxyOf(workspace: Workspace, url = workspace.url): Promise<WireProxy> {
  const proxy = await WireProxy.start(url);
  workspace.defer(() => proxy.stop());
  return proxy;
}
