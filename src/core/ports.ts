/** What the engine needs from the outside. Adapters implement it; tests have fakes. */
import type { Catalog } from './catalog/catalog.ts';
import type { MigratorError } from './errors.ts';
import type { MigratorEvent } from './events.ts';
import type { NewFile, OldFile } from './convert/converted.ts';
import type { FileRemark } from './file-names.ts';
import type { HistoryState, JournalEntry } from './history.ts';
import type { HeldVersion } from './plan/held-versions.ts';
import type { ForeignTable } from './import/foreign-history.ts';
import type { ImportedMigration } from './import/plan-import.ts';
import type { VersionInPart } from './plan/in-part.ts';
import type { Migration, Version } from './migration.ts';
import type { TableSize } from './outcome.ts';
import type { Failures } from './plan/pause.ts';
import type { RepairAction } from './plan/repair.ts';
import type { Blocker, Holder, RunnerIdentity } from './runner.ts';
import type { ConcurrentIndex, Reindexed, RelationName, SqlPiece, Unit } from './sql/script-plan.ts';
import type { StepScript } from './plan/step.ts';
import type { StoredDown } from './plan/stored-down.ts';
import type { TableName } from './table-name.ts';

export type { StepScript };

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`, or as soon as the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Aborts after `ms`. */
  deadline(ms: number): AbortSignal;
  /** From 0 up to 1, for jitter. */
  random(): number;
}

export interface Reporter {
  report(event: MigratorEvent): void;
}

/** The migration files, in order. */
export interface MigrationSource {
  /** @throws MigratorError MIGRATIONS_INVALID naming every offender at once. */
  read(): Promise<MigrationSet>;
}

export interface MigrationSet {
  readonly migrations: readonly Migration[];
  readonly remarks: readonly FileRemark[];
}

/** Another tool's directory, and the one for what becomes of it. */
export interface ConversionFiles {
  read(): readonly OldFile[];
  /** Which of these names are there already. */
  existing(names: readonly string[]): readonly string[];
  /** All of them or, where one fails, none. */
  write(files: readonly NewFile[]): void;
}

export interface Database {
  /**
   * One attempt to open a session, without retries.
   * @throws MigratorError DATABASE_UNAVAILABLE when trying again may help, else ACCESS_REFUSED or CONFIG_INVALID.
   */
  open(runner: RunnerIdentity, signal: AbortSignal): Promise<Session>;
  /** Resolves when a secret that the last attempt used is another one now, or when the signal aborts. */
  secretChanged(signal: AbortSignal): Promise<void>;
}

/** The result of a check: one round trip, without the exclusive lock. */
export interface Check {
  /** The lock had no exclusive holder at a moment before the history was read. */
  readonly free: boolean;
  /** Undefined while not free: a try that failed without a holder; try again soon. */
  readonly holder: Holder | undefined;
  /** Why commands that write can't run here now. */
  readonly writesRefused: 'standby' | 'read-only' | undefined;
  readonly history: HistoryState;
  /** Undefined where there is no journal, or this role may not read it. */
  readonly journal: JournalLook | undefined;
}

/** What a check sees of the journal, after the history. */
export interface JournalLook {
  /** It has a row of the runner's release; true for a runner without one. */
  readonly releaseSeen: boolean;
  /** Without the texts of their statements. */
  readonly inPart: readonly VersionInPart[];
}

/** One pinned connection. Every query of a run goes through it, in order. */
export interface Session {
  readonly address: string;
  readonly database: string;
  readonly pid: number;
  readonly lock: AdvisoryLock;
  readonly history: History;
  readonly journal: Journal;
  readonly takeover: Takeover;
  readonly executor: Executor;
  /** Aborts once the connection is gone; its reason is a MigratorError. */
  readonly lost: AbortSignal;
  /** The session continues after `close`: it is a caller's, or a pooler keeps it. */
  readonly outlivesUs: boolean;
  /**
   * @throws MigratorError HISTORY_CONFLICT for another tool's table, CONFIG_INVALID for another lock key or a pooler.
   */
  check(): Promise<Check>;
  /** Settings that make a dead holder's lock free in seconds; needed before the lock. Only the first call sends them. */
  configure(): Promise<void>;
  /** Looks at this session from another one while a statement runs. */
  observe(signal: AbortSignal): Promise<Observation>;
  /** Until the signal aborts, cancels sessions that block inside PostgreSQL on our keys, and resolves with them. */
  keepWaitersAway(signal: AbortSignal): Promise<readonly Holder[]>;
  /**
   * Looks from another session, until the signal aborts, whether this one waits for a table lock behind which readers
   * or writers queue; once it has waited for `limitMs`, cancels its statement and resolves with who kept the lock.
   */
  cancelLongWait(limitMs: number, signal: AbortSignal): Promise<readonly Blocker[] | undefined>;
  /** What is in the database, without our own tables. */
  readCatalog(): Promise<Catalog>;
  /** The same for who reads it many times, while nobody else changes it: only what can have changed is read. */
  readCatalogAgain(): Promise<Catalog>;
  /** Cancels the running statement on the server: every query of this session soon fails. */
  interrupt(): Promise<void>;
  close(): Promise<void>;
}

export interface Observation {
  /** In the server's words; the percentage where it can be known. */
  readonly progress?: { readonly phase: string; readonly percent?: number };
  readonly blockers: readonly Blocker[];
}

/** What waiting for a lock takes. */
export interface QueuedLock {
  /** The 64-bit key in decimal. */
  readonly key: string;
  tryAcquire(): Promise<boolean>;
  /** Releases and wakes the waiters. Only after tryAcquire() was true. */
  release(): Promise<void>;
  /** Joins the queue: from now on a release by another Lockstep wakes `nextRelease`. */
  joinQueue(): Promise<void>;
  leaveQueue(): Promise<void>;
  /** Resolves when a release was announced; stays pending otherwise. */
  nextRelease(): Promise<void>;
  /** Who holds it, with what the journal knows of the run. */
  holder(): Promise<Holder | undefined>;
}

export interface AdvisoryLock extends QueuedLock {
  /** Sessions that wait in the queue, or block inside PostgreSQL on the key. */
  waiters(): Promise<readonly Waiter[]>;
  /** Cancels the statements of sessions that block inside PostgreSQL on the key; returns them. */
  cancelBlockedWaiters(): Promise<readonly Holder[]>;
  /** Ends the holder's session; false when it was gone or could not be ended. */
  terminate(holder: Holder): Promise<boolean>;
}

export interface Waiter extends Holder {
  /** True for a session that blocks inside `pg_advisory_lock`. */
  readonly blocked: boolean;
}

/** What is applied: the history table. */
export interface History {
  /**
   * Creates the history table and the journal, or completes those of the original Go runner; only under the lock.
   * Resolves with warnings for the user.
   * @throws MigratorError HISTORY_CONFLICT when this role must not write the tables: another role owns them, or
   * something is attached to them.
   */
  ensureTables(): Promise<readonly string[]>;
  read(): Promise<HistoryState>;
  baseline(migrations: readonly Migration[]): Promise<void>;
  /** Fills in checksums that rows of the original Go runner lack. */
  completeChecksums(migrations: readonly Migration[]): Promise<void>;
  repair(actions: readonly RepairAction[]): Promise<void>;
  /**
   * Who but the owner can change history and journal, or run SQL with the rights of whoever writes there: a sentence
   * each.
   */
  distrust(): Promise<readonly string[]>;
  /** A warning when the next run would look for the history in another schema. */
  placeOfNextRun(): Promise<string | undefined>;
}

/** What happened: runs, failures, progress, rollbacks. Without a journal, its queries answer as if it were empty. */
export interface Journal {
  /** All entries, oldest first. */
  read(): Promise<readonly JournalEntry[]>;
  /** Records that this run starts. Resolves with earlier runs without an end, and records them as lost. */
  startRun(keepMs?: number): Promise<readonly JournalEntry[]>;
  endRun(error: MigratorError | undefined): Promise<void>;
  recordFailure(step: StepScript, error: MigratorError): Promise<void>;
  /** Failures of this text in this release since the version last ended; undefined when there are none. */
  failuresOf(migration: Migration): Promise<Failures | undefined>;
  /** The newest failure of a version that has not ended since: of any, or of these files with this text. */
  lastFailure(): Promise<JournalEntry | undefined>;
  lastFailureOf(migrations: readonly Migration[]): Promise<JournalEntry | undefined>;
  /** Records that this release has run: a run that changes nothing leaves no other entry. Needs no lock. */
  noteRelease(): Promise<void>;
  /** Whether any run had a release. */
  knowsReleases(): Promise<boolean>;
  /** Versions that are applied according to the journal, whatever the history says. */
  appliedVersions(): Promise<readonly Version[]>;
  /** Which of these `baseline` or `import` recorded. */
  baselined(versions: readonly Version[]): Promise<readonly Version[]>;
  /** In version order, with the texts of their statements. */
  inPart(): Promise<readonly VersionInPart[]>;
  /** The stored down SQL of each version recorded since its last rollback; with its text for these versions. */
  storedDowns(withText?: readonly Version[]): Promise<readonly StoredDown[]>;
  /** Stores the down SQL of versions that were applied without storing it. */
  storeDowns(migrations: readonly Migration[]): Promise<void>;
  /** Marks versions as irreversible, and keeps their down SQL. */
  markIrreversible(versions: readonly Version[]): Promise<void>;
  /** Versions that were rolled back on purpose, in version order. */
  heldVersions(): Promise<readonly HeldVersion[]>;
  /** Versions that were rolled back and not applied since, held or not, in version order. */
  rolledBack(): Promise<readonly Version[]>;
  /** Holds versions that were rolled back before, for all releases known now. Only under the lock. */
  holdVersions(versions: readonly Version[], reason: string | undefined): Promise<void>;
}

/** Other tools' tables. */
export interface Takeover {
  /**
   * The first of these tables that exists and is not ours. Where no schema is given, our schema comes first, then the
   * search path.
   * @throws MigratorError HISTORY_CONFLICT when another table has the name of ours, or the name that this one would
   * get.
   */
  foreignTable(places: readonly TableName[]): Promise<ForeignTable | undefined>;
  /**
   * In one transaction: creates our tables where needed, records what the other tool applied, and renames its table if
   * that has the name of ours.
   * @throws MigratorError CONTENTION when the table has changed since it was read.
   */
  takeOver(table: ForeignTable, imported: readonly ImportedMigration[]): Promise<void>;
}

export interface Limits {
  readonly lockTimeoutMs: number;
  readonly statementTimeoutMs: number;
}

/** The state of a concurrent index in the catalog. */
export type IndexState = 'absent' | 'valid' | 'invalid' | 'being built';

type Detachment = NonNullable<Unit['detaches']>;

export interface Executor {
  /** Resets what the last migration left in the session, and records the start of this step in the journal. */
  begin(step: StepScript): Promise<void>;
  /**
   * The history row, the script and the fence in one transaction and one message. The step is begun first, where it is
   * not yet, in the same round trip. With `next`, that step is begun in the same way: journaled in the same
   * transaction, and reset for behind it.
   * @throws MigratorError MIGRATION_FAILED, CONTENTION (rolled back), or OUTCOME_UNKNOWN.
   */
  transaction(step: StepScript, pieces: readonly SqlPiece[], limits: Limits, next?: StepScript): Promise<void>;
  /** One statement of a statement-by-statement script, in one transaction with the fence and its journal row. */
  statement(step: StepScript, unit: Unit, limits: Limits): Promise<void>;
  /** One statement outside a transaction; the journal says that it started. */
  statementAlone(step: StepScript, unit: Unit, limits: Limits): Promise<void>;
  /** Records in the journal that the server refused or cancelled a statement outside a transaction. */
  statementFailed(step: StepScript, unit: Pick<Unit, 'index' | 'sql'>): Promise<void>;
  /** Records in the journal, after the fence, that a statement outside a transaction is done. */
  statementDone(step: StepScript, unit: Pick<Unit, 'index' | 'sql'>, durationMs: number): Promise<void>;
  /** The history row of a statement-by-statement script, after its last statement. */
  finish(step: StepScript, durationMs: number): Promise<void>;
  /** Records in the journal that the step begun as `next`, if any, will not run, and why. */
  withdraw(error: MigratorError): Promise<void>;
  /** Who holds locks now on the relations that these pieces name; for the report after a lock timeout. */
  blockersOf(pieces: readonly Pick<SqlPiece, 'relations'>[]): Promise<readonly Blocker[]>;
  indexState(index: ConcurrentIndex): Promise<IndexState>;
  dropIndex(index: ConcurrentIndex): Promise<void>;
  /** Drops the invalid `…_ccnew` and `…_ccold` that a REINDEX CONCURRENTLY left; returns their names. */
  dropReindexLeftovers(of: Reindexed): Promise<readonly string[]>;
  detachState(detach: Detachment): Promise<'attached' | 'pending' | 'detached'>;
  /** Ends a DETACH PARTITION CONCURRENTLY that was killed between its transactions. */
  finalizeDetach(detach: Detachment): Promise<void>;
  /** How large each table is, in this order, or the table of an index; undefined where there is no such table. */
  tableSizes(tables: readonly RelationName[]): Promise<readonly (TableSize | undefined)[]>;
}

/** Runs pre-migration hooks. */
export interface HookRunner {
  has(migration: Migration): boolean;
  /** @throws MigratorError CONFIG_INVALID where hooks can have no connections. */
  requirePool?(): void;
  /** @throws MigratorError HOOK_FAILED when it throws, or is not done after `timeoutMs`. */
  run(migration: Migration, options: { timeoutMs: number; signal: AbortSignal }): Promise<void>;
}
