/** Makes a migration, a hook or a build wait until the test releases it. */
import { eventually } from './bounded.ts';
import { holdKey } from './holder.ts';
import type { Workspace } from './workspace.ts';

export interface Gate {
  /** A statement that waits at the gate, for use in a migration. */
  readonly sql: string;
  /** Resolves with the backend's pid once a session waits at the gate. */
  readonly arrived: () => Promise<number>;
  /** Releases all current and future waiters. A second call does nothing. */
  readonly open: () => Promise<void>;
}

/** Opens at the end of the test at the latest. */
export async function closeGate(workspace: Workspace): Promise<Gate> {
  // Adjacent to the test's lock key, so no other test uses it.
  const key = String(BigInt(workspace.lockKey) - 1n);
  const holder = await holdKey(workspace.serverUrl, key, 'gate');
  workspace.defer(() => holder.release());
  return {
    sql: `SELECT pg_advisory_xact_lock(${key});`,
    open: () => holder.release(),
    arrived: () =>
      eventually('somebody to wait at the gate', async () => {
        const [found] = await workspace.query<{ pid: number }>(
          `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objsubid = 1
              AND ((classid::bigint << 32) | objid::bigint) = $1::bigint`,
          [key],
        );
        return found?.pid;
      }),
  };
}

export interface OldSnapshot {
  /** Resolves with the pid of a concurrent build that waits for this snapshot to end. */
  readonly awaited: () => Promise<number>;
  /** Ends the transaction. A second call does nothing. */
  readonly end: () => Promise<void>;
}

/** A transaction with a snapshot, like a long report: every concurrent build waits for its end. */
export async function openSnapshot(workspace: Workspace): Promise<OldSnapshot> {
  const client = await workspace.client({ application_name: 'long report' });
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  await client.query('SELECT 1');
  let ended: Promise<unknown> | undefined;
  return {
    awaited: () =>
      eventually('a concurrent build to wait for the snapshot', async () => {
        const [found] = await workspace.query<{ pid: number }>(
          `SELECT p.pid FROM pg_stat_progress_create_index p JOIN pg_locks l ON l.pid = p.pid AND l.locktype = 'virtualxid' AND NOT l.granted
            WHERE p.relid IN (SELECT oid FROM pg_class WHERE relnamespace = $1::regnamespace)`,
          [workspace.schema],
        );
        return found?.pid;
      }),
    end: async () => {
      await (ended ??= client.query('ROLLBACK'));
    },
  };
}
