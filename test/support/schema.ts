/** A workspace's schema as its users see it: an up and its down must leave it unchanged. */
import type { Workspace } from './workspace.ts';

const CATALOG: Readonly<Record<string, string>> = {
  relations: `SELECT relname, relkind FROM pg_class WHERE relnamespace = $1::regnamespace ORDER BY 1`,
  // A dropped column keeps its number forever.
  columns: `SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, pg_get_expr(d.adbin, d.adrelid) AS initial
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2`,
  constraints: `SELECT conrelid::regclass::text AS on, conname, pg_get_constraintdef(oid) AS text
    FROM pg_constraint WHERE connamespace = $1::regnamespace ORDER BY 1, 2`,
  indexes: `SELECT c.relname, pg_get_indexdef(i.indexrelid) AS text, i.indisvalid
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = $1::regnamespace ORDER BY 1`,
};

/** Everything except Lockstep's own two tables. */
export async function schemaOf(workspace: Workspace): Promise<unknown> {
  const schema: Record<string, unknown> = {};
  for (const [what, sql] of Object.entries(CATALOG)) {
    const rows = await workspace.query(sql, [workspace.schema]);
    schema[what] = rows.filter((row) => !JSON.stringify(row).includes('schema_migrations'));
  }
  const rows: Record<string, unknown> = {};
  for (const { relname, relkind } of schema['relations'] as { relname: string; relkind: string }[]) {
    if (relkind === 'r')
      rows[relname] = await workspace.query(`SELECT to_jsonb(t) AS row FROM "${relname}" t ORDER BY to_jsonb(t)::text`);
  }
  return { ...schema, rows };
}
