/** What `prove` is given. */
import type { Version } from '../../core/migration.ts';
import type { Clock, MigrationSource, Reporter } from '../../core/ports.ts';
import type { ProvedVersion } from '../../core/reports.ts';
import type { RunnerIdentity } from '../../core/runner.ts';
import type { Scratch } from '../../core/scratch.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';

export interface ProveOptions {
  readonly runner: RunnerIdentity;
  readonly connectWaitMs: number;
  readonly limits: { readonly lockTimeoutMs: number; readonly statementTimeoutMs: number };
  readonly hookTimeoutMs: number;
  /** Versions before it are applied and not proved. */
  readonly from: Version | undefined;
  readonly signal: AbortSignal;
}

export interface ProvePorts {
  /** A database as it is before the first migration, on a server that others use, or that nobody else does. */
  readonly scratch: () => Promise<Scratch>;
  readonly ownsServer: boolean;
  readonly source: MigrationSource;
  /** The texts of `<version>.seed.sql`, by version. */
  readonly seeds: () => ReadonlyMap<Version, string>;
  readonly parser: SqlParser;
  readonly clock: Clock;
  readonly reporter: Reporter;
  readonly onProved: (version: ProvedVersion, of: number) => void;
}
