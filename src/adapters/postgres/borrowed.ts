/** A client that somebody gave us, from a pool or alone; it goes back as it came, or not at all. */
import pg from 'pg';

import { toMigratorError, MigratorError } from '../../core/errors.ts';
import type { Connected } from './connection/connected.ts';
import type { ConnectingOptions } from './hooks/hook-connector.ts';
import { hookConnections, type HookConnections } from './hooks/hook-pool.ts';
import type { ClientLike, PoolLike } from './connection/pool-like.ts';
import { codeForSqlstate, serverErrorOf } from './wire/sqlstate.ts';
import { untilAborted } from '../../core/until-aborted.ts';

/** A client whose session was changed is destroyed: nobody else may get our settings or our lock. */
export async function fromPool(pool: PoolLike, signal: AbortSignal): Promise<Connected> {
  const coming = pool.connect();
  const client = await untilAborted(coming, signal).catch((error: unknown) => {
    if (!signal.aborted) throw poolError(error);
    // A client that comes after all goes back unused.
    coming.then(
      (late) => late.release(),
      () => undefined,
    );
    throw error;
  });
  return {
    client: oneAtATime(client as unknown as pg.Client),
    address: 'the pool',
    serverSettings: {},
    borrowed: true,
    givesBack: false,
    release: ({ untouched }) => {
      client.release(!untouched);
      return Promise.resolve();
    },
    interrupt: () => interrupt(client as unknown as pg.Client),
  };
}

/** The caller goes on with the client: it gets its settings, its role and its channels back. */
export async function fromClient(client: ClientLike): Promise<Connected> {
  const real = client as unknown as pg.Client;
  if ((real as { processID?: number | null }).processID === null) {
    throw new MigratorError('CONFIG_INVALID', 'the given connection is not connected', {
      hint: 'await client.connect() first, or give runMigrations a pool or a connectionString',
    });
  }
  // Older drivers do not say.
  if (!['I', null].includes(statusOf(real))) {
    throw new MigratorError(
      'CONFIG_INVALID',
      'the given connection is inside a transaction, which would hold the lock and the records',
      {
        hint: 'commit or roll back first, or give runMigrations a pool or a connectionString',
      },
    );
  }
  return await Promise.resolve({
    client: oneAtATime(real),
    address: 'the connection',
    serverSettings: {},
    borrowed: true,
    givesBack: true,
    release: async ({ untouched, idle }) => {
      // After a check that found no table: the driver hears of the failed transaction a moment after the error.
      if (!untouched && (!idle || statusOf(real) !== 'I')) await real.query('ROLLBACK').catch(() => undefined);
    },
    interrupt: () => interrupt(real),
  });
}

type Ends = (...args: unknown[]) => void;

/** What of a query the driver calls at its end. */
interface Submitted extends pg.Submittable {
  handleError: Ends;
  handleReadyForQuery: Ends;
}

/**
 * Hands a client its queries one after the other: that the driver keeps a queue for those which come too early is
 * deprecated, and a driver that somebody else has brought may know no pipeline.
 */
function oneAtATime(client: pg.Client): pg.ClientBase {
  const queue: Submitted[] = [];
  const over = new WeakSet<Submitted>();
  let current: Submitted | undefined;
  const next = (): void => {
    current = queue.shift();
    // Given up before its turn.
    if (current && over.has(current)) next();
    else if (current) client.query(current);
  };
  const query = (submitted: Submitted): void => {
    const ends =
      (handle: Ends): Ends =>
      (...args) => {
        handle.apply(submitted, args);
        over.add(submitted);
        if (current === submitted) queueMicrotask(next);
      };
    const { handleError, handleReadyForQuery } = submitted;
    Object.assign(submitted, { handleError: ends(handleError), handleReadyForQuery: ends(handleReadyForQuery) });
    queue.push(submitted);
    if (!current) next();
  };
  return new Proxy(client, {
    get(target, name) {
      if (name === 'query') return query;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

function statusOf(client: Partial<Pick<pg.Client, 'getTransactionStatus'>>): string | null {
  return client.getTransactionStatus?.() ?? null;
}

/** Without the address there is no cancel request: the server notices the closed socket within a second. */
function interrupt(client: pg.Client): Promise<void> {
  client.connection.stream.destroy();
  return Promise.resolve();
}

function poolError(error: unknown): MigratorError {
  if (error instanceof MigratorError) return error;
  const server = serverErrorOf(error);
  const known = server && codeForSqlstate(server.sqlstate, 'before-steps');
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof Error)) return toMigratorError(error);
  return new MigratorError(known ?? 'DATABASE_UNAVAILABLE', `the pool gave no connection: ${message}`, {
    server,
    cause: error,
  });
}

type OpenHookPool = (options: ConnectingOptions) => HookConnections;

/**
 * Opens pools like the given one, for hooks: they must not wait for clients that waiting runners hold.
 * A MigratorError CONFIG_INVALID for a pool that does not tell how it was made.
 */
export function poolsLike(pool: PoolLike): OpenHookPool | MigratorError {
  const { options } = pool as { readonly options?: pg.PoolConfig };
  if (!options) {
    return new MigratorError(
      'CONFIG_INVALID',
      'a hook needs a pool of its own, and the given pool does not tell its options',
      {
        hint: 'give runMigrations a pg.Pool or a connectionString',
      },
    );
  }
  // The password is not enumerable there, so that it shows in no log.
  return (connecting) => hookConnections(new pg.Pool({ ...options, password: options.password, max: 4 }), connecting);
}
