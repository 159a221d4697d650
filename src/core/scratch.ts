/** A port of `prove` alone: databases for trials. */
import type { Database, HookRunner } from './ports.ts';

/** A database for a trial, which nobody else uses. */
export interface Scratch {
  readonly database: Database;
  readonly hooks: HookRunner;
  /** Another one with the same content; no session may use this one meanwhile. */
  copy(): Promise<Scratch>;
  /** All roles of its server. */
  roles(): Promise<readonly string[]>;
  /** Removes it; never throws. */
  drop(): Promise<void>;
}
