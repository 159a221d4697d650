/** How large tables are: their bytes, and their rows as the server estimates them, as nothing is counted. */
import type { TableSize } from '../../../core/outcome.ts';
import type { RelationName } from '../../../core/sql/script-plan.ts';
import { asOurselves, type SessionContext } from '../state/context.ts';
import { keepNamed, namedOid } from '../wire/named.ts';
import { BEGIN, OWN_PATH } from '../wire/own-path.ts';
import { literal } from '../wire/sql.ts';

/**
 * In the given order, the table of an index for the index; undefined where there is no such table. `reltuples` is -1 until VACUUM or ANALYZE has seen the
 * table (PostgreSQL manual, "pg_class"): then what the statistics collector has counted. A partitioned table has the
 * rows of its partitions.
 */
export async function tableSizes(
  context: SessionContext,
  tables: readonly RelationName[],
): Promise<readonly (TableSize | undefined)[]> {
  const { wire, settings } = context;
  const search = Object.entries(settings.serverSettings).map(
    ([name, value]) => `SELECT pg_catalog.set_config(${literal(name)}, ${literal(value)}, true)`,
  );
  const selects = tables.map((_table, index) => sizeOf(namedOid(index)));
  const before = [...search, ...asOurselves(context), `SELECT ${tables.map(keepNamed).join(', ')}`, OWN_PATH];
  const results = await wire.transactionAsIs([BEGIN.read, ...before, ...selects, 'COMMIT'].join(';\n'));
  return results.slice(-selects.length - 1, -1).map(({ rows: [row] }) => {
    const [schema, name, rows, bytes] = row ?? [];
    return schema == null || name == null
      ? undefined
      : { schema, name, rows: Math.round(Number(rows)), bytes: Number(bytes) };
  });
}

function sizeOf(oid: string): string {
  const table = `SELECT coalesce((SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = n.oid), n.oid) FROM (SELECT ${oid} AS oid) n`;
  return (
    `SELECT s.nspname, t.relname, sum(CASE WHEN c.reltuples >= 0 THEN c.reltuples ELSE pg_stat_get_live_tuples(c.oid) END),` +
    ` sum(${BYTES}) FROM pg_class t JOIN pg_namespace s ON s.oid = t.relnamespace, pg_class c` +
    ` WHERE t.oid = (${table}) AND (c.oid = t.oid OR c.oid IN` +
    ` (SELECT relid FROM pg_partition_tree(t.oid) WHERE isleaf)) AND c.relkind NOT IN ('p', 'v') GROUP BY 1, 2`
  );
}

/** The exact size needs a lock, which would wait behind an ACCESS EXCLUSIVE one: then the size at the last VACUUM. */
const BYTES =
  `CASE WHEN EXISTS (SELECT FROM pg_locks l WHERE l.relation = c.oid AND l.mode = 'AccessExclusiveLock')` +
  ` THEN c.relpages * current_setting('block_size')::bigint ELSE pg_total_relation_size(c.oid) END`;
