/** Every event that a command reports while it runs, as one union. */
import type { MigratorError } from './errors.ts';
import type { JournalEntry } from './history.ts';
import type { HeldVersion, HeldUntil } from './plan/held-versions.ts';
import type { Direction, Version } from './migration.ts';
import type { Blocker, Holder } from './runner.ts';
import type { TenantCounts } from './tenants/report.ts';

export type MigratorEvent =
  | {
      readonly type: 'database.waiting';
      readonly attempt: number;
      readonly retryInMs: number;
      readonly error: MigratorError;
    }
  | { readonly type: 'session.opened'; readonly address: string; readonly database: string; readonly pid: number }
  | { readonly type: 'session.setting-refused'; readonly setting: string; readonly reason: string }
  | {
      readonly type: 'lock.waiting';
      readonly key: string;
      readonly waitedMs: number;
      readonly holder: Holder | undefined;
    }
  | { readonly type: 'lock.acquired'; readonly key: string; readonly waitedMs: number }
  | { readonly type: 'lock.released'; readonly key: string }
  | { readonly type: 'lock.waiters-cancelled'; readonly waiters: readonly Holder[] }
  | { readonly type: 'wait.pending'; readonly message: string; readonly pending: readonly Version[] }
  /** Of a migration that `wait` waits for. */
  | { readonly type: 'wait.failed'; readonly version: Version; readonly failure: JournalEntry }
  /** Comes together with a `warning`, which is for people. */
  | { readonly type: 'database.ahead'; readonly versions: readonly Version[] }
  | { readonly type: 'run.planned'; readonly direction: Direction; readonly versions: readonly Version[] }
  | { readonly type: 'run.lost'; readonly run: string; readonly runner: string; readonly version: Version | undefined }
  | { readonly type: 'migration.skipped'; readonly version: Version; readonly direction: Direction }
  /** In place of one event each, where they are many. */
  | { readonly type: 'migrations.skipped'; readonly versions: readonly Version[]; readonly direction: Direction }
  | { readonly type: 'migration.all-skipped'; readonly versions: readonly Version[]; readonly direction: Direction }
  | { readonly type: 'migration.started'; readonly version: Version; readonly direction: Direction }
  | {
      readonly type: 'migration.retrying';
      readonly version: Version;
      readonly attempt: number;
      readonly retryInMs: number;
      readonly error: MigratorError;
    }
  | { readonly type: 'migration.applied'; readonly version: Version; readonly durationMs: number }
  | { readonly type: 'migration.rolled-back'; readonly version: Version; readonly durationMs: number }
  /** After a rollback: known releases do not apply them again. */
  | { readonly type: 'rollback.held'; readonly versions: readonly Version[]; readonly reason: string | undefined }
  /** After a rollback: the next `up` applies them again. */
  | { readonly type: 'rollback.not-held'; readonly versions: readonly Version[] }
  | { readonly type: 'hold.ended'; readonly hold: HeldVersion; readonly because: HeldUntil; readonly dryRun: boolean }
  | { readonly type: 'migration.baselined'; readonly version: Version }
  /** `as` is what the other tool calls it. */
  | { readonly type: 'migration.imported'; readonly version: Version; readonly as: string; readonly dryRun: boolean }
  | { readonly type: 'table.renamed'; readonly table: string; readonly to: string; readonly dryRun: boolean }
  | {
      readonly type: 'repair.planned';
      readonly version: Version;
      readonly action: string;
      readonly diff?: readonly string[];
      readonly dryRun: boolean;
    }
  | {
      readonly type: 'migration.failed';
      readonly version: Version;
      readonly direction: Direction;
      readonly error: MigratorError;
    }
  | { readonly type: 'statement.finished'; readonly version: Version; readonly statement: number; readonly of: number }
  | {
      readonly type: 'statement.running';
      readonly version: Version;
      readonly elapsedMs: number;
      readonly progress: { readonly phase: string; readonly percent?: number } | undefined;
      readonly blockers: readonly Blocker[];
    }
  | { readonly type: 'index.dropped'; readonly version: Version; readonly index: string }
  | { readonly type: 'hook.started'; readonly version: Version }
  | { readonly type: 'hook.finished'; readonly version: Version; readonly durationMs: number }
  | { readonly type: 'hook.log'; readonly version: Version; readonly message: string }
  | { readonly type: 'server.notice'; readonly severity: string; readonly message: string }
  | { readonly type: 'warning'; readonly message: string; readonly version?: Version }
  | {
      readonly type: 'run.finished';
      readonly direction?: Direction;
      readonly applied: readonly Version[];
      readonly durationMs: number;
    }
  /** `--schemas`: what is to be done, before anything is; `withoutHistory`: where one will be made. */
  | {
      readonly type: 'tenants.planned';
      readonly direction: Direction;
      readonly schemas: number;
      readonly work: number;
      readonly withoutHistory: readonly string[];
    }
  /** What is left is held by other runs. */
  | {
      readonly type: 'tenants.waiting';
      readonly schemas: readonly string[];
      readonly waitedMs: number;
      readonly holder: Holder | undefined;
    }
  /** An event of the run in one schema; for the log. */
  | { readonly type: 'tenant.event'; readonly schema: string; readonly event: MigratorEvent }
  | {
      readonly type: 'tenant.done';
      readonly schema: string;
      readonly direction: Direction;
      readonly versions: readonly Version[];
      readonly durationMs: number;
    }
  /** `again`: it is tried once more at the end. */
  | { readonly type: 'tenant.failed'; readonly schema: string; readonly error: MigratorError; readonly again: boolean }
  /** It was dropped after the run had begun. */
  | { readonly type: 'tenant.gone'; readonly schema: string }
  | {
      readonly type: 'tenants.finished';
      readonly direction: Direction;
      readonly counts: TenantCounts;
      readonly dryRun: boolean;
      readonly durationMs: number;
    }
  /** The end of a command that failed, for whatever reason; the library throws instead. */
  | { readonly type: 'run.failed'; readonly error: MigratorError };

export type MigratorEventType = MigratorEvent['type'];
/** Only runs over many schemas report these. */
export type TenantEventType = Extract<MigratorEventType, `tenant${string}`>;
export type MigratorEventOf<T extends MigratorEventType> = Extract<MigratorEvent, { type: T }>;
