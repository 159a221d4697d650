/** The ports of `prove` alone: databases for trials, and what is looked at in them. */
import type { Database, HookRunner } from './ports.ts';

/** A database for a trial, which nobody else uses. */
export interface Scratch {
  readonly database: Database;
  readonly hooks: HookRunner;
  /** Another one with the same content; no session may use this one meanwhile. */
  copy(): Promise<Scratch>;
  trial(): Promise<Trial>;
  /** All roles of its server. */
  roles(): Promise<readonly string[]>;
  /** Removes it; never throws. */
  drop(): Promise<void>;
}

/** A table of the project, without our own. */
export interface TrialTable {
  readonly oid: string;
  readonly name: string;
  /** Another one after a rewrite; absent for a partitioned table, which has no rows of its own. */
  readonly storage?: string;
}

export interface TableLock {
  readonly table: string;
  /** As PostgreSQL names it: `ACCESS EXCLUSIVE`. */
  readonly lock: string;
}

/** The columns of tables, by the tables' names. */
export type TableColumns = ReadonlyMap<string, readonly string[]>;

export interface RowSum {
  readonly count: string;
  readonly checksum: string;
}

/** A session of its own in a scratch database. */
export interface Trial {
  /** SQL that reports the locks of the transaction that runs it; it may stand at the end of a file. */
  readonly witness: string;
  tables(): Promise<readonly TrialTable[]>;
  /** Forgets what witnesses have seen. */
  watch(): void;
  /** The strongest lock on each of the tables that a witness has seen; undefined where none did. */
  locksOn(tables: readonly TrialTable[]): readonly TableLock[] | undefined;
  /** Runs the text of a seed; resolves with the names of the tables to which it gave rows. */
  load(sql: string): Promise<readonly string[]>;
  /** Of those of the tables that are there. */
  columns(tables: readonly string[]): Promise<TableColumns>;
  sums(columns: TableColumns): Promise<ReadonlyMap<string, RowSum>>;
  close(): Promise<void>;
}
