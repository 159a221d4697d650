/** How a concurrent index stands in the catalog, and how a broken one is removed. */
import type { IndexState } from '../../../core/ports.ts';
import type { ConcurrentIndex, Reindexed } from '../../../core/sql/script-plan.ts';
import { identifier, literal, qualified, regclass } from './sql.ts';
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
 * A REINDEX CONCURRENTLY that failed leaves the new index (`…_ccnew`) or, after the swap, the old one (`…_ccold`)
 * INVALID (PostgreSQL manual, "REINDEX", "Rebuilding Indexes Concurrently"): on the table itself, on its partitions, and
 * on the TOAST tables of these.
 */
export async function dropReindexLeftovers(wire: Wire, of: Reindexed): Promise<readonly string[]> {
  const [result] = await wire.message(
    `WITH named AS (${reindexedTables(of)}), tables AS (SELECT oid FROM named` +
      ` UNION SELECT c.reltoastrelid FROM pg_catalog.pg_class c JOIN named USING (oid) WHERE c.reltoastrelid <> 0)` +
      ` SELECT n.nspname, c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid` +
      ` JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace` +
      ` WHERE i.indrelid IN (SELECT oid FROM tables) AND NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'` +
      ` AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.relid IN (SELECT oid FROM tables))`,
  );
  const names = (result?.rows ?? []).map(([schema, name]) => qualified(schema ?? undefined, name ?? ''));
  for (const name of names) await wire.message(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
  return names;
}

/** A query for the oids of the tables whose indexes are rebuilt. */
function reindexedTables(of: Reindexed): string {
  if ('database' in of) return 'SELECT oid FROM pg_catalog.pg_class';
  if ('schema' in of) return `SELECT oid FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.to_regnamespace(${literal(identifier(of.schema))})`;
  const { schema, name } = 'table' in of ? of.table : of.index;
  const root = regclass(schema, name);
  // Without partitions there is no tree.
  const tree = `SELECT ${root}::oid AS oid UNION SELECT relid::oid FROM pg_catalog.pg_partition_tree(${root})`;
  return 'table' in of ? tree : `SELECT indrelid AS oid FROM pg_catalog.pg_index WHERE indexrelid IN (${tree})`;
}
