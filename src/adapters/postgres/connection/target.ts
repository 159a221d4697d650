/** The server that was reached, as plain data: a hook's thread opens its pool to it, and cancel requests go there. */
import { once } from 'node:events';
import type pg from 'pg';

import { DirectClient, directConfig, type Credentials } from './driver.ts';
import { openSocket, type SocketTarget } from './socket.ts';
import { tlsOptions } from './tls.ts';

/** Structured-cloneable. It contains the password. */
export interface ResolvedTarget extends SocketTarget, Credentials {
  /** 0 waits without limit. */
  readonly connectTimeoutMs: number;
}

/**
 * The configuration of a pool to the same address with the same encryption. The caller sets server settings and role in
 * `onConnect`.
 */
export function poolConfig(target: ResolvedTarget, { max }: { readonly max: number }): pg.PoolConfig {
  const { address, port, tls, keepAlive, connectTimeoutMs } = target;
  return {
    ...directConfig(target, tls !== false),
    ...(tls === false ? {} : { ssl: tlsOptions(tls), sslnegotiation: tls.negotiation }),
    host: address,
    port,
    max,
    keepAlive: keepAlive !== undefined,
    keepAliveInitialDelayMillis: keepAlive?.idleMs,
    connectionTimeoutMillis: connectTimeoutMs,
    Client: DirectClient,
  };
}

/**
 * Asks the server to cancel what the backend is doing (PostgreSQL manual, "Canceling Requests in Progress").
 * Resolves when the server has taken the request; whether something was cancelled shows in the session itself.
 * @throws MigratorError DATABASE_UNAVAILABLE or ACCESS_REFUSED, or the signal's reason.
 */
export async function cancelRequest(
  target: SocketTarget,
  processId: number,
  secretKey: number,
  signal: AbortSignal,
): Promise<void> {
  const request = Buffer.alloc(16);
  for (const [index, word] of [16, 80877102, processId, secretKey].entries()) request.writeInt32BE(word, index * 4);
  const socket = await openSocket(target, signal);
  try {
    const closed = once(socket, 'close', { signal });
    socket.resume();
    // Keep this side open until the server closes: a pooler drops the request if its sender disconnects.
    socket.write(request);
    // The server answers by closing the connection.
    await closed;
  } finally {
    socket.destroy();
  }
}
