/** Logs in over an open socket, and maps a refusal to an error. */
import type { Socket } from 'node:net';

import { MigratorError, type ErrorCode, type ServerError } from '../../../core/errors.ts';
import { describePlace, type TargetSession } from '../address/connection-settings.ts';
import { connectedStream, DirectClient, directConfig } from './driver.ts';
import { codeForSqlstate, isPasswordRefused, serverErrorOf } from '../wire/sqlstate.ts';
import type { ResolvedTarget } from './target.ts';

/**
 * A client that is logged in. An abort destroys the socket.
 * @throws MigratorError ACCESS_REFUSED, CONFIG_INVALID, or DATABASE_UNAVAILABLE when trying again may help.
 */
export async function startUp(
  socket: Socket,
  target: ResolvedTarget,
  wanted: TargetSession,
  signal: AbortSignal,
): Promise<DirectClient> {
  const { address: host, port, tls } = target;
  const client = new DirectClient({
    ...directConfig(target, tls !== false),
    host,
    port,
    stream: connectedStream(socket),
    pipeline: true,
  });
  // The server may end the session right after the login; the first message then fails.
  client.on('error', () => undefined);
  const parameters = new Map<string, string>();
  client.connection.on('parameterStatus', (status: { parameterName: string; parameterValue: string }) =>
    parameters.set(status.parameterName, status.parameterValue),
  );
  let isAsked = false;
  for (const kind of ['CleartextPassword', 'MD5Password', 'SASL'])
    client.connection.on(`authentication${kind}`, () => (isAsked = true));
  const abort = (): void => void socket.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    await client.connect();
    requireSession(wanted, parameters, target);
    return client;
  } catch (error) {
    socket.destroy();
    throw startUpError(error, target, isAsked);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Checks the parameters that the server reports since version 14; if a pooler drops them, the session is accepted. */
function requireSession(wanted: TargetSession, parameters: ReadonlyMap<string, string>, target: ResolvedTarget): void {
  const isStandby = parameters.get('in_hot_standby') === 'on';
  const isReadOnly = parameters.get('default_transaction_read_only') === 'on';
  if (wanted === 'any' || (!isStandby && !(isReadOnly && wanted === 'read-write'))) return;
  throw new MigratorError(
    'DATABASE_UNAVAILABLE',
    `${describePlace(target)} is ${isStandby ? 'a standby' : 'read-only'}`,
    {
      hint: `the address asks for target_session_attrs=${wanted}`,
    },
  );
}

function startUpError(error: unknown, target: ResolvedTarget, isAsked: boolean): MigratorError {
  if (error instanceof MigratorError) return error;
  const place = describePlace(target);
  const server = serverErrorOf(error);
  if (server !== undefined) {
    const refused = refusal(server, place, error);
    const { passwordSource: source } = target;
    if (!isAsked || source === undefined || !isPasswordRefused(server, error)) return refused;
    return refused.with({
      awaitsSecret: true,
      hint: `the server refuses the password in ${source}: check that it is the newest one and that the server already knows it`,
    });
  }
  const { code = '', message } = error as NodeJS.ErrnoException;
  // The driver's SASL errors have no code. With TLS 1.3, a refused client certificate shows only now.
  const isRefused = message.startsWith('SASL') || code.startsWith('ERR_SSL_');
  return new MigratorError(
    isRefused ? 'ACCESS_REFUSED' : 'DATABASE_UNAVAILABLE',
    `cannot log in to ${place}: ${message}`,
    {
      cause: error,
    },
  );
}

function refusal(server: ServerError, place: string, cause: unknown): MigratorError {
  // PgBouncer uses one SQLSTATE for nearly everything: only the text tells this refusal from a temporary one.
  const isAboutParameter = server.sqlstate === '08P01' && server.message.includes('startup parameter');
  const code = isAboutParameter ? 'CONFIG_INVALID' : codeAtStart(server.sqlstate);
  return new MigratorError(code, `cannot log in to ${place}: ${server.message}`, {
    server,
    cause,
    hint: isAboutParameter ? 'there is a connection pooler in between: connect to the server directly' : undefined,
  });
}

function codeAtStart(sqlstate: string): ErrorCode {
  return codeForSqlstate(sqlstate, 'before-steps') === 'ACCESS_REFUSED' ? 'ACCESS_REFUSED' : 'DATABASE_UNAVAILABLE';
}
