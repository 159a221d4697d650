/** The pool that a hook gets, and how its clients are closed when the hook ends. */
import type pg from 'pg';

import type { MigratorError } from '../../../core/errors.ts';
import { HookConnector, type ConnectingOptions } from './hook-connector.ts';
import type { HookPool } from './hook-context.ts';

export interface HookConnections {
  readonly pool: HookPool;
  /**
   * Waits for the queries that the hook has sent, then closes; a hook need not release its clients.
   * @throws Error if the hook left queries without a client, or an open transaction, which would be lost.
   */
  readonly close: () => Promise<void>;
  /** Closes at once, even if queries are running. */
  readonly destroy: () => void;
  /** The connection failure behind `error`, if there is one: then the hook is not to blame. */
  readonly failureOf: (error: unknown) => MigratorError | undefined;
}

export function hookConnections(pool: pg.Pool, options: ConnectingOptions): HookConnections {
  pool.on('error', () => undefined);
  const connector = new HookConnector(pool, options);
  const { out } = connector;
  const end = async (): Promise<void> => {
    // The hook may have ended it itself.
    if (!pool.ending) await pool.end();
  };
  return {
    pool,
    close: async () => {
      // pool.end() would drop queries that have no client yet.
      if (connector.waiting > 0) throw new Error('it ended before its queries: await each of them');
      const ended = end();
      const open = await Promise.all([...out].map(async (client) => await leavesTransaction(client, out)));
      await ended;
      if (open.includes(true)) throw new Error('it left a transaction open: COMMIT it, and release the client');
    },
    destroy: () => {
      connector.stop();
      end().catch(() => undefined);
      for (const client of out) client.release(true);
    },
    failureOf: (error) => connector.failureOf(error),
  };
}

/** Releases the client after its queries. Returns whether a transaction was open. */
async function leavesTransaction(client: pg.PoolClient, out: ReadonlySet<pg.PoolClient>): Promise<boolean> {
  await client.query('SELECT 1').catch(() => undefined);
  // Already released, by a query that was not awaited.
  if (!out.has(client)) return false;
  const status = client.getTransactionStatus();
  client.release(true);
  return status !== 'I';
}
