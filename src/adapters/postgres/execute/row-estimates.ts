/** How many rows tables have, as the server estimates it: nothing is counted. */
import type { RelationName } from '../../../core/sql/script-plan.ts';
import { asOurselves, type SessionContext } from '../state/context.ts';
import { keepNamed, namedOid } from '../wire/named.ts';
import { BEGIN, OWN_PATH } from '../wire/own-path.ts';
import { literal } from '../wire/sql.ts';

/**
 * In the given order; undefined where there is no such table. `reltuples` is -1 until VACUUM or ANALYZE has seen the
 * table (PostgreSQL manual, "pg_class"): then what the statistics collector has counted. A partitioned table has the
 * rows of its partitions.
 */
export async function rowEstimates(
  context: SessionContext,
  tables: readonly RelationName[],
): Promise<readonly (number | undefined)[]> {
  const { wire, settings } = context;
  const search = Object.entries(settings.serverSettings).map(
    ([name, value]) => `SELECT pg_catalog.set_config(${literal(name)}, ${literal(value)}, true)`,
  );
  const selects = tables.map((_table, index) => `SELECT (${estimate(namedOid(index))})`);
  const before = [...search, ...asOurselves(context), `SELECT ${tables.map(keepNamed).join(', ')}`, OWN_PATH];
  const results = await wire.transactionAsIs([BEGIN.read, ...before, ...selects, 'COMMIT'].join(';\n'));
  return results.slice(-selects.length - 1, -1).map(({ rows: [row] }) => {
    const text = row?.[0];
    return text == null ? undefined : Math.round(Number(text));
  });
}

function estimate(table: string): string {
  return (
    `SELECT sum(CASE WHEN c.reltuples >= 0 THEN c.reltuples ELSE pg_stat_get_live_tuples(c.oid) END)` +
    ` FROM (SELECT ${table} AS oid) o, pg_class c WHERE o.oid IS NOT NULL AND (c.oid = o.oid OR c.oid IN` +
    ` (SELECT relid FROM pg_partition_tree(o.oid) WHERE isleaf)) AND c.relkind <> 'p'`
  );
}
