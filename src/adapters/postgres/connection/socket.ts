/**
 * Opens a socket to a server, with TLS if requested; the driver gets the finished socket, so that libpq's rules apply.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

import { MigratorError } from '../../../core/errors.ts';
import { describePlace, type KeepAlive } from '../address/connection-settings.ts';
import { nodeTls } from './node-tls.ts';
import { tlsOptions, type Tls } from './tls.ts';

/** Plain data, so that it can go to a worker thread. */
export interface SocketTarget {
  /** As the user wrote it. */
  readonly host: string;
  /** The IP address, or the folder of a unix socket. */
  readonly address: string;
  readonly port: number;
  readonly tls: Tls | false;
  readonly keepAlive: KeepAlive | undefined;
}

/** `if-offered`: no TLS if the server has none. */
export type TlsNeed = 'required' | 'if-offered';

/** PostgreSQL manual, "Message Formats": SSLRequest. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/**
 * Makes one attempt, to one address.
 * @throws MigratorError DATABASE_UNAVAILABLE if the network or the server is not available, ACCESS_REFUSED if TLS is
 * not possible as requested, CONFIG_INVALID for unusable certificate files; or the signal's reason, unchanged.
 */
export async function openSocket(
  target: SocketTarget,
  signal: AbortSignal,
  need: TlsNeed = 'required',
): Promise<Socket> {
  signal.throwIfAborted();
  const socket = dial(target);
  try {
    await next(socket, 'connect', signal);
    if (target.tls === false) return socket;
    if (target.tls.negotiation === 'postgres' && !(await agreesToTls(socket, signal))) {
      if (need === 'if-offered') return socket;
      throw new MigratorError('ACCESS_REFUSED', `${describePlace(target)} offers no TLS`, {
        hint: 'enable TLS on the server, or choose another sslmode',
      });
    }
    return await encrypt(socket, target.tls, { place: describePlace(target), signal, need });
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    if (error instanceof MigratorError) throw error;
    throw new MigratorError(
      'DATABASE_UNAVAILABLE',
      `cannot reach ${describePlace(target)}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function dial({ address, port, keepAlive }: SocketTarget): Socket {
  const isFolder = address.startsWith('/');
  const socket = isFolder
    ? connect({ path: `${address}/.s.PGSQL.${port}` })
    : connect({ host: address, port, noDelay: true });
  // Handles a failure between two waits; the next wait reports it.
  socket.on('error', () => undefined);
  if (keepAlive !== undefined && !isFolder) {
    const { idleMs, intervalMs, count } = keepAlive;
    socket.setKeepAlive(true, idleMs, intervalMs === 0 ? undefined : intervalMs, count === 0 ? undefined : count);
  }
  return socket;
}

/** Waits for the next `event`; rejects if the socket fails or closes first, or if the signal aborts. */
async function next(
  socket: Socket,
  event: 'connect' | 'readable' | 'secureConnect',
  signal: AbortSignal,
): Promise<void> {
  const closed = new AbortController();
  const close = (): void => closed.abort();
  socket.once('close', close);
  if (socket.closed) close();
  try {
    await once(socket, event, { signal: AbortSignal.any([signal, closed.signal]) });
  } catch (error) {
    throw closed.signal.aborted ? serverClosed() : error;
  } finally {
    socket.off('close', close);
  }
}

function serverClosed(): Error {
  return Object.assign(new Error('the server closed the connection'), { code: 'ECONNRESET' });
}

async function agreesToTls(socket: Socket, signal: AbortSignal): Promise<boolean> {
  socket.write(SSL_REQUEST);
  await next(socket, 'readable', signal);
  const answer = String(socket.read() ?? '');
  if (answer === '') throw serverClosed();
  if (answer === 'S') return true;
  if (answer === 'N') return false;
  // Its text is not shown: the server is not authenticated yet (CVE-2024-10977).
  if (answer.startsWith('E')) throw new Error('the server answered the request for TLS with an error');
  // More than one byte may be an attempt to inject unencrypted data (CVE-2021-23222).
  throw new MigratorError('ACCESS_REFUSED', 'received unencrypted data instead of an answer to the TLS request', {
    hint: 'this is not a PostgreSQL server, or somebody is tampering with the connection',
  });
}

interface Handshake {
  readonly place: string;
  readonly signal: AbortSignal;
  readonly need: TlsNeed;
}

async function encrypt(socket: Socket, tls: Tls, { place, signal, need }: Handshake): Promise<TLSSocket> {
  const secure = startTls(socket, tls);
  secure.on('error', () => undefined);
  const isDirect = tls.negotiation === 'direct';
  try {
    await next(secure, 'secureConnect', signal);
    if (isDirect && secure.alpnProtocol !== 'postgresql')
      throw new Error('the server does not speak PostgreSQL over TLS');
    return secure;
  } catch (cause) {
    secure.destroy();
    const { code = '', message } = cause as NodeJS.ErrnoException;
    // If an attempt without TLS follows, that one shows whether the network works.
    const isLost = NETWORK_ERRORS.has(code) && need === 'required';
    throw new MigratorError(
      isLost ? 'DATABASE_UNAVAILABLE' : 'ACCESS_REFUSED',
      `no TLS with ${place}: ${withoutAdvice(message)}`,
      {
        cause,
        hint: CERTIFICATE_HINTS[code] ?? (isDirect ? 'sslnegotiation=direct needs PostgreSQL 17 or newer' : undefined),
      },
    );
  }
}

/** Node adds how its own command would be told of a root certificate. */
function withoutAdvice(message: string): string {
  return message.replace(/; if the root CA is installed locally, .*$/s, '');
}

function startTls(socket: Socket, tls: Tls): TLSSocket {
  try {
    return nodeTls().connect({ ...tlsOptions(tls), socket });
  } catch (cause) {
    const problem = `the files named by sslcert, sslkey, sslrootcert or sslcrl can't be used: ${(cause as Error).message}`;
    throw new MigratorError('CONFIG_INVALID', problem, { cause });
  }
}

const NETWORK_ERRORS = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED', 'EHOSTUNREACH', 'ENETUNREACH']);

const WRONG_CA = "sslrootcert must contain the CA that signed the server's certificate";

const CERTIFICATE_HINTS: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID:
    'connect by a name that is in the certificate, or use sslmode=verify-ca, which does not check the name',
  CERT_HAS_EXPIRED: "renew the server's certificate",
  DEPTH_ZERO_SELF_SIGNED_CERT: WRONG_CA,
  SELF_SIGNED_CERT_IN_CHAIN: WRONG_CA,
  UNABLE_TO_GET_ISSUER_CERT: WRONG_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: WRONG_CA,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: WRONG_CA,
};
