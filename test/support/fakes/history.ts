/** The history table of one session on a FakeServer. */
import type { HistoryState } from '../../../src/core/history.ts';
import type { Migration } from '../../../src/core/migration.ts';
import type { RepairAction } from '../../../src/core/plan/repair.ts';
import type { History } from '../../../src/core/ports.ts';
import { write, type FakeContext } from './context.ts';

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

  async read(): Promise<HistoryState> {
    const { server, reach } = this.#context;
    await reach('history.read');
    const { history } = server.contents;
    return { exists: history !== undefined, applied: [...(history?.values() ?? [])] };
  }

  async baseline(migrations: readonly Migration[]): Promise<void> {
    const { server, reach } = this.#context;
    await reach('history.baseline');
    server.atomically(() => {
      for (const migration of migrations) {
        const { version, up } = migration;
        server.record(version, up.checksum);
        server.storeDown(migration);
        write(this.#context, { event: 'baselined', version, direction: 'up', checksum: up.checksum });
      }
    });
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
      write(this.#context, {
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
      write(this.#context, { event: 'progress reset', version, direction });
      return;
    }
    if (action.type === 'settle history') {
      if (action.from === 'journal') server.record(action.version, undefined);
      else write(this.#context, { event: 'rolled back', version: action.version, direction: 'down' });
      return;
    }
    if (action.type === 'release hold') {
      write(this.#context, {
        event: 'hold ended',
        version: action.hold.version,
        direction: 'up',
        hold: { reason: 'repair' },
      });
      return;
    }
    const { version, up } = action.migration;
    if (action.type === 'rename') {
      server.forget(action.from);
      server.record(version, up.checksum);
      write(this.#context, {
        event: 'renamed',
        version: action.from,
        direction: 'up',
        hold: { reason: `to ${version}` },
      });
    }
    if (action.type === 'accept checksum') {
      server.forget(version);
      server.record(version, up.checksum);
    } else server.storeDown(action.migration);
    write(this.#context, { event: 'repaired', version, direction: 'up', checksum: up.checksum });
  }

  async distrust(): Promise<readonly string[]> {
    await this.#context.reach('history.distrust');
    return this.#context.server.distrust;
  }

  async placeOfNextRun(): Promise<string | undefined> {
    await this.#context.reach('history.placeOfNextRun');
    return this.#context.server.placeOfNextRun;
  }
}
