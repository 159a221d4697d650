/** Other sessions that block a statement at one of its waits. */
import type pg from 'pg';

import { eventually } from '../../support/bounded.ts';
import type { Workspace } from '../../support/workspace.ts';

/**
 * `reader` and `writer`: a transaction that has read or written every table. `report`: one with an old snapshot.
 * Each concurrent statement waits for some of them, in different phases.
 */
export const BLOCKERS = ['reader', 'writer', 'report'] as const;
export type BlockerKind = (typeof BLOCKERS)[number];

export interface OpenBlocker {
  /** True once the backend waits for this session; false when it was `answered` first, without blocking. */
  stops(backend: number, answered: Promise<void>): Promise<boolean>;
  /** A second call does nothing. */
  end(): Promise<void>;
}

export async function openBlocker(workspace: Workspace, kind: BlockerKind): Promise<OpenBlocker> {
  const client = await workspace.client({ application_name: kind });
  await begin(client, workspace, kind);
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const { pid } = rows[0]!;
  let ended: Promise<void> | undefined;
  return {
    stops: async (backend, answered) => {
      let done = false;
      const isDone = (): boolean => done;
      answered.then(() => (done = true)).catch(() => undefined);
      return (
        (await eventually(`backend ${backend} to wait or to answer`, async () => {
          const [row] = await workspace.query('SELECT $1 = ANY (pg_blocking_pids($2)) AS stops', [pid, backend]);
          if (row?.['stops'] === true) return 'stops';
          return isDone() && 'goes on';
        })) === 'stops'
      );
    },
    end: async () => {
      await (ended ??= client.end());
    },
  };
}

async function begin(client: pg.Client, workspace: Workspace, kind: BlockerKind): Promise<void> {
  if (kind === 'report') {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await client.query('SELECT 1');
    return;
  }
  await client.query('BEGIN');
  const tables = await workspace.query<{ relname: string }>(
    `SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
      AND relname NOT LIKE 'schema_migrations%' ORDER BY 1`,
    [workspace.schema],
  );
  if (tables.length === 0) return;
  const mode = kind === 'reader' ? 'ACCESS SHARE' : 'ROW EXCLUSIVE';
  // The command itself keeps no snapshot.
  await client.query(`LOCK TABLE ${tables.map(({ relname }) => relname).join(', ')} IN ${mode} MODE`);
}
