/** How a concurrent index stands in the catalog, and how a broken one is removed. */
import type { IndexState } from '../../../core/ports.ts';
import type { ConcurrentIndex, RelationName } from '../../../core/sql/script-plan.ts';
import { literal, qualified, regclass } from './sql.ts';
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

/**
 * A REINDEX CONCURRENTLY that was killed leaves the new index (`…_ccnew`) or, after the swap, the old one (`…_ccold`)
 * INVALID (PostgreSQL manual, "REINDEX", "Rebuilding Indexes Concurrently").
 */
export async function dropReindexLeftovers(
  wire: Wire,
  of: { readonly index: RelationName } | { readonly table: RelationName },
): Promise<readonly string[]> {
  const table =
    'table' in of
      ? regclass(of.table.schema, of.table.name)
      : `(SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = ${regclass(of.index.schema, of.index.name)})`;
  const [result] = await wire.message(
    `SELECT n.nspname, c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid` +
      ` JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.indrelid = ${table} AND NOT i.indisvalid` +
      ` AND c.relname ~ '_cc(new|old)[0-9]*$'` +
      ` AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)`,
  );
  const names = (result?.rows ?? []).map(([schema, name]) => qualified(schema ?? undefined, name ?? ''));
  for (const name of names) await wire.message(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
  return names;
}
