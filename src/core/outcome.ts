/** What a run did, in the same form whether it succeeded or not. */
import type { Direction, Version } from './migration.ts';
import type { Loss } from './sql/script-plan.ts';
import type { ScriptSource } from './plan/step.ts';
import type { Finding } from './rules/finding.ts';
import type { Blocker } from './runner.ts';

export interface StepResult {
  readonly version: Version;
  readonly direction: Direction;
  readonly durationMs: number;
}

/** What a dry run says of a step that would run. */
export interface DryRunStep {
  readonly version: Version;
  readonly direction: Direction;
  /** The file of this image, or what was stored when the migration was applied. */
  readonly source: ScriptSource;
  readonly sql: string;
  /** For a version in part: each statement, and whether it is done and will not run again. */
  readonly statements?: readonly { readonly sql: string; readonly done: boolean }[];
  /** Data that would be lost. */
  readonly losses: readonly EstimatedLoss[];
  /** Of an up file: what `validate` finds in what is left to run. */
  readonly findings?: readonly FindingOnServer[];
}

/** A finding, and the tables that its statement is about as the server knows them. */
export interface FindingOnServer extends Omit<Finding, 'fingerprint'> {
  readonly tables: readonly TableInUse[];
}

export interface TableSize {
  readonly schema: string;
  readonly name: string;
  /** The server's estimate; with all partitions. */
  readonly rows: number;
  /** With indexes and TOAST, and all partitions. */
  readonly bytes: number;
}

export interface TableInUse extends TableSize {
  /** The sessions that have a lock on it now. */
  readonly usedBy: readonly Omit<Blocker, 'query'>[];
}

export interface EstimatedLoss extends Omit<Loss, 'table' | 'offset'> {
  /** The server's estimate of the table's rows; absent if there is no such table. */
  readonly rows?: number;
}

export interface Outcome {
  readonly command: 'up' | 'down' | 'baseline' | 'import' | 'wait';
  /** What this run did, in order. */
  readonly done: readonly StepResult[];
  /** In the plan, but not run because of an earlier failure or a dry run. */
  readonly notRun: readonly Version[];
  /** Nothing to do: already applied (up) or not applied (down). */
  readonly skipped: readonly Version[];
  /** Files that are not applied, as far as this run knows. */
  readonly pending: readonly Version[];
  readonly warnings: readonly string[];
  readonly dryRun: boolean;
  /** In a dry run: what would run, in order. */
  readonly wouldRun?: readonly DryRunStep[];
  /** How long the run waited for the lock. */
  readonly waitedMs: number;
  readonly durationMs: number;
  /** The version that failed, if one did. */
  readonly failedVersion?: Version;
}
