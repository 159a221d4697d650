/** A migration on its way into or out of the database. */
import type { NoLongerHeld } from './held-versions.ts';
import type { Migration, Script, Version } from '../migration.ts';

interface Step {
  readonly version: Version;
  /** What runs. */
  readonly script: Script;
}

interface UpStep extends Step {
  readonly direction: 'up';
  /** What the history row and the journal keep. */
  readonly migration: Migration;
  /** The hold that ends when it is applied, in the same transaction. */
  readonly ends?: NoLongerHeld | undefined;
}

export interface DownStep extends Step {
  readonly direction: 'down';
  /** Where the script came from; `file` also when the journal keeps the same text. */
  readonly source: ScriptSource;
  readonly reason?: string | undefined;
  /** The releases that are known now are not to apply it again. */
  readonly hold: boolean;
}

export type ScriptSource = 'file' | 'stored';

export type StepScript = UpStep | DownStep;
