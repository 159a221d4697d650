/** Other tools' tables, seen from one session; loaded on need. */
import type { ForeignTable } from '../../../core/import/foreign-history.ts';
import type { ImportedMigration } from '../../../core/import/plan-import.ts';
import type { Takeover } from '../../../core/ports.ts';
import type { TableName } from '../../../core/table-name.ts';
import type { SessionContext } from '../state/context.ts';

export class PostgresTakeover implements Takeover {
  readonly #context: SessionContext;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  async foreignTable(places: readonly TableName[]): Promise<ForeignTable | undefined> {
    const { findForeignTable } = await import('./foreign-tables.ts');
    return await findForeignTable(this.#context, places);
  }

  async takeOver(table: ForeignTable, imported: readonly ImportedMigration[]): Promise<void> {
    const { takeOverTable } = await import('./foreign-tables.ts');
    await takeOverTable(this.#context, table, imported);
  }
}
