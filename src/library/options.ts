/**
 * The options of each function of the library. Durations are in milliseconds; the defaults are those of the command
 * line.
 */
import type { ClientLike, PoolLike } from '../adapters/postgres/connection/pool-like.ts';
import type { Hook } from '../adapters/postgres/hooks/hook-context.ts';
import type { Direction, Version } from '../core/migration.ts';
import type { Reporter } from '../core/ports.ts';

/** Where the database is: exactly one of the three. */
type Place =
  /** A `pg.Pool`: one client of it is pinned for the run, and destroyed if the run changed its session. */
  | { readonly pool: PoolLike; readonly connection?: never; readonly connectionString?: never }
  /** A connected `pg.Client`; it stays the caller's. */
  | { readonly connection: ClientLike; readonly pool?: never; readonly connectionString?: never }
  /** An address by libpq's rules. The environment is not read. */
  | { readonly connectionString: string; readonly pool?: never; readonly connection?: never };

/** Where the migrations are. */
export type Files = (
  | /** A flat directory, as `--dir`. */ { readonly dir: string; readonly files?: never }
  /** Paths of the single files; only their base names matter. */
  | { readonly files: readonly string[]; readonly dir?: never }
) & {
  /** Accept that there are none. */
  readonly allowEmpty?: boolean;
};

interface DatabaseOptions {
  /** `name` or `schema.name`, taken literally. Default `schema_migrations`. */
  readonly table?: string;
  readonly lockKey?: bigint | number | string;
  readonly role?: string;
  /** For a pooler that pools by session. */
  readonly allowPooler?: boolean;
  readonly connectWaitMs?: number;
  /** What other runners are told of this one. Default: the host's name. */
  readonly runnerName?: string;
  readonly release?: string;
  readonly image?: string;
  /** Ends the run in order: the statement is cancelled, its transaction rolled back, the lock released. */
  readonly signal?: AbortSignal;
  readonly reporter?: Reporter;
}

/** Of `status` and `pending`, which write nothing. */
export type StatusOptions = Place & Files & DatabaseOptions;

/** Of `validate`, which asks no database. */
export type ValidateOptions = Files & {
  /** What is otherwise a warning is an error. */
  readonly strict?: boolean;
};

/** Of `runMigrations`. */
export type RunMigrationsOptions = Place &
  Files &
  DatabaseOptions & {
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
    /**
     * `down`: keep the releases that are known from applying it again, also what is rolled back already. Default:
     * whether one is known.
     */
    readonly hold?: boolean;
    /** `down`: why; shown to whoever is kept from applying it again. */
    readonly reason?: string;
    /** `up`: held versions that are to be applied again. */
    readonly reapply?: readonly Version[];
    /** Pre-migration hooks by version, beside those in the directory. They run in this thread. */
    readonly hooks?: Readonly<Record<Version, Hook>>;
    readonly strict?: boolean;
    readonly dryRun?: boolean;
    readonly lockWaitMs?: number;
    readonly lockTimeoutMs?: number;
    readonly statementTimeoutMs?: number;
    readonly hookTimeoutMs?: number;
    readonly cancelBlockedWaiters?: boolean;
  };

/** The command line's defaults. */
export const DEFAULTS = {
  table: 'schema_migrations',
  connectWaitMs: 60_000,
  lockWaitMs: 600_000,
  journalKeepMs: 30 * 24 * 3_600_000,
  lockTimeoutMs: 5_000,
  statementTimeoutMs: 0,
  hookTimeoutMs: 1_800_000,
};
