/** Opens sessions from an address in the same way as the product, and returns the result. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect } from 'chai';
import type pg from 'pg';

import { parseAddress } from '../../src/adapters/postgres/address/address.ts';
import { openClient, type Opened } from '../../src/adapters/postgres/connection/connect.ts';
import type { ConnectionSettings } from '../../src/adapters/postgres/address/connection-settings.ts';
import { MigratorError } from '../../src/core/errors.ts';
import { PASSWORD } from './tls-server.ts';

export interface OpenOptions {
  readonly env?: Record<string, string>;
  readonly home?: string;
  readonly signal?: AbortSignal;
  readonly settings?: Partial<ConnectionSettings>;
}

export async function open(
  databaseUrl: string,
  { env = {}, home, signal, settings }: OpenOptions = {},
): Promise<Opened> {
  const parsed = parseAddress({ databaseUrl, env, home });
  expect(parsed.problems).to.deep.equal([]);
  const limit = signal ?? AbortSignal.timeout(20_000);
  return await openClient({ ...parsed.settings!, ...settings }, { applicationName: 'lockstep test', signal: limit });
}

/** The error of a failed attempt to open a session; it never contains the password. */
export async function failure(databaseUrl: string, options?: OpenOptions): Promise<MigratorError> {
  const error = await open(databaseUrl, options).then(
    async ({ client }) => {
      await client.end();
      throw new Error('it connected');
    },
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof MigratorError)) throw error;
  expect(JSON.stringify([error.summary, error.hint, error.details])).to.not.include(PASSWORD);
  return error;
}

/** Whether the session is encrypted, according to the server. */
export async function isEncrypted(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ ssl: boolean }>('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
  return rows[0]!.ssl;
}

/** Opens, asks whether it is encrypted, closes. */
export async function encryption(databaseUrl: string, options?: OpenOptions): Promise<boolean> {
  const { client, target } = await open(databaseUrl, options);
  try {
    const answer = await isEncrypted(client);
    expect(target.tls !== false).to.equal(answer);
    return answer;
  } finally {
    await client.end();
  }
}

/** A closed port of 127.0.0.1. */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
