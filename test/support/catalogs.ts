/** Catalogs of databases on the tests' server, read as the product reads them. */
import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';

import { DedicatedConnections } from '../../src/adapters/postgres/connection/dedicated.ts';
import { PostgresDatabase } from '../../src/adapters/postgres/database.ts';
import type { Catalog } from '../../src/core/catalog/catalog.ts';
import type { Session } from '../../src/core/ports.ts';
import { Recorder } from './recorder.ts';

export async function readCatalogOf(url: string): Promise<Catalog> {
  return await withSession(url, (session) => session.readCatalog());
}

/** The same for one session that reads several times, as `prove` does. */
export async function withCatalogs<T>(url: string, body: (read: () => Promise<Catalog>) => Promise<T>): Promise<T> {
  return await withSession(url, (session) => body(() => session.readCatalogAgain()));
}

async function withSession<T>(url: string, body: (session: Session) => Promise<T>): Promise<T> {
  const { connect } = new DedicatedConnections({ databaseUrl: url, env: {} }, undefined);
  const database = new PostgresDatabase({
    connect,
    allowPooler: false,
    table: { name: 'schema_migrations' },
    lockKey: undefined,
    role: undefined,
    reporter: new Recorder(),
  });
  const session = await database.open(
    { run: randomUUID(), command: 'status', productVersion: '0', name: 'catalogs' },
    new AbortController().signal,
  );
  try {
    return await body(session);
  } finally {
    await session.close();
  }
}

/** Runs `sql` in the database at `url`, as one message. */
export async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** A copy of a database while `body` runs. */
export async function inCopy<T>(url: string, body: (url: string) => Promise<T>): Promise<T> {
  const template = new URL(url);
  const [copy, server] = [new URL(url), new URL(url)];
  const name = `lockstep_test_${randomBytes(6).toString('hex')}`;
  copy.pathname = `/${name}`;
  server.pathname = '/postgres';
  await execute(server.href, `CREATE DATABASE ${name} TEMPLATE "${template.pathname.slice(1)}"`);
  try {
    return await body(copy.href);
  } finally {
    await execute(server.href, `DROP DATABASE ${name} WITH (FORCE)`);
  }
}
