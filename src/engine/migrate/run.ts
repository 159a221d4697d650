/** What the parts of one `up` or `down` share. */
import type { Migration } from '../../core/migration.ts';
import type { MigrationSource, Session } from '../../core/ports.ts';
import type { RunnerIdentity } from '../../core/runner.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';
import type { ConnectPorts } from '../session/connect.ts';
import type { LookBefore } from '../drift/before-up.ts';
import type { Progress } from './progress.ts';
import type { Request } from './request.ts';
import type { ApplyOptions, ApplyPorts } from '../apply/step-context.ts';

export interface MigrateOptions extends ApplyOptions {
  readonly request: Request;
  readonly runner: RunnerIdentity;
  readonly strict: boolean;
  readonly dryRun: boolean;
  /** Whether a migration that just failed in this release waits before it is tried again. */
  readonly pausesAfterFailure: boolean;
  readonly connectWaitMs: number;
  readonly lockWaitMs: number;
  /** How long the journal keeps entries of runs that changed nothing, in milliseconds; 0 keeps them for ever. */
  readonly journalKeepMs: number;
  readonly signal: AbortSignal;
  /** Of `up`: look for drift before anything is applied. */
  readonly drift?: LookBefore | undefined;
}

export interface MigratePorts extends ApplyPorts, ConnectPorts {
  readonly source: MigrationSource;
  readonly parser: SqlParser;
}

export interface Run {
  readonly migrations: readonly Migration[];
  readonly session: Session;
  readonly progress: Progress;
  readonly options: MigrateOptions;
  readonly ports: MigratePorts;
}
