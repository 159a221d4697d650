/** The history table of one session. */
import type { HistoryState } from '../../../core/history.ts';
import type { Migration } from '../../../core/migration.ts';
import type { RepairAction } from '../../../core/plan/repair.ts';
import type { History } from '../../../core/ports.ts';
import { asOurselves, type SessionContext } from '../state/context.ts';
import { readTables, writeTables } from '../state/use-tables.ts';
import { encodingOf } from '../wire/encoding.ts';
import { literal } from '../wire/sql.ts';
import { baselineStatements, historyQuery, readHistory } from './history-rows.ts';
import { repairStatements } from './repairs.ts';
import { ensureTables } from './tables.ts';
import { distrustQuery, readDistrust } from './trust.ts';

/** The wire has decoded the results already. */
const AS_DECODED = encodingOf('UTF8');

export class PostgresHistory implements History {
  readonly #context: SessionContext;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  ensureTables(): Promise<readonly string[]> {
    return ensureTables(this.#context);
  }

  async read(): Promise<HistoryState> {
    const { relation } = this.#context;
    if (!relation.exists) return { exists: false, applied: [] };
    const [rows] = await readTables(this.#context, 'history', [historyQuery(relation.table)]);
    return { exists: true, applied: rows ? readHistory(rows, AS_DECODED) : [] };
  }

  async baseline(migrations: readonly Migration[]): Promise<void> {
    await writeTables(
      this.#context,
      migrations.flatMap((migration) => baselineStatements(this.#context, migration)),
    );
  }

  async completeChecksums(migrations: readonly Migration[]): Promise<void> {
    const { table } = this.#context.relation;
    await writeTables(
      this.#context,
      migrations.map(
        ({ version, up }) =>
          `UPDATE ${table} SET checksum = ${literal(up.checksum)} WHERE version = ${literal(version)} AND checksum IS NULL`,
      ),
    );
  }

  async repair(actions: readonly RepairAction[]): Promise<void> {
    await writeTables(
      this.#context,
      actions.flatMap((action) => repairStatements(this.#context, action)),
    );
  }

  async distrust(): Promise<readonly string[]> {
    const { relation, wire } = this.#context;
    // The tables must belong to the migrator's own role, not to one that a migration has taken.
    const statements = [...asOurselves(this.#context), distrustQuery(relation)];
    return readDistrust((await wire.transaction('read', statements)).at(-1));
  }

  async placeOfNextRun(): Promise<string | undefined> {
    const { placeOfNextRun } = await import('../state/next-place.ts');
    return await placeOfNextRun(this.#context);
  }
}
