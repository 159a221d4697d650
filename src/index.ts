/** The library: `runMigrations` does what the command line does, and touches nothing of `process`. */
import './supported-node.ts';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

import { systemClock } from './adapters/clock/system-clock.ts';
import { createFileSource } from './adapters/files/source.ts';
import { fromClient, fromPool, poolsLike } from './adapters/postgres/borrowed.ts';
import type { Connect } from './adapters/postgres/connection/connected.ts';
import { PostgresDatabase, type DatabaseOptions } from './adapters/postgres/database.ts';
import { openHookPool } from './adapters/postgres/hooks/dedicated-pool.ts';
import { DedicatedConnections, readAddress } from './adapters/postgres/connection/dedicated.ts';
import type { Hook, HookContext, HookPool } from './adapters/postgres/hooks/hook-context.ts';
import { ThreadHooks, type ThreadHooksOptions } from './adapters/postgres/hooks/hooks.ts';
import type { ClientLike, PoolLike } from './adapters/postgres/connection/pool-like.ts';
import { createSqlParser } from './adapters/sql-parser/parser.ts';
import { MigratorError, type ErrorCode } from './core/errors.ts';
import type { MigratorEvent } from './core/events.ts';
import type { Direction, Version } from './core/migration.ts';
import type { DryRunStep, EstimatedLoss, Outcome, StepResult } from './core/outcome.ts';
import type { Reporter } from './core/ports.ts';
import { parseTableName, type TableName } from './core/table-name.ts';
import { migrate } from './engine/migrate/migrate.ts';
import type { DownRequest, Request } from './engine/migrate/request.ts';
import { optionProblems, type Shape } from './library-options.ts';
import { VERSION } from './core/version.ts';

export { MigratorError };
export type {
  ClientLike,
  Direction,
  DryRunStep,
  ErrorCode,
  EstimatedLoss,
  Hook,
  HookContext,
  HookPool,
  MigratorEvent,
  Outcome,
  PoolLike,
  Reporter,
  StepResult,
  Version,
};

/** Where the database is: exactly one of the three. */
type Place =
  /** A `pg.Pool`: one client of it is pinned for the run, and destroyed if the run changed its session. */
  | { readonly pool: PoolLike; readonly connection?: never; readonly connectionString?: never }
  /** A connected `pg.Client`; it stays the caller's. */
  | { readonly connection: ClientLike; readonly pool?: never; readonly connectionString?: never }
  /** An address by libpq's rules. The environment is not read. */
  | { readonly connectionString: string; readonly pool?: never; readonly connection?: never };

/** Where the migrations are. */
type Files =
  /** A flat directory, as `--dir`. */
  | { readonly dir: string; readonly files?: never }
  /** Paths of the single files; only their base names matter. */
  | { readonly files: readonly string[]; readonly dir?: never };

/** Durations are in milliseconds; the defaults are those of the command line. */
export type RunMigrationsOptions = Place &
  Files & {
    readonly direction: Direction;
    /** `up`: stop after this version. `down`: the version that stays as the newest. */
    readonly to?: Version;
    /** `down`: roll back this many of the newest applied versions. */
    readonly steps?: number;
    /** `down`: roll back what is newer than the newest file. */
    readonly toFiles?: boolean;
    /** `down`: roll back everything; `confirm` must be the name of the connected database. */
    readonly all?: boolean;
    readonly confirm?: string;
    /** `down`: which text runs where the file differs from what was stored; without it that is refused. */
    readonly from?: 'files' | 'stored';
    /** `down`: run stored SQL although others than the owner may write the tables that keep it. */
    readonly trustStored?: boolean;
    /** `down`: keep the releases that are known from applying it again, also what is rolled back already. Default: whether one is known. */
    readonly hold?: boolean;
    /** `down`: why; told to whoever is kept from applying it again. */
    readonly reason?: string;
    /** `up`: held versions that are to be applied again. */
    readonly reapply?: readonly Version[];
    /** `name` or `schema.name`, taken literally. Default `schema_migrations`. */
    readonly table?: string;
    readonly lockKey?: bigint | number | string;
    /** Pre-migration hooks by version, beside those in the directory. They run in this thread. */
    readonly hooks?: Readonly<Record<Version, Hook>>;
    readonly strict?: boolean;
    readonly dryRun?: boolean;
    readonly allowEmpty?: boolean;
    readonly role?: string;
    /** For a pooler that pools by session. */
    readonly allowPooler?: boolean;
    readonly connectWaitMs?: number;
    readonly lockWaitMs?: number;
    readonly lockTimeoutMs?: number;
    readonly statementTimeoutMs?: number;
    readonly hookTimeoutMs?: number;
    readonly cancelBlockedWaiters?: boolean;
    /** What other runners are told of this one. Default: the host's name. */
    readonly runnerName?: string;
    readonly release?: string;
    readonly image?: string;
    /** Ends the run in order: the statement is cancelled, its transaction rolled back, the lock released. */
    readonly signal?: AbortSignal;
    readonly reporter?: Reporter;
  };

/** The command line's defaults. */
const DEFAULTS = {
  table: 'schema_migrations',
  connectWaitMs: 60_000,
  lockWaitMs: 600_000,
  journalKeepMs: 30 * 24 * 3_600_000,
  lockTimeoutMs: 5_000,
  statementTimeoutMs: 0,
  hookTimeoutMs: 1_800_000,
};

/**
 * Applies or rolls back migrations under the lock, and resolves when the database is at the target.
 * @throws MigratorError with a `code`; `details.outcome` says what was done, what failed and what was not run.
 */
export async function runMigrations(options: RunMigrationsOptions): Promise<Outcome> {
  const settings = readOptions(options);
  const { reporter, warnings } = tolerant(options.reporter);
  const { hookConnections, ...connection } = connectionOf(options);
  const { table, lockKey, request } = settings;
  const waits = { ...DEFAULTS, ...whereDefined(options) };
  const outcome = await migrate(
    {
      ...waits,
      request,
      runner: {
        run: randomUUID(),
        command: request.direction,
        productVersion: VERSION,
        // As a variable, an empty one is none.
        name: options.runnerName || hostname(),
        release: options.release || undefined,
        image: options.image || undefined,
      },
      limits: {
        lockTimeoutMs: options.lockTimeoutMs ?? DEFAULTS.lockTimeoutMs,
        statementTimeoutMs: options.statementTimeoutMs ?? DEFAULTS.statementTimeoutMs,
      },
      strict: options.strict ?? false,
      dryRun: options.dryRun ?? false,
      pausesAfterFailure: false,
      cancelBlockedWaiters: options.cancelBlockedWaiters ?? true,
      signal: options.signal ?? new AbortController().signal,
    },
    {
      clock: systemClock,
      reporter,
      parser: createSqlParser(),
      // Without any files toFiles is refused as a rollback, which says more than that there are none.
      source: createFileSource({ ...filesOf(options), allowEmpty: options.allowEmpty ?? options.toFiles === true }),
      database: new PostgresDatabase({
        ...connection,
        allowPooler: options.allowPooler ?? false,
        table,
        lockKey,
        role: options.role,
        reporter,
      }),
      hooks: new ThreadHooks(options.hooks ?? {}, {
        connections: hookConnections,
        reporter,
        connectWaitMs: waits.connectWaitMs,
      }),
    },
  );
  return warnings.length === 0 ? outcome : { ...outcome, warnings: [...outcome.warnings, ...warnings] };
}

/** Whatever the caller's reporter does, what is committed is committed: that it failed is a warning of the outcome. */
function tolerant(reporter: Reporter | undefined): {
  readonly reporter: Reporter;
  readonly warnings: readonly string[];
} {
  const warnings: string[] = [];
  const failed = (error: unknown): void => {
    if (warnings.length === 0)
      warnings.push(`the reporter failed: ${error instanceof Error ? error.message : String(error)}`);
  };
  const report: Reporter['report'] = (event) => {
    try {
      const result: unknown = reporter?.report(event);
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
  return { reporter: { report }, warnings };
}

type KeyOf<T> = T extends unknown ? keyof T : never;

const SHAPES: Readonly<Record<KeyOf<RunMigrationsOptions>, Shape>> = {
  ...{
    pool: 'object',
    connection: 'object',
    connectionString: 'text',
    dir: 'text',
    files: 'texts',
    direction: ['up', 'down'],
  },
  ...{
    to: 'text',
    steps: 'number',
    toFiles: 'boolean',
    all: 'boolean',
    confirm: 'text',
    from: ['files', 'stored'],
    trustStored: 'boolean',
  },
  ...{
    hold: 'boolean',
    reason: 'text',
    reapply: 'texts',
    table: 'text',
    lockKey: 'key',
    hooks: 'object',
    strict: 'boolean',
    dryRun: 'boolean',
  },
  ...{
    allowEmpty: 'boolean',
    role: 'text',
    allowPooler: 'boolean',
    connectWaitMs: 'milliseconds',
    lockWaitMs: 'milliseconds',
  },
  ...{
    lockTimeoutMs: 'milliseconds',
    statementTimeoutMs: 'milliseconds',
    hookTimeoutMs: 'milliseconds',
    cancelBlockedWaiters: 'boolean',
  },
  ...{ runnerName: 'text', release: 'text', image: 'text', signal: 'object', reporter: 'object' },
};

/** Of the other direction, where they would be ignored. */
const FOREIGN = {
  up: ['steps', 'toFiles', 'all', 'confirm', 'from', 'trustStored', 'hold', 'reason'],
  down: ['reapply'],
} as const;

interface Settings {
  readonly request: Request;
  readonly table: TableName;
  readonly lockKey: bigint | undefined;
}

/** Before any connection is made. @throws MigratorError CONFIG_INVALID with every problem, or ROLLBACK_REFUSED. */
function readOptions(options: RunMigrationsOptions): Settings {
  const problems = optionProblems(options, {
    shapes: SHAPES,
    foreign: options.direction === 'down' ? FOREIGN.down : FOREIGN.up,
  });
  const places = [options.pool, options.connection, options.connectionString].filter((place) => place !== undefined);
  if (places.length !== 1) problems.push('give exactly one of pool, connection, connectionString');
  if ((options.dir === undefined) === (options.files === undefined)) problems.push('give exactly one of dir, files');
  if ((options.direction as unknown) === undefined) problems.push('direction is needed: "up" or "down"');
  // A caller without types may pass anything.
  const table = parseTableName(typeof options.table === 'string' ? options.table : DEFAULTS.table);
  if (typeof table === 'string') problems.push(table);
  const lockKey = readLockKey(options.lockKey);
  if (typeof lockKey === 'string') problems.push(lockKey);
  if (problems.length > 0 || typeof table === 'string' || typeof lockKey === 'string') {
    throw new MigratorError('CONFIG_INVALID', 'runMigrations: an option is wrong', { problems });
  }
  return { request: options.direction === 'down' ? downRequest(options) : upRequest(options), table, lockKey };
}

function filesOf({ dir, files }: RunMigrationsOptions): Files {
  return dir === undefined ? { files } : { dir };
}

function readLockKey(key: bigint | number | string | undefined): bigint | undefined | string {
  if (key === undefined) return undefined;
  // Such a number has been rounded already, to a lock of somebody else maybe.
  if (typeof key === 'number' && Number.isInteger(key) && !Number.isSafeInteger(key)) {
    return `lockKey ${key} is beyond the numbers that JavaScript has exactly; give a bigint (123n) or a string`;
  }
  if (typeof key === 'string' && !/^-?(?:\d+|0x[\da-f]+)$/i.test(key))
    return `lockKey ${JSON.stringify(key)} is not a whole number`;
  try {
    const value = BigInt(key);
    return BigInt.asIntN(64, value) === value ? value : `lockKey ${key} does not fit into 64 bits`;
  } catch {
    return `lockKey ${JSON.stringify(String(key))} is not a whole number`;
  }
}

function upRequest({ to, reapply = [] }: RunMigrationsOptions): Request {
  return { direction: 'up', target: to === undefined ? { kind: 'latest' } : { kind: 'version', version: to }, reapply };
}

function downRequest(options: RunMigrationsOptions): Request {
  const { from: choice, trustStored = false, hold, reason } = options;
  return { direction: 'down', target: downTarget(options), choice, trustStored, hold, reason };
}

function downTarget({ to, steps, toFiles, all, confirm }: RunMigrationsOptions): DownRequest['target'] {
  const targets = [to, steps, toFiles === true ? toFiles : undefined, all === true ? all : undefined].filter(
    (target) => target !== undefined,
  );
  if (targets.length === 1) {
    if (to !== undefined) return { kind: 'version', version: to };
    if (steps !== undefined && Number.isInteger(steps) && steps > 0) return { kind: 'steps', count: steps };
    if (toFiles === true) return { kind: 'files' };
    if (all === true && confirm !== undefined) return { kind: 'all', database: confirm };
  }
  throw new MigratorError('ROLLBACK_REFUSED', 'a rollback needs exactly one target', {
    hint: 'give one of: to (the version that stays), steps (a whole number from 1), toFiles, all together with confirm (the name of the database)',
  });
}

interface Connection extends Pick<DatabaseOptions, 'connect' | 'second' | 'secretChanged'> {
  readonly hookConnections: ThreadHooksOptions['connections'];
}

function connectionOf({ pool, connection, connectionString, role }: RunMigrationsOptions): Connection {
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

/** Options that are there but undefined leave the default as it is. */
function whereDefined(options: RunMigrationsOptions): Partial<typeof DEFAULTS> {
  const keys = ['connectWaitMs', 'lockWaitMs', 'hookTimeoutMs'] as const;
  return Object.fromEntries(keys.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]])));
}
