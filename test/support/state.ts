/** The full state of a workspace's schema, so that a test can check that nothing has changed. */
import type { Workspace } from './workspace.ts';

/** Every row with its physical location (ctid, xmin), every relation with its file, privileges and comment. */
export async function stateOf(workspace: Workspace): Promise<unknown> {
  const relations = await workspace.query<{ relname: string; relkind: string }>(
    `SELECT c.relname, c.relkind, c.relfilenode, c.relowner, c.relacl::text, obj_description(c.oid, 'pg_class') AS comment,
            (SELECT json_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum)
               FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
       FROM pg_class c WHERE c.relnamespace = $1::regnamespace ORDER BY 1`,
    [workspace.schema],
  );
  const rows: Record<string, unknown> = {};
  for (const { relname, relkind } of relations) {
    if (relkind !== 'r') continue;
    rows[relname] = await workspace.query(
      `SELECT t.ctid::text, t.xmin::text, to_jsonb(t) AS row FROM "${relname}" t ORDER BY t.ctid`,
    );
  }
  return { relations, rows };
}
