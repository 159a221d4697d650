/** The history and the journal of one session on a FakeServer. */
import type { MigratorError } from '../../../src/core/errors.ts';
import type { HeldVersion } from '../../../src/core/plan/held-versions.ts';
import type { HistoryState, JournalEntry, JournalEvent } from '../../../src/core/history.ts';
import type { ForeignTable } from '../../../src/core/import/foreign-history.ts';
import { setAside, type ImportedMigration } from '../../../src/core/import/plan-import.ts';
import type { VersionInPart } from '../../../src/core/plan/in-part.ts';
import { compareVersions, type Migration, type Version } from '../../../src/core/migration.ts';
import { PAUSING, type Failures } from '../../../src/core/plan/pause.ts';
import type { History, StepScript } from '../../../src/core/ports.ts';
import type { RepairAction } from '../../../src/core/plan/repair.ts';
import type { StoredDown } from '../../../src/core/plan/stored-down.ts';
import type { TableName } from '../../../src/core/table-name.ts';
import type { FakeContext } from './context.ts';
import { VERSION_ENDS } from './server.ts';

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
    const ended = new Set(
      journal.filter(({ event }) => event === 'run ended' || event === 'run lost').map(({ run }) => run),
    );
    const lost = journal
      .filter(({ event, run }) => event === 'run started' && !ended.has(run))
      .map((entry) => ({
        ...entry,
        version: journal.findLast(({ run, version }) => run === entry.run && version !== undefined)?.version,
      }));
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

  async inPart(): Promise<readonly VersionInPart[]> {
    await this.#context.reach('history.inPart');
    return this.#context.server.inPart();
  }

  async noteRelease(): Promise<void> {
    await this.#context.reach('history.noteRelease');
    this.#write({ event: 'release seen' });
  }

  async failuresOf({ version, up }: Migration): Promise<Failures | undefined> {
    const { server, runner, reach } = this.#context;
    await reach('history.failuresOf');
    const failures = this.#sinceLastEnd(version).filter(
      ({ event, direction, code, checksum, release }) =>
        event === 'failed' &&
        direction === 'up' &&
        code !== undefined &&
        PAUSING.includes(code) &&
        checksum === up.checksum &&
        release !== undefined &&
        release === runner.release,
    );
    const last = failures.at(-1);
    return (
      last && {
        count: failures.length,
        agoMs: server.now() - last.at.getTime(),
        error: last.error ?? '',
        code: last.code ?? 'MIGRATION_FAILED',
      }
    );
  }

  #sinceLastEnd(version: Version): readonly JournalEntry[] {
    const ofVersion = this.#context.server.contents.journal.filter((entry) => entry.version === version);
    return ofVersion.slice(ofVersion.findLastIndex(({ event }) => VERSION_ENDS.includes(event)) + 1);
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
    const isAt = ({ name }: ForeignTable, place: TableName): boolean =>
      name.name === place.name && (place.schema ?? name.schema) === name.schema;
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
        this.#write({
          event: 'baselined',
          version: migration.version,
          direction: 'up',
          checksum: migration.up.checksum,
        });
      }
    });
    if (renamedTo)
      server.foreign = server.foreign.map((table) =>
        table.name === name ? { ...table, name: { ...name, ...renamedTo } } : table,
      );
  }

  async recorded(versions: readonly Version[]): Promise<readonly Version[]> {
    await this.#context.reach('history.recorded');
    const { journal } = this.#context.server.contents;
    return versions.filter((version) =>
      journal.some((entry) => entry.event === 'baselined' && entry.version === version),
    );
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
      this.#write({
        event: 'down stored',
        version: migration.version,
        direction: 'up',
        checksum: migration.up.checksum,
      });
    }
  }

  async markIrreversible(versions: readonly Version[]): Promise<void> {
    const { server, reach } = this.#context;
    await reach('history.markIrreversible');
    for (const version of versions) {
      const kept = server.storedDowns.get(version) ?? { version, checksum: undefined };
      server.storedDowns.set(version, { ...kept, irreversible: true });
      this.#write({ event: 'down stored', version, direction: 'up' });
    }
  }

  async distrust(): Promise<readonly string[]> {
    await this.#context.reach('history.distrust');
    return this.#context.server.distrust;
  }

  async heldVersions(): Promise<readonly HeldVersion[]> {
    const { server, reach } = this.#context;
    // Nobody is asked where there is no journal.
    if (server.contents.journal.length === 0) return [];
    await reach('history.holds');
    return [...this.#newestSayings()]
      .sort(([a], [b]) => compareVersions(a, b))
      .flatMap(([version, { event, at, runner = '', release, hold }]) =>
        ['rolled back', 'held'].includes(event) && hold?.releases
          ? [
              {
                version,
                at,
                by: runner,
                release,
                releases: hold.releases,
                appliedBy: hold.appliedBy,
                reason: hold.reason,
              },
            ]
          : [],
      );
  }

  async knowsReleases(): Promise<boolean> {
    await this.#context.reach('history.knowsReleases');
    return this.#context.server.contents.journal.some(({ release }) => release !== undefined);
  }

  async rolledBack(): Promise<readonly Version[]> {
    await this.#context.reach('history.rolledBack');
    const gone = [...this.#newestSayings()].filter(([, { event }]) =>
      ['rolled back', 'held', 'hold ended'].includes(event),
    );
    return gone.map(([version]) => version).sort(compareVersions);
  }

  async holdVersions(versions: readonly Version[], reason: string | undefined): Promise<void> {
    const { server, runner, reach } = this.#context;
    await reach('history.hold');
    for (const version of versions)
      this.#write({ event: 'held', version, direction: 'down', hold: server.holdOn(version, runner.release, reason) });
  }

  #newestSayings(): ReadonlyMap<Version, JournalEntry> {
    const newest = new Map<Version, JournalEntry>();
    for (const entry of this.#context.server.contents.journal) {
      if (entry.version !== undefined && SAYINGS.includes(entry.event)) newest.set(entry.version, entry);
    }
    return newest;
  }

  async repair(actions: readonly RepairAction[]): Promise<void> {
    await this.#context.reach('history.repair');
    for (const action of actions) this.#repairOne(action);
  }

  #repairOne(action: RepairAction): void {
    const { server } = this.#context;
    if (action.type === 'settle statement') {
      const {
        version,
        direction,
        started: { statement, checksum },
      } = action;
      this.#write({
        event: action.as === 'done' ? 'statement done' : 'statement reset',
        version,
        direction,
        statement,
        checksum,
      });
      return;
    }
    if (action.type === 'reset progress') {
      const { version, direction } = action.inPart;
      this.#write({ event: 'progress reset', version, direction });
      return;
    }
    if (action.type === 'settle history') {
      if (action.from === 'journal') server.record(action.version, undefined);
      else this.#write({ event: 'rolled back', version: action.version, direction: 'down' });
      return;
    }
    if (action.type === 'release hold') {
      this.#write({ event: 'hold ended', version: action.hold.version, direction: 'up', hold: { reason: 'repair' } });
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
    } else server.storeDown(action.migration);
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

/** With these it is said whether a version is held. */
const SAYINGS: readonly JournalEvent[] = ['applied', 'baselined', 'rolled back', 'held', 'hold ended'];

function textOf(error: MigratorError | undefined): Pick<JournalEntry, 'code' | 'error'> {
  if (!error) return {};
  const { code, summary, details } = error;
  return {
    code,
    error: details.server ? `${summary}: ${details.server.message} (${details.server.sqlstate})` : summary,
  };
}

export function factsOf({
  version,
  direction,
  script,
}: StepScript): Pick<JournalEntry, 'version' | 'direction' | 'checksum'> {
  return { version, direction, checksum: script.checksum };
}
