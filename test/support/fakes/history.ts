/** The history and the journal of one session on a FakeServer. */
import type { MigratorError } from '../../../src/core/errors.ts';
import type { EndedHold, Hold } from '../../../src/core/hold.ts';
import type { HistoryState, JournalEntry } from '../../../src/core/history.ts';
import type { ForeignTable } from '../../../src/core/import/foreign-history.ts';
import { setAside, type ImportedMigration } from '../../../src/core/import/plan-import.ts';
import { compareVersions, type Direction, type Migration, type Version } from '../../../src/core/migration.ts';
import { PAUSING, type Failures } from '../../../src/core/pause.ts';
import type { History, StatementProgress, StepScript } from '../../../src/core/ports.ts';
import type { IncompleteStatement, RepairAction } from '../../../src/core/repair.ts';
import type { StoredDown } from '../../../src/core/stored-down.ts';
import type { TableName } from '../../../src/core/table-name.ts';
import type { FakeContext } from './context.ts';

type Values = Pick<JournalEntry, 'event'> & Partial<Omit<JournalEntry, 'id' | 'at'>>;

export class FakeHistory implements History {
  readonly #context: FakeContext;

  constructor(context: FakeContext) {
    this.#context = context;
  }

  async ensureTables(): Promise<readonly string[]> {
    const { server, reach } = this.#context;
    await reach('history.ensureTables');
    const { history } = server.contents;
    server.contents = { ...server.contents, history: history ?? new Map() };
    return [];
  }

  async placeOfNextRun(): Promise<string | undefined> {
    return undefined;
  }

  async appliedByJournal(): Promise<readonly Version[]> {
    const newest = new Map<Version, JournalEntry['event']>();
    for (const { version, event } of this.#context.server.contents.journal) {
      if (version !== undefined && ['applied', 'rolled back', 'baselined'].includes(event)) newest.set(version, event);
    }
    return [...newest].flatMap(([version, event]) => (event === 'rolled back' ? [] : [version])).sort(compareVersions);
  }

  async read(): Promise<HistoryState> {
    const { server, reach } = this.#context;
    await reach('history.read');
    const { history } = server.contents;
    return { exists: history !== undefined, applied: [...(history?.values() ?? [])] };
  }

  async startRun(): Promise<readonly JournalEntry[]> {
    const { server, reach, runner } = this.#context;
    await reach('history.startRun');
    const { journal } = server.contents;
    const ended = new Set(journal.filter(({ event }) => event === 'run ended' || event === 'run lost').map(({ run }) => run));
    const lost = journal
      .filter(({ event, run }) => event === 'run started' && !ended.has(run))
      .map((entry) => ({ ...entry, version: journal.findLast(({ run, version }) => run === entry.run && version !== undefined)?.version }));
    for (const { run } of lost) {
      server.write({ run, event: 'run lost', runner: runner.name });
    }
    this.#write({ event: 'run started' });
    return lost;
  }

  async endRun(error: MigratorError | undefined): Promise<void> {
    await this.#context.reach('history.endRun');
    this.#write({ event: 'run ended', ...textOf(error) });
  }

  async recordFailure(step: StepScript, error: MigratorError): Promise<void> {
    await this.#context.reach('history.recordFailure');
    this.#write({ event: 'failed', ...factsOf(step), ...textOf(error) });
  }

  async statementsOf({ version, direction }: StepScript): Promise<StatementProgress> {
    await this.#context.reach('history.statementsOf');
    const entries = this.#sinceLastEnd(version).filter((entry) => entry.direction === direction);
    const done: string[] = [];
    for (const { event, statement, checksum } of entries) {
      if (event === 'statement done' && statement !== undefined) done[statement - 1] = checksum ?? '';
    }
    return { done, startedIndex: startedIn(entries)?.statement };
  }

  async versionsInPart(): Promise<ReadonlyMap<Version, Direction>> {
    await this.#context.reach('history.versionsInPart');
    const { journal } = this.#context.server.contents;
    const parts = new Map<Version, Direction>();
    for (const { version = '' } of journal) {
      for (const { event, direction } of this.#sinceLastEnd(version)) if (event === 'statement done' && direction) parts.set(version, direction);
    }
    return parts;
  }

  async failuresOf({ version, up }: Migration): Promise<Failures | undefined> {
    const { server, runner, reach } = this.#context;
    await reach('history.failuresOf');
    const failures = this.#sinceLastEnd(version).filter(
      ({ event, direction, code, checksum, release }) =>
        event === 'failed' && direction === 'up' && code !== undefined && PAUSING.includes(code) && checksum === up.checksum && release !== undefined && release === runner.release,
    );
    const last = failures.at(-1);
    return last && { count: failures.length, agoMs: server.now() - last.at.getTime(), error: last.error ?? '', code: last.code ?? 'MIGRATION_FAILED' };
  }

  #sinceLastEnd(version: Version): readonly JournalEntry[] {
    const ofVersion = this.#context.server.contents.journal.filter((entry) => entry.version === version);
    return ofVersion.slice(ofVersion.findLastIndex(({ event }) => ['applied', 'rolled back', 'baselined'].includes(event)) + 1);
  }

  async baseline(migrations: readonly Migration[]): Promise<void> {
    const { server, reach } = this.#context;
    await reach('history.baseline');
    server.atomically(() => {
      for (const migration of migrations) {
        const { version, up } = migration;
        server.record(version, up.checksum);
        server.storeDown(migration);
        this.#write({ event: 'baselined', version, direction: 'up', checksum: up.checksum });
      }
    });
  }

  async foreignTable(places: readonly TableName[]): Promise<ForeignTable | undefined> {
    const { server, reach } = this.#context;
    await reach('history.foreignTable');
    const isAt = ({ name }: ForeignTable, place: TableName): boolean => name.name === place.name && (place.schema ?? name.schema) === name.schema;
    const found = places.flatMap((place) => server.foreign.filter((table) => isAt(table, place)))[0];
    return found?.name.name === 'schema_migrations' ? { ...found, renamedTo: setAside(found.name) } : found;
  }

  async takeOver({ name, renamedTo }: ForeignTable, imported: readonly ImportedMigration[]): Promise<void> {
    const { server, reach } = this.#context;
    await reach('history.takeOver');
    server.atomically(() => {
      server.contents = { ...server.contents, history: server.contents.history ?? new Map() };
      for (const { migration } of imported) {
        server.record(migration.version, migration.up.checksum);
        server.storeDown(migration);
        this.#write({ event: 'baselined', version: migration.version, direction: 'up', checksum: migration.up.checksum });
      }
    });
    if (renamedTo) server.foreign = server.foreign.map((table) => (table.name === name ? { ...table, name: { ...name, ...renamedTo } } : table));
  }

  async recorded(versions: readonly Version[]): Promise<readonly Version[]> {
    await this.#context.reach('history.recorded');
    const { journal } = this.#context.server.contents;
    return versions.filter((version) => journal.some((entry) => entry.event === 'baselined' && entry.version === version));
  }

  async completeChecksums(migrations: readonly Migration[]): Promise<void> {
    const { server, reach } = this.#context;
    await reach('history.completeChecksums');
    const history = new Map(server.contents.history);
    for (const { version, up } of migrations) {
      const row = history.get(version);
      if (row && row.checksum === undefined) history.set(version, { ...row, checksum: up.checksum });
    }
    server.contents = { ...server.contents, history };
  }

  async storedDowns(withText: readonly Version[] = []): Promise<readonly StoredDown[]> {
    const { server, reach } = this.#context;
    await reach('history.storedDowns');
    return [...server.storedDowns.values()].map(({ sql, ...down }) =>
      sql !== undefined && withText.includes(down.version) ? { ...down, sql } : down,
    );
  }

  async storeDowns(migrations: readonly Migration[]): Promise<void> {
    const { server, reach } = this.#context;
    await reach('history.storeDowns');
    for (const migration of migrations) {
      server.storeDown(migration);
      this.#write({ event: 'down stored', version: migration.version, direction: 'up', checksum: migration.up.checksum });
    }
  }

  async distrust(): Promise<readonly string[]> {
    await this.#context.reach('history.distrust');
    return this.#context.server.distrust;
  }

  async holds(): Promise<readonly Hold[]> {
    const { server, reach } = this.#context;
    // Nobody is asked where there is no journal.
    if (server.contents.journal.length === 0) return [];
    await reach('history.holds');
    const newest = new Map<Version, JournalEntry>();
    for (const entry of server.contents.journal) {
      if (entry.version !== undefined && ['applied', 'baselined', 'rolled back', 'hold ended'].includes(entry.event)) newest.set(entry.version, entry);
    }
    return [...newest].sort(([a], [b]) => compareVersions(a, b)).flatMap(([version, { event, at, runner = '', release, hold }]) =>
      event === 'rolled back' && hold?.releases
        ? [{ version, at, by: runner, release, releases: hold.releases, upChecksum: hold.upChecksum, reason: hold.reason }]
        : [],
    );
  }

  async endHolds(ended: readonly EndedHold[]): Promise<void> {
    await this.#context.reach('history.endHolds');
    for (const { hold, because } of ended) this.#endHold(hold.version, because);
  }

  #endHold(version: Version, reason: string): void {
    this.#write({ event: 'hold ended', version, direction: 'up', hold: { reason } });
  }

  async incompleteStatements(): Promise<readonly IncompleteStatement[]> {
    const { server, reach } = this.#context;
    await reach('history.incompleteStatements');
    const versions = new Set(server.contents.journal.flatMap(({ version }) => version ?? []));
    return [...versions].sort().flatMap((version) => {
      const started = startedIn(this.#sinceLastEnd(version));
      return started ? [{ version, direction: started.direction ?? 'up', statement: started.statement ?? 0, checksum: started.checksum ?? '' }] : [];
    });
  }

  async repair(actions: readonly RepairAction[]): Promise<void> {
    await this.#context.reach('history.repair');
    for (const action of actions) this.#repairOne(action);
  }

  #repairOne(action: RepairAction): void {
    const { server } = this.#context;
    if (action.type === 'settle statement') {
      this.#write({ event: action.as === 'done' ? 'statement done' : 'statement reset', ...action.incomplete });
      return;
    }
    if (action.type === 'release hold') {
      this.#endHold(action.hold.version, 'repair');
      return;
    }
    const { version, up } = action.migration;
    if (action.type === 'rename') {
      server.forget(action.from);
      server.record(version, up.checksum);
      this.#write({ event: 'renamed', version: action.from, direction: 'up', hold: { reason: `to ${version}` } });
    }
    if (action.type === 'accept checksum') {
      server.forget(version);
      server.record(version, up.checksum);
    }
    server.storeDown(action.migration);
    this.#write({ event: 'repaired', version, direction: 'up', checksum: up.checksum });
  }

  async journal(): Promise<readonly JournalEntry[]> {
    const { server, reach } = this.#context;
    await reach('history.journal');
    return server.contents.journal;
  }

  #write(values: Values): void {
    const { server, runner } = this.#context;
    const { run, command, name, release, image } = runner;
    server.write({ run, command, runner: name, release, image, ...values });
  }
}

/** The statement of which nobody has said how it ended. */
function startedIn(entries: readonly JournalEntry[]): JournalEntry | undefined {
  let started: JournalEntry | undefined;
  for (const entry of entries) {
    const ends = ['statement done', 'statement failed', 'statement reset'].includes(entry.event);
    if (entry.event === 'statement started') started = entry;
    else if (ends && entry.statement === started?.statement) started = undefined;
  }
  return started;
}

function textOf(error: MigratorError | undefined): Pick<JournalEntry, 'code' | 'error'> {
  if (!error) return {};
  const { code, summary, details } = error;
  return { code, error: details.server ? `${summary}: ${details.server.message} (${details.server.sqlstate})` : summary };
}

export function factsOf({ version, direction, script }: StepScript): Pick<JournalEntry, 'version' | 'direction' | 'checksum'> {
  return { version, direction, checksum: script.checksum };
}
