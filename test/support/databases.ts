/** Separate databases on a server: for lock keys and settings of a whole database, or to isolate parallel trials. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';

import { testServer } from './server.ts';

/** In a `describe`: creates a database for its tests, and returns a function for its address. */
export function useDatabase(): () => string {
  const name = `lockstep_test_${randomBytes(6).toString('hex')}`;
  let server = '';

  before('make a database', async function () {
    server = (await testServer(this)).url;
    await administer(server, `CREATE DATABASE ${name}`);
  });
  after('drop the database', () => administer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));

  return () => addressOf(server, name);
}

/** A database that exists only while `body` runs. */
export async function inDatabase<T>(
  serverUrl: string,
  name: string,
  body: (databaseUrl: string) => Promise<T>,
): Promise<T> {
  await administer(serverUrl, `CREATE DATABASE ${name}`);
  try {
    return await body(addressOf(serverUrl, name));
  } finally {
    await administer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
  }
}

function addressOf(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

async function administer(url: string, sql: string): Promise<void> {
  if (url === '') return;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
