/** Outside sessions that hold a lock key, or block inside PostgreSQL on it, as runners of other tools do. */
import pg from 'pg';

import { eventually, within } from './bounded.ts';

export interface KeyHolder {
  readonly pid: number;
  /** Releases the key and ends the session. A second call does nothing. */
  release(): Promise<void>;
}

/** Acquires the advisory key at once. @throws Error when another session holds it. */
export async function holdKey(
  url: string,
  key: string,
  applicationName = 'outside holder',
  mode: 'exclusive' | 'shared' = 'exclusive',
): Promise<KeyHolder> {
  const { client, pid } = await connect(url, applicationName);
  const take = mode === 'shared' ? 'pg_try_advisory_lock_shared' : 'pg_try_advisory_lock';
  const { rows } = await client.query<{ held: boolean }>(`SELECT ${take}($1::bigint) AS held`, [key]);
  let ended: Promise<void> | undefined;
  const release = (): Promise<void> => (ended ??= client.end());
  if (rows[0]?.held === true) return { pid, release };
  await release();
  throw new Error(`the key ${key} is not free`);
}

export interface BlockedWaiter {
  readonly pid: number;
  /** The result of its `SELECT pg_advisory_lock(key)`: `acquired` (and released at once), or the SQLSTATE. */
  readonly ended: Promise<string>;
  close(): Promise<void>;
}

/** Sends `SELECT pg_advisory_lock(key)`, like golang-migrate and others, and resolves once the server blocks it. */
export async function blockOnKey(url: string, key: string, applicationName = 'older runner'): Promise<BlockedWaiter> {
  const { client, pid } = await connect(url, applicationName);
  const ended = client.query('SELECT pg_advisory_lock($1::bigint)', [key]).then(
    async () => {
      await client.query('SELECT pg_advisory_unlock($1::bigint)', [key]);
      return 'acquired';
    },
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  );
  const { client: observer } = await connect(url, 'observer');
  await eventually(`session ${pid} to block on the key`, async () => {
    const { rowCount } = await observer.query(
      `SELECT FROM pg_locks WHERE pid = $1 AND locktype = 'advisory' AND NOT granted`,
      [pid],
    );
    return rowCount === 1;
  }).finally(() => observer.end());
  return { pid, ended: within(ended, `session ${pid} to get the key or be cancelled`), close: () => client.end() };
}

async function connect(url: string, applicationName: string): Promise<{ client: pg.Client; pid: number }> {
  const client = new pg.Client({ connectionString: url, application_name: applicationName });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return { client, pid: rows[0]!.pid };
}
