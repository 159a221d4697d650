/** The state of a concurrent index in the catalog, and how to remove an invalid one. */
import type { IndexState } from '../../../core/ports.ts';
import type { ConcurrentIndex, Reindexed } from '../../../core/sql/script-plan.ts';
import { namedOid } from '../wire/named.ts';
import { identifier, literal, qualified } from '../wire/sql.ts';
import type { Wire } from '../wire/wire.ts';

interface FoundIndex {
  readonly state: IndexState;
  /** With the schema in which it was found. */
  readonly name: string;
}

/**
 * Another session may be building the index: one that builds or rebuilds an index concurrently holds this lock until
 * the end, and every role can see it (PostgreSQL manual, "Explicit Locking"); few roles see others' builds in the
 * progress view.
 */
function beingBuilt(table: string): string {
  return (
    `EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'relation' AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted` +
    ` AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.relation = ${table} AND l.pid <> pg_backend_pid()` +
    // Autovacuum holds the same lock, but has no user id.
    ` AND EXISTS (SELECT FROM pg_stat_get_activity(l.pid) a WHERE a.usesysid IS NOT NULL))`
  );
}

/** An index with that name on another table is not ours, and counts as absent. */
export async function indexState(wire: Wire, index: ConcurrentIndex): Promise<IndexState> {
  return (await find(wire, index))?.state ?? 'absent';
}

async function find(wire: Wire, { schema, name, table }: ConcurrentIndex): Promise<FoundIndex | undefined> {
  const inSchema = schema ?? table?.schema;
  // An index lives in its table's schema, so its name is looked up there.
  const lookup = table ? `c.relname = ${literal(name)} AND i.indrelid = ${namedOid(1)}` : `c.oid = ${namedOid(0)}`;
  const [result] = await wire.messageAbout(
    [{ ...(inSchema !== undefined && { schema: inSchema }), name }, table ?? { name }],
    `SELECT n.nspname, c.relname, i.indisvalid, ${beingBuilt('i.indrelid')} FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid` +
      ` JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${lookup}`,
  );
  const row = result?.rows[0];
  if (!row) return undefined;
  const [found, indexName, valid, building] = row;
  return {
    state: valid === 't' ? 'valid' : building === 't' ? 'being built' : 'invalid',
    name: qualified(found ?? undefined, indexName ?? ''),
  };
}

/** Removes an index that a concurrent build left INVALID, without blocking writers. */
export async function dropIndex(wire: Wire, index: ConcurrentIndex): Promise<void> {
  const found = await find(wire, index);
  if (found?.state === 'invalid')
    await wire.asIs(`DROP INDEX CONCURRENTLY IF EXISTS ${found.name}`, { promptly: false });
}

/**
 * A REINDEX CONCURRENTLY that failed leaves the new index (`…_ccnew`) or, after the swap, the old one (`…_ccold`)
 * INVALID (PostgreSQL manual, "REINDEX", "Rebuilding Indexes Concurrently"): on the table itself, on its partitions,
 * and on the TOAST tables of these.
 */
export async function dropReindexLeftovers(wire: Wire, of: Reindexed): Promise<readonly string[]> {
  const named = 'table' in of ? [of.table] : 'index' in of ? [of.index] : [{ name: 'pg_class' }];
  const [result] = await wire.messageAbout(
    named,
    `WITH named AS (${reindexedTables(of)}), tables AS (SELECT oid FROM named` +
      ` UNION SELECT c.reltoastrelid FROM pg_class c JOIN named USING (oid) WHERE c.reltoastrelid <> 0)` +
      ` SELECT n.nspname, c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid` +
      ` JOIN pg_namespace n ON n.oid = c.relnamespace` +
      ` WHERE i.indrelid IN (SELECT oid FROM tables) AND NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'` +
      ` AND NOT ${beingBuilt('i.indrelid')}`,
  );
  const names = (result?.rows ?? []).map(([schema, name]) => qualified(schema ?? undefined, name ?? ''));
  for (const name of names) await wire.asIs(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`, { promptly: false });
  return names;
}

/** A query for the oids of the tables whose indexes are rebuilt. */
function reindexedTables(of: Reindexed): string {
  if ('database' in of) return 'SELECT oid FROM pg_class';
  if ('schema' in of)
    return `SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace(${literal(identifier(of.schema))})`;
  const root = namedOid(0);
  // Without partitions there is no tree.
  const tree = `SELECT ${root} AS oid UNION SELECT relid::oid FROM pg_partition_tree(${root})`;
  return 'table' in of ? tree : `SELECT indrelid AS oid FROM pg_index WHERE indexrelid IN (${tree})`;
}
