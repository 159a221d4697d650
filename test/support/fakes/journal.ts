/** The journal of one session on a FakeServer. */
import type { MigratorError } from '../../../src/core/errors.ts';
import { recordedFailure, type JournalEntry, type JournalEvent } from '../../../src/core/history.ts';
import { compareVersions, type Migration, type Version } from '../../../src/core/migration.ts';
import type { HeldVersion } from '../../../src/core/plan/held-versions.ts';
import type { VersionInPart } from '../../../src/core/plan/in-part.ts';
import { PAUSING, type Failures } from '../../../src/core/plan/pause.ts';
import type { StoredDown } from '../../../src/core/plan/stored-down.ts';
import type { Journal, StepScript } from '../../../src/core/ports.ts';
import { write, type FakeContext } from './context.ts';
import { VERSION_ENDS } from './server.ts';

export class FakeJournal implements Journal {
  readonly #context: FakeContext;

  constructor(context: FakeContext) {
    this.#context = context;
  }

  async read(): Promise<readonly JournalEntry[]> {
    const { server, reach } = this.#context;
    await reach('journal.read');
    return server.contents.journal;
  }

  async startRun(): Promise<readonly JournalEntry[]> {
    const { server, reach, runner } = this.#context;
    await reach('journal.startRun');
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
    write(this.#context, { event: 'run started' });
    return lost;
  }

  async endRun(error: MigratorError | undefined): Promise<void> {
    await this.#context.reach('journal.endRun');
    write(this.#context, { event: 'run ended', ...textOf(error) });
  }

  async recordFailure(step: StepScript, error: MigratorError): Promise<void> {
    await this.#context.reach('journal.recordFailure');
    write(this.#context, { event: 'failed', ...factsOf(step), ...textOf(error) });
  }

  async failuresOf({ version, up }: Migration): Promise<Failures | undefined> {
    const { server, runner, reach } = this.#context;
    await reach('journal.failuresOf');
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
        ...recordedFailure(last),
        code: last.code ?? 'MIGRATION_FAILED',
      }
    );
  }

  async lastFailure(): Promise<JournalEntry | undefined> {
    await this.#context.reach('journal.lastFailure');
    return this.#context.server.contents.journal.findLast(
      (entry) =>
        entry.event === 'failed' && entry.version !== undefined && this.#sinceLastEnd(entry.version).includes(entry),
    );
  }

  async lastFailureOf(migrations: readonly Migration[]): Promise<JournalEntry | undefined> {
    if (this.#context.server.contents.journal.length === 0) return undefined;
    await this.#context.reach('journal.lastFailure');
    return migrations
      .flatMap(({ version, up }) =>
        this.#sinceLastEnd(version).filter(
          ({ event, direction, checksum }) => event === 'failed' && direction === 'up' && checksum === up.checksum,
        ),
      )
      .sort((a, b) => Number(a.id) - Number(b.id))
      .at(-1);
  }

  #sinceLastEnd(version: Version): readonly JournalEntry[] {
    const ofVersion = this.#context.server.contents.journal.filter((entry) => entry.version === version);
    return ofVersion.slice(ofVersion.findLastIndex(({ event }) => VERSION_ENDS.includes(event)) + 1);
  }

  async noteRelease(): Promise<void> {
    await this.#context.reach('journal.noteRelease');
    write(this.#context, { event: 'release seen' });
  }

  async knowsReleases(): Promise<boolean> {
    await this.#context.reach('journal.knowsReleases');
    return this.#context.server.contents.journal.some(({ release }) => release !== undefined);
  }

  async appliedVersions(): Promise<readonly Version[]> {
    const newest = new Map<Version, JournalEntry['event']>();
    for (const { version, event } of this.#context.server.contents.journal) {
      if (version !== undefined && ['applied', 'rolled back', 'baselined'].includes(event)) newest.set(version, event);
    }
    return [...newest].flatMap(([version, event]) => (event === 'rolled back' ? [] : [version])).sort(compareVersions);
  }

  async baselined(versions: readonly Version[]): Promise<readonly Version[]> {
    await this.#context.reach('journal.baselined');
    const { journal } = this.#context.server.contents;
    return versions.filter((version) =>
      journal.some((entry) => entry.event === 'baselined' && entry.version === version),
    );
  }

  async inPart(): Promise<readonly VersionInPart[]> {
    await this.#context.reach('journal.inPart');
    return this.#context.server.inPart();
  }

  async storedDowns(withText: readonly Version[] = []): Promise<readonly StoredDown[]> {
    const { server, reach } = this.#context;
    await reach('journal.storedDowns');
    return [...server.storedDowns.values()].map(({ sql, ...down }) =>
      sql !== undefined && withText.includes(down.version) ? { ...down, sql } : down,
    );
  }

  async storeDowns(migrations: readonly Migration[]): Promise<void> {
    const { server, reach } = this.#context;
    await reach('journal.storeDowns');
    for (const migration of migrations) {
      server.storeDown(migration);
      write(this.#context, {
        event: 'down stored',
        version: migration.version,
        direction: 'up',
        checksum: migration.up.checksum,
      });
    }
  }

  async markIrreversible(versions: readonly Version[]): Promise<void> {
    const { server, reach } = this.#context;
    await reach('journal.markIrreversible');
    for (const version of versions) {
      const kept = server.storedDowns.get(version) ?? { version, checksum: undefined };
      server.storedDowns.set(version, { ...kept, irreversible: true });
      write(this.#context, { event: 'down stored', version, direction: 'up' });
    }
  }

  async heldVersions(): Promise<readonly HeldVersion[]> {
    const { server, reach } = this.#context;
    // Without a journal there is nothing to read.
    if (server.contents.journal.length === 0) return [];
    await reach('journal.heldVersions');
    return [...this.#newestHoldEvents()]
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

  async rolledBack(): Promise<readonly Version[]> {
    await this.#context.reach('journal.rolledBack');
    const gone = [...this.#newestHoldEvents()].filter(([, { event }]) =>
      ['rolled back', 'held', 'hold ended'].includes(event),
    );
    return gone.map(([version]) => version).sort(compareVersions);
  }

  async holdVersions(versions: readonly Version[], reason: string | undefined): Promise<void> {
    const { server, runner, reach } = this.#context;
    await reach('journal.holdVersions');
    for (const version of versions)
      write(this.#context, {
        event: 'held',
        version,
        direction: 'down',
        hold: server.holdOn(version, runner.release, reason),
      });
  }

  #newestHoldEvents(): ReadonlyMap<Version, JournalEntry> {
    const newest = new Map<Version, JournalEntry>();
    for (const entry of this.#context.server.contents.journal) {
      if (entry.version !== undefined && HOLD_EVENTS.includes(entry.event)) newest.set(entry.version, entry);
    }
    return newest;
  }
}

/** Events that say whether a version is held. */
const HOLD_EVENTS: readonly JournalEvent[] = ['applied', 'baselined', 'rolled back', 'held', 'hold ended'];

function textOf(error: MigratorError | undefined): Pick<JournalEntry, 'code' | 'error' | 'file' | 'line' | 'sqlstate'> {
  if (!error) return {};
  const { code, summary, details } = error;
  return {
    code,
    error: details.server ? `${summary}: ${details.server.message} (${details.server.sqlstate})` : summary,
    file: details.location?.file,
    line: details.location?.line,
    sqlstate: details.server?.sqlstate,
  };
}

export function factsOf({
  version,
  direction,
  script,
}: StepScript): Pick<JournalEntry, 'version' | 'direction' | 'checksum'> {
  return { version, direction, checksum: script.checksum };
}
