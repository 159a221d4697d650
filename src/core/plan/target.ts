/** Where a run is to take the database. */
import type { Version } from '../migration.ts';

export type UpTarget = { readonly kind: 'latest' } | { readonly kind: 'version'; readonly version: Version };

export type DownTarget =
  /** This version stays, as the newest. */
  | { readonly kind: 'version'; readonly version: Version }
  /** The newest `count` applied versions go. */
  | { readonly kind: 'steps'; readonly count: number }
  /** What is newer than the newest file goes. */
  | { readonly kind: 'files' }
  /** Everything goes; `database` must be the name of the connected database. */
  | { readonly kind: 'all'; readonly database: string };
