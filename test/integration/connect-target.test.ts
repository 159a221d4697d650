import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';

import { cancelRequest, poolConfig, type ResolvedTarget } from '../../src/adapters/postgres/connection/target.ts';
import { failure, isEncrypted, open } from '../support/opening.ts';
import { PASSWORD, SERVER_NAME, startTlsServer, type TlsServer } from '../support/tls-server.ts';

describe('an open session', () => {
  let server: TlsServer;
  let at: TlsServer['url'];

  before(async () => {
    server = await startTlsServer();
    at = server.url;
  });
  after(() => server.stop());

  const ca = (): string => `sslrootcert=${server.files.ca}`;
  const named = (name: string): string => `host=${name}&hostaddr=127.0.0.1`;

  describe('with PG… variables in the environment of the process', () => {
    const variables = {
      PGOPTIONS: '-c statement_timeout=7s',
      PGAPPNAME: 'from the environment',
      PGPASSWORD: 'wrong',
      PGSSLMODE: 'disable',
      PGSSLNEGOTIATION: 'direct',
      PGHOST: 'nowhere.invalid',
      PGPORT: '1',
      PGDATABASE: 'nowhere',
      PGUSER: 'nobody',
      PGCLIENT_ENCODING: 'LATIN1',
      PGREPLICATION: 'database',
    };
    const saved = new Map([...Object.keys(variables), 'HOME'].map((name) => [name, process.env[name]]));
    before(() => {
      Object.assign(process.env, variables);
    });
    after(() => {
      for (const [name, value] of saved) {
        if (value === undefined) Reflect.deleteProperty(process.env, name);
        else process.env[name] = value;
      }
    });

    const SHOW = `SELECT current_setting('statement_timeout') AS timeout, current_setting('application_name') AS name, current_setting('search_path') AS path`;
    const expected = { timeout: '0', name: 'lockstep test', path: '"$user", public' };

    it('sends none of them, and no setting of the connection URL either', async () => {
      const { client } = await open(at('readonly', 'search_path=app&statement_timeout=9s'));
      try {
        expect((await client.query(SHOW)).rows[0]).to.deep.equal(expected);
        expect(await isEncrypted(client)).to.equal(true);
      } finally {
        await client.end();
      }
    });

    it('sends none of them from a pool that another thread creates', async () => {
      const { client, target } = await open(
        at('readonly', `search_path=app&sslmode=verify-full&${ca()}&${named(SERVER_NAME)}`),
      );
      await client.end();
      const pool = poolTo(structuredClone(target), 2);
      try {
        expect((await pool.query(SHOW)).rows[0]).to.deep.equal(expected);
        const one = await pool.connect();
        expect(await isEncrypted(one)).to.equal(true);
        one.release();
      } finally {
        await pool.end();
      }
    });

    it('does not read ~/.pgpass', async () => {
      const home = await mkdtemp(join(server.folder, 'home-'));
      await writeFile(join(home, '.pgpass'), `*:*:*:*:${PASSWORD}`, { mode: 0o600 });
      process.env['HOME'] = home;
      expect((await failure(`postgres://readonly@127.0.0.1:${server.postgres.port}/postgres`)).summary).to.include(
        'none is set',
      );
    });
  });

  it('creates a pool that verifies the server as the session did', async () => {
    const { client, target } = await open(at('trusted', `sslmode=verify-full&${ca()}`));
    await client.end();
    const moved = { ...target, tls: target.tls && { ...target.tls, host: 'other.test' } };
    const pool = poolTo(moved, 1);
    const error = await pool.query('SELECT 1').catch((thrown: unknown) => thrown);
    await pool.end();
    expect(error).to.have.property('code', 'ERR_TLS_CERT_ALTNAME_INVALID');
  });

  for (const mode of ['disable', 'verify-full']) {
    it(`cancels a statement with sslmode=${mode}`, async () => {
      const { client, target } = await open(at('trusted', `sslmode=${mode}&${ca()}`));
      try {
        const started = once(client, 'notice');
        const sleep = client
          .query(`DO $$ BEGIN RAISE NOTICE 'started'; PERFORM pg_sleep(60); END $$`)
          .catch((error: unknown) => error);
        await started;
        await cancelRequest(structuredClone(target), client.processID, client.secretKey, AbortSignal.timeout(5_000));
        expect(await sleep).to.have.property('code', '57014');
      } finally {
        await client.end();
      }
    });
  }
});

function poolTo(target: ResolvedTarget, max: number): pg.Pool {
  const pool = new pg.Pool(poolConfig(target, { max }));
  // pool.end() does not wait until the server has closed its connections: the server may stop first.
  pool.on('error', () => undefined);
  return pool;
}
