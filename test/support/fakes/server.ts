/**
 * An in-memory server, as far as the ports expose one: the lock, the tables, and the objects of migrations. Sessions
 * share it.
 */
import type { Catalog } from '../../../src/core/catalog/catalog.ts';
import type { AppliedVersion, JournalEntry, JournalEvent, JournalHeldVersion } from '../../../src/core/history.ts';
import type { ForeignTable } from '../../../src/core/import/foreign-history.ts';
import { progressOf, type VersionInPart } from '../../../src/core/plan/in-part.ts';
import type { Migration, Version } from '../../../src/core/migration.ts';
import type { Check, IndexState, Observation } from '../../../src/core/ports.ts';
import { isIrreversible, type StoredDown } from '../../../src/core/plan/stored-down.ts';
import type { Turn } from './clock.ts';

/** A session, as seen by others. */
export interface Peer {
  readonly pid: number;
  readonly applicationName: string;
  /** Its connection ends. */
  lose(): void;
  /** It receives the notification of a lock release. */
  wake(): void;
  /** Its wait inside PostgreSQL is cancelled. */
  cancel?(): void;
}

/** An error answer of the server. */
export class Refusal extends Error {
  readonly sqlstate: string;

  constructor(sqlstate: string, message: string) {
    super(message);
    this.sqlstate = sqlstate;
  }
}

export type PartitionState = 'attached' | 'pending' | 'detached';

/** The state that a transaction changes, and a rollback restores. */
interface Contents {
  /** Undefined while there is no table. */
  readonly history: ReadonlyMap<Version, AppliedVersion> | undefined;
  readonly journal: readonly JournalEntry[];
  readonly tables: ReadonlySet<string>;
  readonly indexes: ReadonlyMap<string, IndexState>;
}

/** A row has all columns. */
const NOTHING = {
  command: undefined,
  version: undefined,
  direction: undefined,
  statement: undefined,
  durationMs: undefined,
  code: undefined,
  error: undefined,
  file: undefined,
  line: undefined,
  sqlstate: undefined,
  runner: undefined,
  release: undefined,
  image: undefined,
  checksum: undefined,
  hold: undefined,
};

/** Events that complete a version or discard its progress. */
export const VERSION_ENDS: readonly JournalEvent[] = ['applied', 'rolled back', 'baselined', 'progress reset'];

export class FakeServer {
  readonly database = 'shop';
  readonly key = '42';
  /** Tables of other tools. */
  foreign: readonly ForeignTable[] = [];
  contents: Contents = { history: undefined, journal: [], tables: new Set(), indexes: new Map() };
  writesRefused: Check['writesRefused'];
  /** The observable state of a statement that runs, or that did not get its lock. */
  observation: Observation = { blockers: [] };
  catalog: Catalog = { major: 18, objects: [] };
  placeOfNextRun: string | undefined;
  holder: Peer | undefined;
  /** Sessions that check the lock at this moment, which makes other attempts fail. */
  readonly lookers = new Set<Peer>();
  readonly queue = new Set<Peer>();
  readonly listeners = new Set<Peer>();
  /** Sessions that are blocked on the key inside PostgreSQL. */
  readonly blocked = new Set<Peer>();
  readonly peers = new Map<number, Peer>();
  /** The journal's data for rollbacks. */
  readonly storedDowns = new Map<Version, StoredDown>();
  /** The texts of statements outside a transaction, by checksum. */
  readonly startedSql = new Map<string, string>();
  /** Other roles that may write the tables. */
  distrust: readonly string[] = [];
  /** Estimated rows by table. */
  readonly rows = new Map<string, number>();
  readonly partitions = new Map<string, PartitionState>();
  /** The calls of the sessions, in order, for example `1 lock.release`. */
  readonly calls: string[] = [];
  /** Awaited before each call takes effect. */
  turn: Turn;
  /** Receives each piece of SQL before it takes effect; may throw the server's answer. */
  beforeSql: (sql: string) => unknown = () => undefined;
  readonly now: () => number;
  #nextPid = 1;

  constructor({ turn = () => Promise.resolve(), now = () => 0 }: { turn?: Turn; now?: () => number } = {}) {
    this.turn = turn;
    this.now = now;
  }

  admit(applicationName: string, reactions: Pick<Peer, 'lose' | 'wake' | 'cancel'>): Peer {
    const peer = { pid: this.#nextPid, applicationName, ...reactions };
    this.#nextPid += 1;
    this.peers.set(peer.pid, peer);
    return peer;
  }

  /** A session that is none of Lockstep's. */
  stranger(applicationName = 'psql'): Peer {
    return this.admit(applicationName, { lose: () => undefined, wake: () => undefined });
  }

  /** Ends a session, which releases everything that it held without a notification. */
  dismiss(peer: Peer): void {
    if (this.holder === peer) this.holder = undefined;
    for (const set of [this.lookers, this.queue, this.listeners, this.blocked]) set.delete(peer);
    this.peers.delete(peer.pid);
  }

  /** All of `body` or nothing; `body` must not wait. */
  atomically(body: () => void): void {
    const before = this.contents;
    try {
      body();
    } catch (error) {
      this.contents = before;
      throw error;
    }
  }

  write(entry: Omit<JournalEntry, 'id' | 'at'>): void {
    const { journal } = this.contents;
    const written = { ...NOTHING, id: String(journal.length + 1), at: new Date(this.now()), ...entry };
    this.contents = { ...this.contents, journal: [...journal, written] };
  }

  inPart(): VersionInPart[] {
    const { journal } = this.contents;
    const isOpen = ({ version }: JournalEntry, index: number): boolean =>
      !journal.some((entry, at) => at > index && entry.version === version && VERSION_ENDS.includes(entry.event));
    return progressOf(
      journal.flatMap((entry, index) => {
        const { version, direction, event, statement, checksum = '' } = entry;
        const sql = this.startedSql.get(checksum);
        const isStatement = version !== undefined && direction && statement !== undefined && isOpen(entry, index);
        return isStatement
          ? [
              {
                version,
                direction,
                event,
                statement,
                checksum,
                ...(event === 'statement started' && sql !== undefined && { sql }),
              },
            ]
          : [];
      }),
    );
  }

  holdOn(version: Version, release: string | undefined, reason: string | undefined): JournalHeldVersion {
    const { journal } = this.contents;
    const appliedBy = journal.findLast(
      (entry) => entry.version === version && ['applied', 'baselined'].includes(entry.event),
    )?.release;
    const releases = [
      ...new Set([...journal.map((entry) => entry.release), release].filter((one) => one !== undefined)),
    ].sort();
    return { releases, ...(appliedBy !== undefined && { appliedBy }), ...(reason !== undefined && { reason }) };
  }

  record(version: Version, checksum: string | undefined): void {
    const history = new Map(this.contents.history);
    if (history.has(version))
      throw new Refusal('23505', 'duplicate key value violates unique constraint "schema_migrations_pkey"');
    history.set(version, { version, checksum, appliedAt: new Date(this.now()) });
    this.contents = { ...this.contents, history };
  }

  storeDown(migration: Migration): void {
    const { version, down } = migration;
    this.storedDowns.set(version, {
      version,
      checksum: down?.checksum,
      sql: down?.text,
      irreversible: isIrreversible(migration),
    });
  }

  forget(version: Version): void {
    const history = new Map(this.contents.history);
    history.delete(version);
    this.contents = { ...this.contents, history };
  }

  setIndex(name: string, state: IndexState): void {
    const indexes = new Map(this.contents.indexes).set(name, state);
    if (state === 'absent') indexes.delete(name);
    this.contents = { ...this.contents, indexes };
  }

  /** Interprets the little SQL that tests of the order of calls need. */
  execute(sql: string, peer: Peer): void {
    for (const statement of sql.split(';')) this.#executeOne(statement.trim(), peer);
  }

  #executeOne(statement: string, peer: Peer): void {
    const { tables } = this.contents;
    const [, what, name] =
      /^(CREATE TABLE|DROP TABLE|CREATE INDEX CONCURRENTLY|DROP INDEX CONCURRENTLY) (\w+)/.exec(statement) ?? [];
    if (statement === 'SELECT 1/0') throw new Refusal('22012', 'division by zero');
    // A rollback does not undo this.
    if (statement === 'SELECT pg_advisory_unlock_all()' && this.holder === peer) this.holder = undefined;
    if (name === undefined) return;
    if (what === 'CREATE TABLE' && tables.has(name)) throw new Refusal('42P07', `relation "${name}" already exists`);
    if (what === 'DROP TABLE' && !tables.has(name)) throw new Refusal('42P01', `table "${name}" does not exist`);
    if (what === 'CREATE TABLE') this.contents = { ...this.contents, tables: new Set([...tables, name]) };
    if (what === 'DROP TABLE')
      this.contents = { ...this.contents, tables: new Set([...tables].filter((one) => one !== name)) };
    if (what === 'CREATE INDEX CONCURRENTLY') this.#createIndex(name);
    if (what === 'DROP INDEX CONCURRENTLY') this.setIndex(name, 'absent');
  }

  #createIndex(name: string): void {
    if (this.contents.indexes.has(name)) throw new Refusal('42P07', `relation "${name}" already exists`);
    this.setIndex(name, 'valid');
  }
}
