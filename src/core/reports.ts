/** What `lock`, `validate`, `import --files` and `repair` report. */
import type { Difference } from './catalog/diff.ts';
import type { MigratorError } from './errors.ts';
import type { Version } from './migration.ts';
import type { Waiter } from './ports.ts';
import type { TableLock } from './scratch.ts';
import type { Holder } from './runner.ts';
import type { Finding } from './rules/finding.ts';

/** Of `lock`. */
export interface LockReport {
  readonly key: string;
  readonly holder: Holder | undefined;
  readonly waiters: readonly Waiter[];
  /** Whether terminated the holder's session; absent when nobody asked for it. */
  readonly terminated?: boolean;
}

/** Of `import --files`. */
export interface ConvertReport {
  readonly dryRun: boolean;
  /** The names of the new files. */
  readonly files: readonly string[];
  readonly warnings: readonly string[];
}

/** Of `validate`. */
export interface ValidateReport {
  /** How many migrations there are. */
  readonly migrations: number;
  readonly findings: readonly Finding[];
  /** Why the command fails. */
  readonly error?: MigratorError;
}

/** Of `repair`. */
export interface RepairReport {
  readonly dryRun: boolean;
  /** What was done, or would be. */
  readonly steps: readonly { readonly version: Version; readonly action: string; readonly diff?: readonly string[] }[];
  /** What stands as it was, a sentence each, with the command that would change it. */
  readonly left: readonly string[];
  /** Why the command fails, although it has done what was asked for. */
  readonly error?: MigratorError | undefined;
}

/** Of `drift`. */
export interface DriftReport {
  /** Major versions: of the server that the kept schema was made on, and of this one. */
  readonly servers: { readonly kept: number; readonly found: number };
  /** Versions with a file that are not applied, and applied ones without a file: no drift, but a reason for it. */
  readonly pending: readonly Version[];
  readonly unknown: readonly Version[];
  /** Kinds of objects that this role may not read: they are not compared. */
  readonly unseen: readonly string[];
  readonly differences: readonly Difference[];
  /** Why the command fails. */
  readonly error?: MigratorError;
}

/** One version in the report of `prove`. */
export interface ProvedVersion {
  readonly version: Version;
  /** `none` without a down file; `failed` when the down file, or the up file after it, does not run. */
  readonly way: 'proved' | 'different' | 'failed' | 'irreversible' | 'none';
  /** With the file that has left each of them. */
  readonly differences: readonly (Difference & { readonly file: string })[];
  readonly failure?: { readonly file: string; readonly summary: string };
  /**
   * The strongest lock of the up file on each table that was there before; absent where a file runs statement by
   * statement, as its locks are gone at its end.
   */
  readonly locks?: readonly TableLock[];
  /** The tables that were there before and have other storage now. */
  readonly rewritten: readonly string[];
  /** What `validate` does not say of the up file; absent where there is nothing. */
  readonly unforeseen?: readonly Unforeseen[];
  readonly durationMs: number;
}

/** What keeps others waiting for as long as a table is large. */
export interface Unforeseen {
  readonly table: string;
  readonly what: 'rewrite' | 'index build';
}

/** Of `prove`. */
export interface ProveReport {
  readonly versions: readonly ProvedVersion[];
  /** In what the migrations differ from the kept schema, where that was asked. */
  readonly kept?: readonly Difference[];
  /** Where the schema was written to. */
  readonly wrote?: string;
  /** Why the command fails. */
  readonly error?: MigratorError;
}
