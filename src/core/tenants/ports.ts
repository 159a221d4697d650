/** What a run over many schemas of one database needs from the outside. */
import type { HistoryState } from '../history.ts';
import type { Database, JournalLook, QueuedLock, Reporter } from '../ports.ts';
import type { Holder, RunnerIdentity } from '../runner.ts';
import type { Candidate } from './select.ts';

/** The database with the schemas. */
export interface TenantDatabase {
  /** One attempt, without retries; errors as of `Database.open`. */
  open(runner: RunnerIdentity, signal: AbortSignal): Promise<TenantSession>;
  /** Resolves when a secret that the last attempt used is another one now, or when the signal aborts. */
  secretChanged(signal: AbortSignal): Promise<void>;
}

export interface TenantCheck {
  readonly candidates: readonly Candidate[];
  readonly writesRefused: 'standby' | 'read-only' | undefined;
}

/** What one look says of a schema. */
export interface TenantLook {
  /** Equal histories are the same array. */
  readonly history: HistoryState;
  readonly journal: JournalLook | undefined;
  /** Who works in this schema. */
  readonly holder: Holder | undefined;
}

export interface TenantsLook {
  /** Schemas that are not in it must be looked at one by one. */
  readonly looks: ReadonlyMap<string, TenantLook>;
  /** Schemas that are there now. */
  readonly present: ReadonlySet<string>;
  /** A run that works in one schema alone, by the key of such runs. */
  readonly alone: Holder | undefined;
}

/** One connection that works in one schema after the other. */
export interface TenantSession {
  readonly address: string;
  readonly database: string;
  readonly pid: number;
  readonly lost: AbortSignal;
  readonly outlivesUs: false;
  /** The schemas, in one message. */
  check(): Promise<TenantCheck>;
  /** What is applied in each, in one more message. */
  look(schemas: readonly string[]): Promise<TenantsLook>;
  /** Best effort, in a constant number of messages; resolves with schemas in which it may still succeed alone. */
  noteRelease(schemas: readonly string[]): Promise<readonly string[]>;
  configure(): Promise<void>;
  /** The key of runs that work in one schema alone, in shared mode; undefined where there is no such key. */
  readonly gate: QueuedLock | undefined;
  /** The history of one schema, over this connection. */
  tenant(schema: string, reporter: Reporter): Database;
  /** That of its migrations: the schema first, the rest of the path behind it. */
  searchPathOf(schema: string): string;
  interrupt(): Promise<void>;
  close(): Promise<void>;
}
