/** The target of a run. */
import type { Version } from '../migration.ts';

export type UpTarget = { readonly kind: 'latest' } | { readonly kind: 'version'; readonly version: Version };

export type DownTarget =
  /** This version stays as the newest. */
  | { readonly kind: 'version'; readonly version: Version }
  /** Rolls back the newest `count` applied versions. */
  | { readonly kind: 'steps'; readonly count: number }
  /** Rolls back every version newer than the newest file. */
  | { readonly kind: 'files' }
  /** Rolls back everything; `database` must be the name of the connected database. */
  | { readonly kind: 'all'; readonly database: string };
