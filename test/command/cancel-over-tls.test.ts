/** A signal cancels the statement that runs, by a request that is encrypted like the session. */
import { expect } from 'chai';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

import { eventually } from '../support/bounded.ts';
import { expectExit, startCli } from '../support/cli.ts';
import { openTcpFront, type TcpFront } from '../support/tcp-front.ts';
import { startTlsServer, type TlsServer } from '../support/tls-server.ts';

/** PostgreSQL manual, "Message Formats": SSLRequest. */
const SSL_REQUEST = 80877103;

describe('a signal over TLS', () => {
  let server: TlsServer;
  let front: TcpFront;
  let admin: pg.Client;
  let dir: string;
  /** The code of the first message of each connection. */
  const opened: number[] = [];

  before(async function () {
    this.timeout(60_000);
    server = await startTlsServer();
    dir = await mkdtemp(join(tmpdir(), 'lockstep-cancel-'));
    await writeFile(join(dir, '001_sleep.up.sql'), 'CREATE TABLE made (); SELECT pg_sleep(600);');
    admin = new pg.Client(server.postgres.url);
    await admin.connect();
    await admin.query('GRANT CREATE ON SCHEMA public TO only_tls');
    front = await openTcpFront(
      server.url('only_tls', `sslmode=verify-full&sslrootcert=${server.files.ca}`),
      (client, reach) => {
        const upstream = reach();
        client.once('data', (chunk) => opened.push(chunk.readUInt32BE(4)));
        for (const [from, to] of [
          [client, upstream],
          [upstream, client],
        ] as const)
          from.pipe(to).on('error', () => from.destroy());
      },
    );
  });

  after(async () => {
    await front.close();
    await admin.end();
    await server.stop();
    await rm(dir, { recursive: true });
  });

  const running = async (): Promise<number> => {
    const { rowCount } = await admin.query(`SELECT FROM pg_stat_activity WHERE usename = 'only_tls'`);
    return rowCount ?? 0;
  };

  it('cancels the statement, and leaves nothing behind', async () => {
    const run = startCli(['up', '--dir', dir], { env: { DATABASE_URL: front.url } });
    await eventually('the statement to run', async () => {
      const { rowCount } = await admin.query(
        `SELECT FROM pg_stat_activity WHERE usename = 'only_tls' AND wait_event = 'PgSleep'`,
      );
      return rowCount === 1;
    });
    const before = opened.length;
    run.kill('SIGTERM');
    expectExit(await run.exited, 143);
    // One more connection, for the request.
    expect(opened.slice(before)).to.deep.equal([SSL_REQUEST]);
    await eventually('the session to end', async () => (await running()) === 0);
    expect((await admin.query(`SELECT to_regclass('made') AS made`)).rows).to.deep.equal([{ made: null }]);
  });
});
