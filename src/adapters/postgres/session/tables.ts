/** Creates the history table and the journal, or completes those of the original Go runner; only under the lock. */
import { asOurselves, type SessionContext } from './context.ts';
import { completeJournal, createJournal } from './journal.ts';
import { tableComment } from './relation.ts';
import { identifier, literal } from './sql.ts';

/** Default privileges may have granted others to write what the migrator runs later. */
function granteesQuery(table: string): string {
  return `SELECT DISTINCT CASE WHEN a.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END
FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
WHERE c.oid = ${literal(table)}::regclass AND a.grantee <> c.relowner`;
}

export async function ensureTables(context: SessionContext): Promise<void> {
  const { relation, wire } = context;
  if (relation.complete) return;
  await wire.withTransaction(() => makeTables(context));
  context.relation = { ...relation, exists: true, hasJournal: true, complete: true };
}

/** Inside a transaction. */
export async function makeTables(context: SessionContext): Promise<void> {
  const { relation, wire } = context;
  const statements = [
    // A reader of the old table may hold us up, and whoever comes then would queue behind us.
    `SET LOCAL lock_timeout = '5s'`,
    ...asOurselves(context),
    // Somebody may have had the lock, and have made it, after we looked and before we got the lock.
    ...(relation.exists ? [] : [`CREATE TABLE IF NOT EXISTS ${relation.table} (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT pg_catalog.now())`]),
    `ALTER TABLE ${relation.table} ADD COLUMN IF NOT EXISTS checksum text`,
    ...(relation.hasJournal ? completeJournal(relation.journal) : [createJournal(relation.journal)]),
    `COMMENT ON TABLE ${relation.table} IS ${literal(tableComment(relation.key))}`,
  ];
  await wire.message(statements.join(';\n'));
  // The grants of a table that is taken over are its owner's choice.
  const ours = relation.exists ? [relation.journal] : [relation.table, relation.journal];
  for (const table of ours) await revokeDefaultGrants(context, table);
}

async function revokeDefaultGrants({ wire }: SessionContext, table: string): Promise<void> {
  const [result] = await wire.message(granteesQuery(table));
  const grantees = (result?.rows ?? []).map(([name]) => (name == null ? 'PUBLIC' : identifier(name)));
  if (grantees.length > 0) await wire.message(`REVOKE ALL ON ${table} FROM ${grantees.join(', ')}`);
}
