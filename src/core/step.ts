/** A migration on its way into or out of the database. */
import type { Migration, Script, Version } from './migration.ts';

interface Step {
  readonly version: Version;
  /** What runs. */
  readonly script: Script;
}

interface UpStep extends Step {
  readonly direction: 'up';
  /** What the history row and the journal keep. */
  readonly migration: Migration;
}

export interface DownStep extends Step {
  readonly direction: 'down';
  /** Where the script came from; `file` also when the journal keeps the same text. */
  readonly source: ScriptSource;
  /** Of the up file that was applied, as far as anybody knows. */
  readonly upChecksum?: string | undefined;
  readonly reason?: string | undefined;
  /** The releases that are known now are not to apply it again. */
  readonly hold: boolean;
}

export type ScriptSource = 'file' | 'stored';

export type StepScript = UpStep | DownStep;
