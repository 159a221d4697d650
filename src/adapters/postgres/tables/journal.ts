/** The journal of one session. */
import type { ErrorCode, MigratorError } from '../../../core/errors.ts';
import { recordedFailure, type JournalEntry } from '../../../core/history.ts';
import { compareVersions, type Migration, type Version } from '../../../core/migration.ts';
import type { HeldVersion } from '../../../core/plan/held-versions.ts';
import type { VersionInPart } from '../../../core/plan/in-part.ts';
import { PAUSING, type Failures } from '../../../core/plan/pause.ts';
import type { StoredDown } from '../../../core/plan/stored-down.ts';
import type { Journal, StepScript } from '../../../core/ports.ts';
import type { SessionContext } from '../state/context.ts';
import { readTables, writeTables } from '../state/use-tables.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import { literal } from '../wire/sql.ts';
import { heldVersionsQuery, readHeldVersions, rolledBackQuery } from './held-versions.ts';
import { upStep } from './history-rows.ts';
import { journalInsert, journalSelect, readJournal, type JournalValues } from './journal-entries.ts';
import { journalRows } from './journal-table.ts';
import { appliedByJournalQuery, inPartQuery, lastEnd, readInPart, VERSION_ENDS } from './progress-facts.ts';
import { pruneStatement } from './prune.ts';
import { readStoredDowns, storedDownsQuery } from './stored-downs.ts';

/** A run with nothing to do does not wait long to record that. */
export const NOTE_LOCK_TIMEOUT_MS = 1_000;

export class PostgresJournal implements Journal {
  readonly #context: SessionContext;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  async read(): Promise<readonly JournalEntry[]> {
    const { relation } = this.#context;
    const result = await this.#query(journalSelect(relation.journal));
    return readJournal(result);
  }

  async startRun(keepMs = 0): Promise<readonly JournalEntry[]> {
    const { relation } = this.#context;
    const lost = await this.#query(unfinishedRunsQuery(relation.journal));
    const runs = readJournal(lost);
    await this.#write(
      ...runs.map((entry) => this.#lostRun(entry)),
      this.#insert({ event: 'run started' }),
      ...(keepMs === 0 ? [] : [pruneStatement(relation.journal, keepMs)]),
    );
    return runs;
  }

  /** This run has the lock, so a run that recorded its start and not its end is dead. */
  #lostRun(entry: JournalEntry): string {
    const { relation, runner } = this.#context;
    return journalInsert(relation.journal, { ...runner, run: entry.run }, { event: 'run lost' });
  }

  async endRun(error: MigratorError | undefined): Promise<void> {
    await this.#write(this.#insert({ event: 'run ended', ...(error !== undefined && { error }) }));
  }

  async recordFailure(step: StepScript, error: MigratorError): Promise<void> {
    await this.#write(this.#insert({ event: 'failed', step, error }));
  }

  async failuresOf({ version, up }: Migration): Promise<Failures | undefined> {
    const { relation, runner } = this.#context;
    const result = await this.#query(failuresQuery(relation.journal, version, [up.checksum, runner.release]));
    const [count, agoMs, ...columns] = result?.rows[0] ?? [];
    if (count === undefined || count === '0') return undefined;
    const [code, error, file, line, sqlstate] = columns.map((value) => value ?? undefined);
    const last = recordedFailure({ error, file, line: line === undefined ? undefined : Number(line), sqlstate });
    return { count: Number(count), agoMs: Number(agoMs), code: code as ErrorCode, ...last };
  }

  async lastFailureOf(migrations: readonly Migration[]): Promise<JournalEntry | undefined> {
    const { relation } = this.#context;
    const result = await this.#query(lastFailureOfQuery(relation.journal, migrations));
    return readJournal(result)[0];
  }

  async lastFailure(): Promise<JournalEntry | undefined> {
    const { relation } = this.#context;
    const result = await this.#query(lastFailureQuery(relation.journal));
    return readJournal(result)[0];
  }

  async noteRelease(): Promise<void> {
    // A run with nothing to do waits neither long for a lock on the journal nor for the disk.
    await writeTables(
      this.#context,
      ['SET LOCAL synchronous_commit = off', this.#insert({ event: 'release seen' })],
      NOTE_LOCK_TIMEOUT_MS,
    );
  }

  async knowsReleases(): Promise<boolean> {
    const { relation } = this.#context;
    const result = await this.#query(`SELECT EXISTS (SELECT 1 FROM ${relation.journal} WHERE release IS NOT NULL)`);
    return result?.rows[0]?.[0] === 't';
  }

  async appliedVersions(): Promise<readonly Version[]> {
    const { relation } = this.#context;
    const result = await this.#query(appliedByJournalQuery(relation.journal));
    return (result?.rows ?? []).map(([version]) => version ?? '').sort(compareVersions);
  }

  async baselined(versions: readonly Version[]): Promise<readonly Version[]> {
    const { relation } = this.#context;
    if (versions.length === 0) return [];
    const list = versions.map((version) => literal(version)).join(', ');
    const result = await this.#query(
      `SELECT DISTINCT version FROM ${relation.journal} WHERE event = 'baselined' AND version IN (${list})`,
    );
    return (result?.rows ?? []).map(([version]) => version ?? '');
  }

  async inPart(): Promise<readonly VersionInPart[]> {
    const { relation } = this.#context;
    const result = await this.#query(inPartQuery(relation.journal, { withSql: relation.complete }));
    return readInPart(result);
  }

  async storedDowns(withText: readonly Version[] = []): Promise<readonly StoredDown[]> {
    const { relation } = this.#context;
    const result = await this.#query(storedDownsQuery(relation.journal, withText));
    return readStoredDowns(result);
  }

  async storeDowns(migrations: readonly Migration[]): Promise<void> {
    await this.#write(
      ...migrations.map((migration) => this.#insert({ event: 'down stored', step: upStep(migration) })),
    );
  }

  async markIrreversible(versions: readonly Version[]): Promise<void> {
    await this.#write(
      ...versions.map((version) =>
        this.#insert({ event: 'down stored', version, direction: 'up', keepsStored: 'irreversible' }),
      ),
    );
  }

  async heldVersions(): Promise<readonly HeldVersion[]> {
    const { relation } = this.#context;
    const result = await this.#query(heldVersionsQuery(relation.journal));
    return readHeldVersions(result);
  }

  async rolledBack(): Promise<readonly Version[]> {
    const { relation } = this.#context;
    const result = await this.#query(rolledBackQuery(relation.journal));
    return (result?.rows ?? []).map(([version]) => version ?? '').sort(compareVersions);
  }

  async holdVersions(versions: readonly Version[], reason: string | undefined): Promise<void> {
    await this.#write(
      ...versions.map((version) => this.#insert({ event: 'held', version, direction: 'down', reason })),
    );
  }

  #insert(values: JournalValues): string {
    return journalInsert(this.#context.relation.journal, this.#context.runner, values);
  }

  /** Nothing when there is no journal yet. */
  async #query(query: string): Promise<ResultSet | undefined> {
    return this.#context.relation.hasJournal ? (await readTables(this.#context, 'journal', [query]))[0] : undefined;
  }

  async #write(...statements: readonly string[]): Promise<void> {
    await writeTables(this.#context, statements);
  }
}

function lastFailureQuery(journal: string): string {
  return (
    `SELECT to_jsonb(j) - 'down_sql' - 'statement_sql' FROM ${journalRows(journal)} j WHERE j.event = 'failed'` +
    ` AND NOT EXISTS (SELECT 1 FROM ${journal} e WHERE e.version = j.version AND e.id > j.id AND e.event IN (${VERSION_ENDS}))` +
    ` ORDER BY j.id DESC LIMIT 1`
  );
}

function unfinishedRunsQuery(journal: string): string {
  return (
    `SELECT to_jsonb(s) - 'down_sql' || jsonb_build_object('version', (SELECT t.version FROM ${journal} t` +
    ` WHERE t.run = s.run AND t.version IS NOT NULL ORDER BY t.id DESC LIMIT 1))` +
    ` FROM ${journalRows(journal)} s WHERE s.event = 'run started'` +
    ` AND NOT EXISTS (SELECT 1 FROM ${journal} e WHERE e.run = s.run AND e.event IN ('run ended', 'run lost'))` +
    ` ORDER BY s.id`
  );
}

function failuresQuery(
  journal: string,
  version: Version,
  [checksum, release]: readonly (string | undefined)[],
): string {
  const last = ['code', 'error', 'file', 'line', 'sqlstate'].map(
    (column) => `(array_agg(${column} ORDER BY id DESC))[1]`,
  );
  return (
    `SELECT pg_catalog.count(*), extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.max(at)) * 1000,` +
    ` ${last.join(', ')} FROM ${journalRows(journal)} j` +
    ` WHERE version = ${literal(version)} AND direction = 'up' AND event = 'failed' AND code IN (${PAUSING.map((code) => literal(code)).join(', ')})` +
    ` AND checksum = ${literal(checksum)} AND release = ${literal(release)} AND id > ${lastEnd(journal, version)}`
  );
}

/** The newest failure, since their versions last ended, of these files with this text. */
function lastFailureOfQuery(journal: string, migrations: readonly Migration[]): string {
  const files = migrations.map(
    ({ version, up }) =>
      `version = ${literal(version)} AND checksum = ${literal(up.checksum)} AND id > ${lastEnd(journal, version)}`,
  );
  return (
    `SELECT to_jsonb(j) - 'down_sql' - 'statement_sql' FROM ${journalRows(journal)} j` +
    ` WHERE event = 'failed' AND direction = 'up' AND (${files.join(' OR ')}) ORDER BY id DESC LIMIT 1`
  );
}
