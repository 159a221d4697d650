/** How a concurrent index stands in the catalog, and how a broken one is removed. */
import type { IndexState } from '../../core/ports.ts';
import type { ConcurrentIndex } from '../../core/script-plan.ts';
import { literal, qualified } from './sql.ts';
import type { Wire } from './wire.ts';

/** An index of another table under that name is none of ours: then it counts as absent. */
export async function indexState(wire: Wire, index: ConcurrentIndex): Promise<IndexState> {
  const schema = index.schema ?? index.table?.schema;
  const table = index.table && literal(qualified(index.table.schema, index.table.name));
  // An index lives in its table's schema, so its name is looked up there.
  const lookup =
    table !== undefined && schema === undefined
      ? `c.relname = ${literal(index.name)} AND i.indrelid = pg_catalog.to_regclass(${table})`
      : `c.oid = pg_catalog.to_regclass(${literal(qualified(schema, index.name))})` +
        (table === undefined ? '' : ` AND i.indrelid = pg_catalog.to_regclass(${table})`);
  const [result] = await wire.message(
    `SELECT i.indisvalid, EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)` +
      ` FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE ${lookup}`,
  );
  const row = result?.rows[0];
  if (!row) return 'absent';
  if (row[0] === 't') return 'valid';
  return row[1] === 't' ? 'being built' : 'invalid';
}

/** Removes an index that a concurrent build left INVALID, without blocking writers. */
export async function dropIndex(wire: Wire, index: ConcurrentIndex): Promise<void> {
  const schema = index.schema ?? index.table?.schema;
  await wire.message(`DROP INDEX CONCURRENTLY IF EXISTS ${qualified(schema, index.name)}`);
}
