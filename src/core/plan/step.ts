/** A step: one migration to apply or to roll back. */
import type { NoLongerHeld } from './held-versions.ts';
import type { Migration, Script, Version } from '../migration.ts';

interface Step {
  readonly version: Version;
  /** The SQL to run. */
  readonly script: Script;
}

interface UpStep extends Step {
  readonly direction: 'up';
  /** Recorded in history and journal. */
  readonly migration: Migration;
  /** The hold that ends when it is applied, in the same transaction. */
  readonly ends?: NoLongerHeld | undefined;
}

export interface DownStep extends Step {
  readonly direction: 'down';
  /** Where the script comes from; `file` also if the journal keeps the same text. */
  readonly source: ScriptSource;
  readonly reason?: string | undefined;
  /** Whether the releases known now must not apply it again. */
  readonly hold: boolean;
}

export type ScriptSource = 'file' | 'stored';

export type StepScript = UpStep | DownStep;
