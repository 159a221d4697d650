/** What a run did, told the same way whether it ended well or not. */
import type { Direction, Version } from './migration.ts';

export interface StepResult {
  readonly version: Version;
  readonly direction: Direction;
  readonly durationMs: number;
}

export interface Outcome {
  readonly command: 'up' | 'down' | 'baseline' | 'wait';
  /** What this run did, in order. */
  readonly done: readonly StepResult[];
  /** In the plan, but not run because something failed first (or because of a dry run). */
  readonly notRun: readonly Version[];
  /** Needed nothing: already applied (up) or not applied (down). */
  readonly skipped: readonly Version[];
  /** Files that are not applied now, as far as this run knows. */
  readonly pending: readonly Version[];
  readonly warnings: readonly string[];
  readonly dryRun: boolean;
  /** How long the run waited for the lock. */
  readonly waitedMs: number;
  readonly durationMs: number;
  /** Where it failed, if it did so in a migration. */
  readonly failedVersion?: Version;
}
