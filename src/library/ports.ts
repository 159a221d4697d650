/**
 * What stands behind the engine's ports when an application calls: its pool, its client, or a connection of our own.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

import { systemClock } from '../adapters/clock/system-clock.ts';
import { createFileSource } from '../adapters/files/source.ts';
import { fromClient, fromPool, poolsLike } from '../adapters/postgres/borrowed.ts';
import type { Connect } from '../adapters/postgres/connection/connected.ts';
import { DedicatedConnections, readAddress } from '../adapters/postgres/connection/dedicated.ts';
import { PostgresDatabase, type DatabaseOptions } from '../adapters/postgres/database.ts';
import { openHookPool } from '../adapters/postgres/hooks/dedicated-pool.ts';
import type { ThreadHooksOptions } from '../adapters/postgres/hooks/hooks.ts';
import { createSqlParser } from '../adapters/sql-parser/parser.ts';
import { MigratorError } from '../core/errors.ts';
import type { Clock, Database, MigrationSource, Reporter } from '../core/ports.ts';
import type { ReviewSource } from '../core/rules/review-source.ts';
import type { CommandName, RunnerIdentity } from '../core/runner.ts';
import type { SqlParser } from '../core/sql/script-plan.ts';
import { VERSION } from '../core/version.ts';
import { DEFAULTS, type Files, type StatusOptions } from './options.ts';
import type { Identity } from './read-options.ts';
import { warningInOptions } from './words.ts';

interface Ports {
  readonly clock: Clock;
  readonly reporter: Reporter;
  readonly parser: SqlParser;
  readonly source: MigrationSource;
  readonly database: Database;
  readonly hookConnections: ThreadHooksOptions['connections'];
  /** What the caller's reporter did wrong; filled while the run goes on. */
  readonly warnings: readonly string[];
}

/** @throws MigratorError CONFIG_INVALID for an address that can't be read. */
export function openPorts(options: StatusOptions, { table, lockKey }: Identity): Ports {
  const { reporter, warnings } = tolerant(options.reporter);
  const { hookConnections, ...connection } = connectionOf(options);
  const { allowPooler = false, role } = options;
  return {
    clock: systemClock,
    reporter,
    parser: createSqlParser(),
    source: sourceOf(options),
    database: new PostgresDatabase({ ...connection, allowPooler, table, lockKey, role, reporter }),
    hookConnections,
    warnings,
  };
}

export function sourceOf({ dir, files, allowEmpty = false }: Files): ReviewSource {
  return createFileSource({ ...(dir === undefined ? { files } : { dir }), allowEmpty });
}

/** As variables, empty ones are none. */
export function runnerOf({ runnerName, release, image }: StatusOptions, command: CommandName): RunnerIdentity {
  return {
    run: randomUUID(),
    command,
    productVersion: VERSION,
    name: runnerName || hostname(),
    release: release || undefined,
    image: image || undefined,
  };
}

export function connectingOf({ connectWaitMs = DEFAULTS.connectWaitMs, signal }: StatusOptions): {
  readonly connectWaitMs: number;
  readonly signal: AbortSignal;
} {
  return { connectWaitMs, signal: signal ?? new AbortController().signal };
}

/** Whatever the caller's reporter does, what is committed is committed: that it failed is a warning of the outcome. */
function tolerant(reporter: Reporter | undefined): Pick<Ports, 'reporter' | 'warnings'> {
  const warnings: string[] = [];
  const failed = (error: unknown): void => {
    if (warnings.length === 0)
      warnings.push(`the reporter failed: ${error instanceof Error ? error.message : String(error)}`);
  };
  const report: Reporter['report'] = (event) => {
    try {
      const result: unknown = reporter?.report(warningInOptions(event));
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
  return { reporter: { report }, warnings };
}

interface Connection extends Pick<DatabaseOptions, 'connect' | 'second' | 'secretChanged'> {
  readonly hookConnections: ThreadHooksOptions['connections'];
}

function connectionOf({ pool, connection, connectionString, role }: StatusOptions): Connection {
  if (pool) {
    const connect: Connect = (_name, signal) => fromPool(pool, signal);
    return { connect, second: connect, hookConnections: poolsLike(pool) };
  }
  if (connection) return { connect: () => fromClient(connection), hookConnections: noHookPool() };
  const input = { databaseUrl: connectionString, env: {} };
  readAddress(input);
  const { connect, hookTarget, secretChanged } = new DedicatedConnections(input, role);
  return { connect, second: connect, secretChanged, hookConnections: (options) => openHookPool(hookTarget(), options) };
}

function noHookPool(): MigratorError {
  return new MigratorError('CONFIG_INVALID', 'a hook needs a pool of its own, which a single connection cannot give', {
    hint: 'give runMigrations a pool or a connectionString',
  });
}
