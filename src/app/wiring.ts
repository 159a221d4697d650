/** Builds the ports of a command from the adapters. */
import { readFileSync } from 'node:fs';

import { systemClock } from '../adapters/clock/system-clock.ts';
import type { ConnectionSettings } from '../adapters/postgres/connection/connection-settings.ts';
import { PostgresDatabase } from '../adapters/postgres/database.ts';
import { DedicatedConnections, readAddress } from '../adapters/postgres/dedicated.ts';
import { WorkerHooks } from '../adapters/postgres/hooks.ts';
import type { Config, ConnectionConfig } from '../config/config.ts';
import type { AddressGiven } from '../config/settings.ts';
import { MigratorError } from '../core/errors.ts';
import type { Reporter } from '../core/ports.ts';
import type { RunnerIdentity } from '../core/runner.ts';
import type { ConnectPorts } from '../engine/connect.ts';
import type { World } from './world.ts';

export type DatabaseConfig = Exclude<Config, { readonly command: 'create' | 'validate' }>;

export interface Wiring {
  readonly runner: RunnerIdentity;
  readonly reporter: Reporter;
}

export interface DatabasePorts extends ConnectPorts {
  readonly runner: RunnerIdentity;
  readonly hooks: WorkerHooks;
}

/** The address is read once now, for its settings and its problems, and again at each attempt to connect. */
export function openPorts(config: DatabaseConfig, world: World, { runner, reporter }: Wiring): DatabasePorts {
  const { table, lockKey, role, allowPooler } = config.connection;
  const address = (): ConnectionSettings => readSettings(config.connection, world);
  const { serverSettings, runnerName } = address();
  const { connect, hookTarget } = new DedicatedConnections(address, role);
  const name = config.identity.pod ?? runnerName ?? runner.name;
  return {
    // The address may name the runner (application_name) where nobody else does.
    runner: name === runner.name ? runner : { ...runner, name },
    clock: systemClock,
    reporter,
    database: new PostgresDatabase({ connect, second: connect, allowPooler, table, lockKey, role, serverSettings, reporter }),
    hooks: new WorkerHooks(hookTarget, reporter, HOOK_WORKER),
  };
}

/** Beside this file in the bundle, beside its sources before. */
const HOOK_WORKER = new URL(
  import.meta.url.endsWith('.ts') ? '../adapters/postgres/hook-worker.ts' : './hook-worker.mjs',
  import.meta.url,
);

function readSettings(connection: ConnectionConfig, { env, home }: World): ConnectionSettings {
  const { databaseUrlFile, passwordFile } = connection;
  const databaseUrl = databaseUrlFile === undefined ? connection.databaseUrl : readSecret(databaseUrlFile);
  return readAddress({ databaseUrl, env, home, passwordFile });
}

/** Nothing is connected, and a file that can't be read is one of the problems. */
export function addressProblems(given: AddressGiven, { env, home }: Pick<World, 'env' | 'home'>): readonly string[] {
  const { databaseUrlFile: file } = given;
  try {
    const databaseUrl = file === undefined ? given.databaseUrl : readFileSync(file, 'utf8').trim();
    readAddress({ databaseUrl, env, home });
    return [];
  } catch (error) {
    if (error instanceof MigratorError) return error.details.problems ?? [error.summary];
    return [`--database-url-file: ${file} cannot be read`];
  }
}

function readSecret(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new MigratorError('CONFIG_INVALID', `--database-url-file: ${file} cannot be read`, {
      cause,
      problems: [cause instanceof Error ? cause.message : String(cause)],
      hint: 'mount the Secret there, or correct the path',
    });
  }
}
