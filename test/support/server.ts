/** The PostgreSQL server of the tests: the one at DATABASE_URL, else an embedded one per mocha process. */
import pg from 'pg';

import { startPostgres, type Postgres, type PostgresOptions } from '../../scripts/postgres/server.ts';
import { atEnd } from './cleanup.ts';

export interface TestServer {
  /** Without test-specific server settings; each test works in its own schema, see workspace.ts. */
  readonly url: string;
  /** Undefined for an external server, which tests never stop, restart or change outside their own schemas. */
  readonly postgres: Postgres | undefined;
}

class ServerUnreachable extends Error {}

let shared: Promise<TestServer> | undefined;

/**
 * The server that all tests of this process share, started on first use. When DATABASE_URL
 * names one that cannot be reached, that is printed once and the tests are skipped (those that pass
 * their mocha context), or failed with LOCKSTEP_NO_SKIP, as in CI.
 */
export async function testServer(context?: Mocha.Context): Promise<TestServer> {
  shared ??= start();
  try {
    return await shared;
  } catch (error) {
    const mayBeSkipped = error instanceof ServerUnreachable && (process.env['LOCKSTEP_NO_SKIP'] ?? '') === '';
    if (mayBeSkipped) context?.skip();
    throw error;
  }
}

/** A separate server that the test may fill, restart or break; always embedded. Stopped at the end at the latest. */
export async function ownServer(options: PostgresOptions = {}): Promise<Postgres> {
  const postgres = await startPostgres(options);
  atEnd(() => postgres.stop());
  return postgres;
}

async function start(): Promise<TestServer> {
  const url = process.env['DATABASE_URL'] ?? '';
  if (url === '') {
    const postgres = await startPostgres();
    // A worker of mocha --parallel runs many files on one server, which ends with the worker: see
    // scripts/postgres/folder.ts.
    if (process.env['MOCHA_WORKER_ID'] === undefined) atEnd(() => postgres.stop());
    return { url: postgres.url, postgres };
  }
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
  } catch (cause) {
    const reason = cause instanceof AggregateError ? String(cause.errors[0]) : String(cause);
    const message =
      `The PostgreSQL at DATABASE_URL (${withoutPassword(url)}) cannot be reached: ${reason}.` +
      ' The tests that need one do not run. Without DATABASE_URL they start a server of their own.';
    console.warn(message);
    throw new ServerUnreachable(message, { cause });
  } finally {
    await client.end().catch(() => undefined);
  }
  return { url, postgres: undefined };
}

/** The server's name in messages. */
export function withoutPassword(url: string): string {
  return url.replace(/(:\/\/[^:@/]*):[^@/]*@/, '$1@');
}
