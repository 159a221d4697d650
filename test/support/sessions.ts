/** Plain sessions, to test PostgreSQL's own behaviour. */
import type pg from 'pg';

import { eventually } from './bounded.ts';
import type { Workspace } from './workspace.ts';

/** `ok`, or the SQLSTATE that the statement ends in. */
export async function sqlstateOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'ok',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  );
}

/** The rows of each statement of a simple-protocol message. */
export async function message(client: pg.ClientBase, sql: string): Promise<Record<string, unknown>[][]> {
  const results: unknown = await client.query(sql);
  return (Array.isArray(results) ? results : [results]).map(
    (result) => (result as pg.QueryResult<Record<string, unknown>>).rows,
  );
}

export async function pidOf(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]!.pid;
}

/** A session's row in pg_stat_activity. */
export async function activityOf(workspace: Workspace, pid: number): Promise<Record<string, unknown> | undefined> {
  const [row] = await workspace.query(
    'SELECT backend_xmin::text AS xmin, state, wait_event FROM pg_stat_activity WHERE pid = $1',
    [pid],
  );
  return row;
}

/** Resolves once the session waits for that event. */
export async function waitsFor(workspace: Workspace, pid: number, event: string): Promise<void> {
  await eventually(
    `session ${pid} to wait for ${event}`,
    async () => (await activityOf(workspace, pid))?.['wait_event'] === event,
  );
}
