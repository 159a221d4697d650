/** Other tools' tables on a FakeServer. */
import type { ForeignTable } from '../../../src/core/import/foreign-history.ts';
import { setAside, type ImportedMigration } from '../../../src/core/import/plan-import.ts';
import type { Takeover } from '../../../src/core/ports.ts';
import type { TableName } from '../../../src/core/table-name.ts';
import { write, type FakeContext } from './context.ts';

export class FakeTakeover implements Takeover {
  readonly #context: FakeContext;

  constructor(context: FakeContext) {
    this.#context = context;
  }

  async foreignTable(places: readonly TableName[]): Promise<ForeignTable | undefined> {
    const { server, reach } = this.#context;
    await reach('takeover.foreignTable');
    const isAt = ({ name }: ForeignTable, place: TableName): boolean =>
      name.name === place.name && (place.schema ?? name.schema) === name.schema;
    const found = places.flatMap((place) => server.foreign.filter((table) => isAt(table, place)))[0];
    return found?.name.name === 'schema_migrations' ? { ...found, renamedTo: setAside(found.name) } : found;
  }

  async takeOver({ name, renamedTo }: ForeignTable, imported: readonly ImportedMigration[]): Promise<void> {
    const { server, reach } = this.#context;
    await reach('takeover.takeOver');
    server.atomically(() => {
      server.contents = { ...server.contents, history: server.contents.history ?? new Map() };
      for (const { migration } of imported) {
        server.record(migration.version, migration.up.checksum);
        server.storeDown(migration);
        write(this.#context, {
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
}
