/** A database of one's own on the shared server, for tests of keys and settings that belong to a whole database. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';

import { testServer } from './server.ts';

/** In a `describe`: a database for its tests; gives its address. */
export function useDatabase(): () => string {
  const name = `lockstep_test_${randomBytes(6).toString('hex')}`;
  let server = '';

  before('make a database', async function () {
    server = (await testServer(this)).url;
    await administer(server, `CREATE DATABASE ${name}`);
  });
  after('drop the database', () => administer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));

  return () => {
    const url = new URL(server);
    url.pathname = `/${name}`;
    return url.href;
  };
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
