/** A server that cannot take writes, or is not up yet: commands that write wait for it, commands that only read run. */
import { appendFile, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';

import type { Postgres } from '../../scripts/postgres/server.ts';
import { runCli, startCli } from '../support/cli.ts';
import { FIVE_FILES, file, versionsOf } from '../support/migrations.ts';
import { closedPort } from '../support/opening.ts';
import { ownServer } from '../support/server.ts';
import { useWorkspace, Workspace } from '../support/workspace.ts';
import { up } from '../support/running.ts';
import { sqlstateOf } from '../support/sessions.ts';

const VERSIONS = versionsOf(FIVE_FILES);

describe('a standby', () => {
  let server: Postgres;
  let workspace: Workspace;

  before(async () => {
    server = await ownServer();
    workspace = await Workspace.create(server.url);
    await workspace.write(FIVE_FILES);
    await up(workspace, { to: '004_bonus' });
    // A standby without a primary keeps waiting for more WAL to replay.
    const signal = join(server.dataDir, 'standby.signal');
    await writeFile(signal, '');
    await chown(signal, server.owner.uid, server.owner.gid);
    await server.restart('fast');
  });
  after(async () => {
    // The last test has promoted the server, so it takes writes.
    await workspace.close({ keep: false });
    await server.stop();
  });

  async function ask(sql: string): Promise<string> {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    return await sqlstateOf(client.query(sql)).finally(() => client.end());
  }

  it('refuses LISTEN, but grants any advisory lock: it does not see the locks of its primary', async () => {
    expect(await ask('LISTEN somebody')).to.equal('25006');
    expect(await ask('SELECT 1 / pg_try_advisory_lock(1)::int')).to.equal('ok');
  });

  it('answers status and wait', async () => {
    expect((await runCli(['status', '--exit-code'], workspace)).code).to.equal(33);
    const { code, stderr } = await runCli(['wait', '--timeout', '0'], workspace);
    expect(code).to.equal(33);
    expect(stderr).to.include('005_order_notes').and.not.include('004_bonus');
    expect((await runCli(['history'], workspace)).code).to.equal(0);
    expect((await runCli(['up', '--dry-run'], workspace)).code).to.equal(0);
  });

  it('makes commands that write exit with 30, or wait until it is promoted', async () => {
    for (const args of [['up'], ['down', '--steps', '1'], ['baseline', '--to', '005_order_notes']]) {
      const { code, stderr } = await runCli([...args, '--connect-wait', '0'], workspace);
      expect(code, stderr).to.equal(30);
      expect(stderr).to.include('standby');
    }
    const waiting = startCli(['up'], workspace);
    await waiting.waitForLog('database.waiting');
    expect(await ask('SELECT 1 / pg_promote()::int')).to.equal('ok');
    const { code, stdout, stderr } = await waiting.exited;
    expect(code, stderr).to.equal(0);
    expect(stdout).to.include('  up 005_order_notes\n');
  });
});

describe('a read-only server', () => {
  let server: Postgres;
  before(async () => {
    server = await ownServer();
  });
  after(() => server.stop());
  const workspace = useWorkspace(() => server.url);

  it('makes commands that write wait, and answers the others', async () => {
    await workspace().write(FIVE_FILES);
    await up(workspace());
    await workspace().write(file(6, 'more', 'CREATE TABLE more (x int);'));
    await reload(server, 'default_transaction_read_only = on');
    expect((await runCli(['status'], workspace())).code).to.equal(0);
    const waiting = startCli(['up'], workspace());
    const line = await waiting.waitForLog('database.waiting');
    expect(JSON.stringify(line)).to.include('read-only');
    await reload(server, 'default_transaction_read_only = off');
    const { code, stderr } = await waiting.exited;
    expect(code, stderr).to.equal(0);
    expect(await workspace().versions()).to.deep.equal([...VERSIONS, '006_more']);
  });
});

describe('a server that starts late', () => {
  it('makes commands wait for it', async () => {
    const port = await closedPort();
    const env = {
      PATH: process.env['PATH'] ?? '',
      DATABASE_URL: `postgres://postgres@127.0.0.1:${port}/postgres`,
      LOCKSTEP_DIR: import.meta.dirname,
    };
    const early = startCli(['wait', '--allow-empty'], { env });
    await early.waitForLog('database.waiting');
    const server = await ownServer({ port });
    const { code, stderr } = await early.exited;
    expect(code, stderr).to.equal(0);
    await server.stop();
  });
});

async function reload(server: Postgres, setting: string): Promise<void> {
  await appendFile(join(server.dataDir, 'postgresql.conf'), `\n${setting}\n`);
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await client.query('SELECT pg_reload_conf()').finally(() => client.end());
}
