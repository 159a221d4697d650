/** A database that was dumped and restored has the same catalog, although the text of some expressions is another. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import pg from 'pg';

import { compareCatalogs } from '../../src/engine/drift/compare-catalogs.ts';
import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';
import { execute, readCatalogOf } from '../support/catalogs.ts';
import { useDatabase } from '../support/databases.ts';

const SCHEMA = `
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN app.email AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE app.customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state varchar(10) DEFAULT 'new' CHECK (state IN ('new', 'old')), name text, upper_name text GENERATED ALWAYS AS (upper(name)) STORED);
CREATE TABLE app.orders (id serial PRIMARY KEY, customer bigint REFERENCES app.customers, total numeric(10, 2), note varchar UNIQUE);
CREATE INDEX orders_note ON app.orders (lower(note)) WHERE note IN ('a', 'b');
CREATE VIEW app.big AS SELECT id, total FROM app.orders WHERE note IN ('x', 'y');
CREATE MATERIALIZED VIEW app.sums AS SELECT sum(total) AS total FROM app.orders;
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON app.orders FOR EACH ROW WHEN (OLD.note IN ('a', 'b')) EXECUTE FUNCTION app.touch();
ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.orders USING (note IN ('a', 'b'));
CREATE TABLE app.events (at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE app.events_2026 PARTITION OF app.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE STATISTICS app.together ON customer, total FROM app.orders;
CREATE EXTENSION pgcrypto;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC;
COMMENT ON COLUMN app.orders.total IS 'in euros';
REVOKE EXECUTE ON FUNCTION app.touch() FROM PUBLIC;
`;

describe('the catalog of a copy', () => {
  const database = useDatabase();

  it('made by pg_dump and psql equals the original', async function () {
    const { major, dump } = { major: await majorOf(database()), dump: clientMajor() };
    // pg_dump reads no server that is newer than itself.
    if (dump === undefined || dump < major) this.skip();
    await execute(database(), SCHEMA);
    const name = `lockstep_test_${randomBytes(6).toString('hex')}`;
    const [copy, server] = [new URL(database()), new URL(database())];
    copy.pathname = `/${name}`;
    server.pathname = '/postgres';
    await execute(server.href, `CREATE DATABASE ${name} TEMPLATE template0`);
    try {
      const { stdout } = spawnSync('pg_dump', [database()], { encoding: 'utf8' });
      const restored = spawnSync('psql', ['-qX', '-v', 'ON_ERROR_STOP=1', copy.href], {
        input: stdout,
        encoding: 'utf8',
      });
      expect(restored.status, restored.stderr).to.equal(0);
      const [one, other] = [await readCatalogOf(database()), await readCatalogOf(copy.href)];
      expect(await compareCatalogs(one, other, createSqlParser())).to.deep.equal([]);
    } finally {
      await execute(server.href, `DROP DATABASE ${name} WITH (FORCE)`);
    }
  });
});

async function majorOf(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
    return Math.floor(Number(rows[0]?.server_version_num) / 10_000);
  } finally {
    await client.end();
  }
}

/** Undefined where the client programs are not installed. */
function clientMajor(): number | undefined {
  const { stdout } = spawnSync('pg_dump', ['--version'], { encoding: 'utf8' });
  const found = /(\d+)\./.exec(stdout)?.[1];
  return found === undefined ? undefined : Number(found);
}
