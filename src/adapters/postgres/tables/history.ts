/** The history table and the journal of one session. */
import type { ErrorCode, MigratorError } from '../../../core/errors.ts';
import type { HeldVersion } from '../../../core/plan/held-versions.ts';
import type { HistoryState, JournalEntry } from '../../../core/history.ts';
import type { ForeignTable } from '../../../core/import/foreign-history.ts';
import type { ImportedMigration } from '../../../core/import/plan-import.ts';
import type { VersionInPart } from '../../../core/plan/in-part.ts';
import { compareVersions, type Migration, type Version } from '../../../core/migration.ts';
import { PAUSING, type Failures } from '../../../core/plan/pause.ts';
import type { History, StepScript } from '../../../core/ports.ts';
import type { RepairAction } from '../../../core/plan/repair.ts';
import type { StoredDown } from '../../../core/plan/stored-down.ts';
import type { TableName } from '../../../core/table-name.ts';
import { historyQuery, readHistory } from './check.ts';
import { asOurselves, type SessionContext } from '../state/context.ts';
import { encodingOf } from '../wire/encoding.ts';
import { heldVersionsQuery, readHeldVersions, rolledBackQuery } from './held-versions.ts';
import { journalRows } from './journal-rows.ts';
import { journalInsert, journalSelect, readJournal, type JournalValues } from './journal.ts';
import { appliedByJournalQuery, inPartQuery, lastEnd, readInPart } from './progress-facts.ts';
import { pruneStatement } from './prune.ts';
import { renameStatements } from './renamed.ts';
import { settleHistory } from './lost-history.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import { literal } from '../wire/sql.ts';
import { readStoredDowns, storedDownsQuery } from './stored-downs.ts';
import { ensureTables } from './tables.ts';
import { distrustQuery, readDistrust } from './trust.ts';
import { readTables, writeTables } from '../state/use-tables.ts';

export class PostgresHistory implements History {
  readonly #context: SessionContext;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  ensureTables(): Promise<readonly string[]> {
    return ensureTables(this.#context);
  }

  async placeOfNextRun(): Promise<string | undefined> {
    const { placeOfNextRun } = await import('../state/next-place.ts');
    return await placeOfNextRun(this.#context);
  }

  async appliedByJournal(): Promise<readonly Version[]> {
    const { relation } = this.#context;
    if (!relation.hasJournal) return [];
    const [result] = await this.#read(appliedByJournalQuery(relation.journal));
    return (result?.rows ?? []).map(([version]) => version ?? '').sort(compareVersions);
  }

  async read(): Promise<HistoryState> {
    const { relation } = this.#context;
    if (!relation.exists) return { exists: false, applied: [] };
    const [rows] = await readTables(this.#context, 'history', [historyQuery(relation.table)]);
    return { exists: true, applied: rows ? readHistory(rows, AS_DECODED) : [] };
  }

  async startRun(keepMs = 0): Promise<readonly JournalEntry[]> {
    const { relation } = this.#context;
    const [lost] = await this.#read(unfinishedRunsQuery(relation.journal));
    const runs = readJournal(lost);
    await this.#write(
      ...runs.map((entry) => this.#lostRun(entry)),
      this.#insert({ event: 'run started' }),
      ...(keepMs === 0 ? [] : [pruneStatement(relation.journal, keepMs)]),
    );
    return runs;
  }

  /** The lock is ours, so whoever started and never said how it ended is gone. */
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

  async inPart(): Promise<readonly VersionInPart[]> {
    const { relation } = this.#context;
    if (!relation.hasJournal) return [];
    const [result] = await this.#read(inPartQuery(relation.journal, { withSql: relation.complete }));
    return readInPart(result);
  }

  async noteRelease(): Promise<void> {
    // A start that has nothing to do waits neither for whoever locks the journal nor for the disk.
    await writeTables(
      this.#context,
      ['SET LOCAL synchronous_commit = off', this.#insert({ event: 'release seen' })],
      NOTE_LOCK_TIMEOUT_MS,
    );
  }

  async failuresOf({ version, up }: Migration): Promise<Failures | undefined> {
    const { relation, runner } = this.#context;
    if (!relation.hasJournal) return undefined;
    const [result] = await this.#read(failuresQuery(relation.journal, version, [up.checksum, runner.release]));
    const [count, agoMs, error, code] = result?.rows[0] ?? [];
    return count === '0'
      ? undefined
      : { count: Number(count), agoMs: Number(agoMs), error: error ?? '', code: code as ErrorCode };
  }

  async baseline(migrations: readonly Migration[]): Promise<void> {
    await this.#write(...migrations.flatMap((migration) => this.#recorded(migration)));
  }

  async foreignTable(places: readonly TableName[]): Promise<ForeignTable | undefined> {
    const { findForeignTable } = await import('./foreign-tables.ts');
    return await findForeignTable(this.#context, places);
  }

  async takeOver(table: ForeignTable, imported: readonly ImportedMigration[]): Promise<void> {
    const { takeOverTable } = await import('./foreign-tables.ts');
    const inserts = imported.flatMap(({ migration, appliedAt }) => this.#recorded(migration, appliedAt));
    await takeOverTable(this.#context, table, inserts);
  }

  #recorded(migration: Migration, appliedAt?: string): string[] {
    const { table } = this.#context.relation;
    const values = [migration.version, migration.up.checksum].map(literal);
    const [column, value] = appliedAt === undefined ? ['', ''] : [', applied_at', `, ${literal(appliedAt)}`];
    return [
      `INSERT INTO ${table} (version, checksum${column}) VALUES (${values.join(', ')}${value})`,
      this.#insert({ event: 'baselined', step: stepOf(migration) }),
    ];
  }

  async recorded(versions: readonly Version[]): Promise<readonly Version[]> {
    const { relation } = this.#context;
    if (!relation.hasJournal || versions.length === 0) return [];
    const [result] = await this.#read(
      `SELECT DISTINCT version FROM ${relation.journal} WHERE event = 'baselined' AND version IN (${versions.map((version) => literal(version)).join(', ')})`,
    );
    return (result?.rows ?? []).map(([version]) => version ?? '');
  }

  async completeChecksums(migrations: readonly Migration[]): Promise<void> {
    const { relation } = this.#context;
    await this.#write(
      ...migrations.map(
        ({ version, up }) =>
          `UPDATE ${relation.table} SET checksum = ${literal(up.checksum)}` +
          ` WHERE version = ${literal(version)} AND checksum IS NULL`,
      ),
    );
  }

  async storedDowns(withText: readonly Version[] = []): Promise<readonly StoredDown[]> {
    const { relation } = this.#context;
    if (!relation.hasJournal) return [];
    const [result] = await this.#read(storedDownsQuery(relation.journal, withText));
    return readStoredDowns(result);
  }

  async storeDowns(migrations: readonly Migration[]): Promise<void> {
    await this.#write(
      ...migrations.map((migration) => this.#insert({ event: 'down stored', step: stepOf(migration) })),
    );
  }

  async markIrreversible(versions: readonly Version[]): Promise<void> {
    await this.#write(
      ...versions.map((version) =>
        this.#insert({ event: 'down stored', version, direction: 'up', keepsStored: 'irreversible' }),
      ),
    );
  }

  async distrust(): Promise<readonly string[]> {
    const { relation, wire } = this.#context;
    // The migrator's own role is who the tables must belong to.
    const statements = [...asOurselves(this.#context), distrustQuery(relation)];
    return readDistrust((await wire.transaction('read', statements)).at(-1));
  }

  async heldVersions(): Promise<readonly HeldVersion[]> {
    const { relation } = this.#context;
    if (!relation.hasJournal) return [];
    const [result] = await this.#read(heldVersionsQuery(relation.journal));
    return readHeldVersions(result);
  }

  async knowsReleases(): Promise<boolean> {
    const { relation } = this.#context;
    const [result] = await this.#read(`SELECT EXISTS (SELECT 1 FROM ${relation.journal} WHERE release IS NOT NULL)`);
    return result?.rows[0]?.[0] === 't';
  }

  async rolledBack(): Promise<readonly Version[]> {
    const { relation } = this.#context;
    const [result] = await this.#read(rolledBackQuery(relation.journal));
    return (result?.rows ?? []).map(([version]) => version ?? '').sort(compareVersions);
  }

  async holdVersions(versions: readonly Version[], reason: string | undefined): Promise<void> {
    await this.#write(
      ...versions.map((version) => this.#insert({ event: 'held', version, direction: 'down', reason })),
    );
  }

  async repair(actions: readonly RepairAction[]): Promise<void> {
    await this.#write(...actions.flatMap((action) => this.#repairStatements(action)));
  }

  #repairStatements(action: RepairAction): string[] {
    const { relation } = this.#context;
    if (action.type === 'settle statement') {
      const {
        version,
        direction,
        started: { statement, checksum },
      } = action;
      const event = action.as === 'done' ? 'statement done' : 'statement reset';
      return [this.#insert({ event, version, direction, statement, statementChecksum: checksum })];
    }
    if (action.type === 'rename') return renameStatements(this.#context, action);
    if (action.type === 'settle history') return settleHistory(this.#context, action);
    if (action.type === 'reset progress') {
      const { version, direction } = action.inPart;
      return [this.#insert({ event: 'progress reset', version, direction })];
    }
    if (action.type === 'release hold')
      return [this.#insert({ event: 'hold ended', version: action.hold.version, direction: 'up', reason: 'repair' })];
    const step = stepOf(action.migration);
    if (action.type === 'replace down') return [this.#insert({ event: 'repaired', step })];
    const { version, up } = action.migration;
    const update = `UPDATE ${relation.table} SET checksum = ${literal(up.checksum)} WHERE version = ${literal(version)}`;
    return [update, this.#insert({ event: 'repaired', step, keepsStored: true })];
  }

  async journal(): Promise<readonly JournalEntry[]> {
    const { relation } = this.#context;
    if (!relation.hasJournal) return [];
    const [result] = await this.#read(journalSelect(relation.journal));
    return readJournal(result);
  }

  #insert(values: JournalValues): string {
    return journalInsert(this.#context.relation.journal, this.#context.runner, values);
  }

  #read(query: string): Promise<readonly ResultSet[]> {
    return readTables(this.#context, 'journal', [query]);
  }

  async #write(...statements: readonly string[]): Promise<void> {
    await writeTables(this.#context, statements);
  }
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

/** The wire has done it. */
const AS_DECODED = encodingOf('UTF8');

const NOTE_LOCK_TIMEOUT_MS = 1_000;

function stepOf(migration: Migration): StepScript {
  return { version: migration.version, direction: 'up', script: migration.up, migration };
}

function failuresQuery(
  journal: string,
  version: Version,
  [checksum, release]: readonly (string | undefined)[],
): string {
  return (
    `SELECT pg_catalog.count(*), extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.max(at)) * 1000,` +
    ` (array_agg(error ORDER BY id DESC))[1], (array_agg(code ORDER BY id DESC))[1] FROM ${journal}` +
    ` WHERE version = ${literal(version)} AND direction = 'up' AND event = 'failed' AND code IN (${PAUSING.map((code) => literal(code)).join(', ')})` +
    ` AND checksum = ${literal(checksum)} AND release = ${literal(release)} AND id > ${lastEnd(journal, version)}`
  );
}
