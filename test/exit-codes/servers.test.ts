/**
 * Servers without a free connection, read-only servers, and servers with an expired certificate: the exit code, and
 * what happens once they recover.
 */
import { readFile, writeFile, chown } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';

import type { Postgres } from '../../scripts/postgres/server.ts';
import { issue, makeAuthority, type Certificate } from '../support/certificates.ts';
import { expectExit, runCli, startCli, type CliResult } from '../support/cli.ts';
import { FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { ownServer } from '../support/server.ts';
import { useWorkspace } from '../support/workspace.ts';
import { expectNoStack } from '../support/said.ts';

import { expectNoSecret, withPassword } from './support/canary.ts';

describe('a server without a free connection', () => {
  let server: Postgres;
  before(async () => {
    server = await ownServer({
      settings: { max_connections: '4', superuser_reserved_connections: '0', max_wal_senders: '0' },
    });
  });
  after(() => server.stop());
  const workspace = useWorkspace(() => server.url);

  it('makes a run exit with 30 and the message of the server after --connect-wait; a connection that is freed is used', async () => {
    await workspace().write(FIVE_FILES);
    const taken: pg.Client[] = [];
    for (let full = false; !full; ) {
      const client = new pg.Client(server.url);
      client.on('error', () => undefined);
      full = await client.connect().then(
        () => false,
        () => true,
      );
      if (!full) taken.push(client);
      expect(taken.length).to.be.at.most(4);
    }
    for (const client of taken) workspace().defer(() => client.end());
    const result = await runCli(['up', '--connect-wait', '3s'], workspace());
    expectExit(result, 30);
    expect(result.stderr).to.include('53300');
    expect(result.logs.filter(({ event }) => event === 'database.waiting').length).to.be.greaterThan(1);
    const waiting = startCli(['up'], workspace());
    await waiting.waitForLog('database.waiting');
    await taken[0]!.end();
    expectExit(await waiting.exited, 0);
    expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
  });
});

describe('a read-only server', () => {
  let server: Postgres;
  before(async () => {
    server = await ownServer();
  });
  after(() => server.stop());
  const workspace = useWorkspace(() => server.url);

  const WRITING = [['up'], ['down', '--steps', '1'], ['baseline', '--to', '001_accounts'], ['repair']];
  const READING = [['status'], ['history'], ['lock'], ['up', '--dry-run'], ['down', '--steps', '1', '--dry-run']];

  async function expectReadable(): Promise<void> {
    for (const command of READING) expectExit(await runCli(command, workspace()), 0);
    expectExit(await runCli(['wait', '--timeout', '0'], workspace()), 33);
  }

  async function expectNotWritable(words: string): Promise<void> {
    for (const command of WRITING) {
      const result = await runCli([...command, '--connect-wait', '300ms'], workspace());
      expectExit(result, 30);
      expect(result.stderr).to.include(words);
      expect(result.logs.map(({ event }) => event)).to.include('database.waiting');
    }
  }

  beforeEach(async () => {
    await workspace().write(FIVE_FILES);
    expectExit(await runCli(['up', '--to', '002_orders'], workspace()), 0);
  });

  it('makes writing commands wait and exit with 30 with default_transaction_read_only; reading commands work; a waiting run continues when the setting is reset', async () => {
    await workspace().query('ALTER SYSTEM SET default_transaction_read_only = on');
    await workspace().query('SELECT pg_reload_conf()');
    await expectNotWritable('read-only');
    await expectReadable();
    const waiting = startCli(['up'], workspace());
    await waiting.waitForLog('database.waiting');
    await workspace().query('ALTER SYSTEM RESET default_transaction_read_only');
    await workspace().query('SELECT pg_reload_conf()');
    expectExit(await waiting.exited, 0);
    expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
  });

  it('does the same as a standby; a waiting run continues when it is promoted', async () => {
    // In recovery without a primary: it waits for more to replay, and answers those who read.
    const signal = join(server.dataDir, 'standby.signal');
    await writeFile(signal, '');
    await chown(signal, server.owner.uid, server.owner.gid);
    await server.restart('fast');
    expect(await workspace().query('SELECT pg_is_in_recovery() AS standby')).to.deep.equal([{ standby: true }]);
    await expectNotWritable('standby');
    await expectReadable();
    const waiting = startCli(['up'], workspace());
    const waiter = startCli(['wait'], workspace());
    await waiting.waitForLog('database.waiting');
    await waiter.waitForLog('wait.pending');
    await workspace().query('SELECT pg_promote()');
    expectExit(await waiting.exited, 0);
    expectExit(await waiter.exited, 0);
    expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
  });
});

describe("a server's certificate that has expired", () => {
  let server: Postgres;
  const authority = makeAuthority('test authority');
  let caFile = '';

  before(async () => {
    server = await ownServer();
    const { uid, gid } = server.owner;
    const old = yearsAgo(3, () => issue(authority, 'the server', ['db.test', server.host]));
    for (const [name, text] of [
      ['server.crt', old.pem],
      ['server.key', old.keyPem()],
    ] as const) {
      await writeFile(join(server.dataDir, name), text, { mode: 0o600 });
      await chown(join(server.dataDir, name), uid, gid);
    }
    const settings = join(server.dataDir, 'postgresql.conf');
    await writeFile(settings, `${await readFile(settings, 'utf8')}\nssl = on\n`);
    await server.restart('fast');
  });
  after(() => server.stop());
  const workspace = useWorkspace(() => server.url);

  beforeEach(async () => {
    caFile = join(workspace().dir, 'ca.crt');
    await writeFile(caFile, authority.pem);
    await workspace().write(FIVE_FILES);
  });

  const run = (parameters: Readonly<Record<string, string>>): Promise<CliResult> => {
    const url = new URL(withPassword(workspace().url));
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return runCli(['up', '--log-format', 'text'], { env: { ...workspace().env, DATABASE_URL: url.href } });
  };

  for (const sslmode of ['verify-ca', 'verify-full']) {
    it(`makes a run exit with 23 at once with sslmode=${sslmode}`, async () => {
      const result = await run({ sslmode, sslrootcert: caFile });
      expectExit(result, 23);
      expect(result.stderr)
        .to.match(/expired/i)
        .and.match(/^next: {2}\S/m);
      expect(result.stderr).to.not.include('trying again');
      expectNoSecret(result.stderr);
      expectNoStack(result.stderr);
    });
  }

  it('is accepted when nothing is verified', async () => {
    expectExit(await run({ sslmode: 'require' }), 0);
  });
});

/** What is made meanwhile believes that it is then. */
function yearsAgo(years: number, make: () => Certificate): Certificate {
  const { now } = Date;
  Date.now = () => now() - years * 365 * 24 * 3_600_000;
  try {
    return make();
  } finally {
    Date.now = now;
  }
}
