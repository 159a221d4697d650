/** The pool that a hook is given, and what becomes of its clients when the hook is done. */
import type pg from 'pg';

import type { MigratorError } from '../../../core/errors.ts';
import { HookConnector, type ConnectingOptions } from './hook-connector.ts';
import type { HookPool } from './hook-context.ts';

export interface HookConnections {
  readonly pool: HookPool;
  /**
   * Waits for what the hook has sent, then closes; a hook need not give its clients back.
   * @throws Error when it left queries behind, or a transaction, of which nothing would stay.
   */
  readonly close: () => Promise<void>;
  /** Closes at once, whatever still runs. */
  readonly destroy: () => void;
  /** What a connection failed with, if `error` comes of that: it is not the hook that has to be corrected then. */
  readonly failureOf: (error: unknown) => MigratorError | undefined;
}

export function hookConnections(pool: pg.Pool, options: ConnectingOptions): HookConnections {
  const out = new Set<pg.PoolClient>();
  pool.on('acquire', (client) => out.add(client));
  pool.on('release', (_error, client) => out.delete(client));
  pool.on('error', () => undefined);
  const connector = new HookConnector(pool, options);
  const end = async (): Promise<void> => {
    // The hook may have done it itself.
    if (!pool.ending) await pool.end();
  };
  return {
    pool,
    close: async () => {
      // The pool would forget those that have no client yet.
      if (connector.waiting > 0) throw new Error('it ended before its queries: await each of them');
      const ended = end();
      const open = await Promise.all([...out].map(async (client) => await leavesTransaction(client, out)));
      await ended;
      if (open.includes(true)) throw new Error('it left a transaction open: COMMIT it, and give the client back');
    },
    destroy: () => {
      connector.stop();
      end().catch(() => undefined);
      for (const client of out) client.release(true);
    },
    failureOf: (error) => connector.failureOf(error),
  };
}

/** Takes the client back, after everything that was sent over it. */
async function leavesTransaction(client: pg.PoolClient, out: ReadonlySet<pg.PoolClient>): Promise<boolean> {
  await client.query('SELECT 1').catch(() => undefined);
  // Given back meanwhile, by a query that nobody awaited.
  if (!out.has(client)) return false;
  const status = client.getTransactionStatus();
  client.release(true);
  return status !== 'I';
}
