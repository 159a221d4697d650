/**
 * Refusals before anything changes: invalid arguments and settings (without a connection), invalid files, invalid
 * rollbacks, no access.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { runCli } from '../support/cli.ts';
import { closedPort } from '../support/opening.ts';
import { FIVE_FILES } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { createRole } from '../support/roles.ts';
import { up } from '../support/running.ts';
import { stateOf } from '../support/state.ts';

describe('a refusal without any connection', () => {
  let connections = 0;
  let dir = '';
  const listener = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
  });
  after(async () => {
    listener.close();
    await rm(dir, { recursive: true });
  });

  const env = (more: Record<string, string> = {}): Record<string, string> => ({
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: `postgres://u:hunter2@127.0.0.1:${(listener.address() as AddressInfo).port}/d`,
    LOCKSTEP_DIR: dir,
    LOCKSTEP_ALLOW_EMPTY: 'true',
    LOCKSTEP_CONNECT_WAIT: '0',
    ...more,
  });

  const WRONG: readonly (readonly string[])[] = [
    ...[
      [],
      ['sideways'],
      ['UP'],
      [' up'],
      ['up', 'UP'],
      ['--strict', 'up'],
      ['up', '--nonsense'],
      ['up', '--steps', '1'],
    ],
    ...['', '.', 'a.', 'a.b.c', 'x'.repeat(56)].map((table) => ['up', '--table', table]),
    ...[
      ['up', '--lock-key', '9223372036854775808'],
      ['up', '--lock-wait', '5'],
      ['down', '--steps', '0'],
      ['down', '--steps', '1', '--to', '001_a'],
    ],
  ];
  it('20: reports invalid commands, flags and values', async () => {
    // Two at once: most of the time is spent waiting for a process to start.
    const results = await Promise.all([0, 1].map((half) => runEach(WRONG.filter((_, index) => index % 2 === half))));
    for (const { args, code, stdout, stderr } of results.flat()) {
      const told = `lockstep ${args.map((word) => JSON.stringify(word)).join(' ')}\n${stdout}${stderr}`;
      expect(code, told).to.equal(20);
      expect(stderr, told).to.include('CONFIG_INVALID').and.not.include('hunter2');
      expect(stdout, told).to.equal('');
    }
    expect(connections).to.equal(0);
  });

  async function runEach(all: readonly (readonly string[])[]) {
    const results = [];
    for (const args of all) results.push({ args, ...(await runCli(args, { env: env() })) });
    return results;
  }

  it('20: reports all invalid variables together', async () => {
    const { code, stderr } = await runCli(['up'], {
      env: env({ LOCKSTEP_TABLE: 'a.b.c', LOCKSTEP_LOCK_WAIT: 'soon', LOCKSTEP_STRICT: 'maybe' }),
    });
    expect(code).to.equal(20);
    for (const name of ['LOCKSTEP_TABLE', 'LOCKSTEP_LOCK_WAIT', 'LOCKSTEP_STRICT']) expect(stderr).to.include(name);
    expect(connections).to.equal(0);
  });

  it('20: reports invalid settings and an invalid address together', async () => {
    const wrong = {
      LOCKSTEP_LOCK_WAIT: 'soon',
      DATABASE_URL: 'postgres://u:hunter2@h:99999/d?sslmode=maybe',
      PGCONNECT_TIMEOUT: 'x',
    };
    const { code, stderr } = await runCli(['up'], { env: env(wrong) });
    expect(code).to.equal(20);
    for (const name of ['LOCKSTEP_LOCK_WAIT', 'port', 'sslmode', 'PGCONNECT_TIMEOUT']) expect(stderr).to.include(name);
    expect(stderr).to.not.include('hunter2');
    const file = await runCli(['up', '--database-url-file', '/nowhere'], { env: env({ LOCKSTEP_LOCK_WAIT: 'soon' }) });
    expect(file.code).to.equal(20);
    expect(file.stderr).to.include('LOCKSTEP_LOCK_WAIT').and.include('/nowhere');
    expect(connections).to.equal(0);
  });

  it('24: reports an unconfirmed rollback of everything', async () => {
    expect((await runCli(['down', '--all'], { env: env() })).code).to.equal(24);
    expect(connections).to.equal(0);
  });

  it('21: reports invalid files; the listener of this test does count connections', async () => {
    expect((await runCli(['up', '--no-allow-empty'], { env: env() })).code).to.equal(21);
    expect((await runCli(['up', '--dir', '/nowhere'], { env: env() })).code).to.equal(21);
    expect(connections).to.equal(0);
    expect((await runCli(['up'], { env: env() })).code).to.equal(30);
    expect(connections).to.be.greaterThan(0);
    // Without a target it reads the available ones, and is refused as well when the server does not answer.
    expect((await runCli(['down'], { env: env() })).code).to.equal(24);
  });
});

describe('a refusal by the files, the server or the history', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  const exitOf = async (args: readonly string[], env: Record<string, string> = {}): Promise<number | null> =>
    (await runCli(args, { env: { ...workspace().env, ...env } })).code;

  it('21: names all invalid files together, and runs nothing', async () => {
    await workspace().write({
      'notes.sql': 'SELECT 1;',
      '006_lonely.down.sql': 'SELECT 1;',
      '007_typo.up.sql': '-- lockstep: no-transactoin\nSELECT 1;',
    });
    const { code, stderr } = await runCli(['up'], workspace());
    expect(code).to.equal(21);
    for (const name of ['notes.sql', '006_lonely.down.sql', '007_typo.up.sql', 'no-transaction'])
      expect(stderr).to.include(name);
    expect(await stateOf(workspace())).to.deep.equal({ relations: [], rows: {} });
  });

  it('21: is reported without a server too, and then mentions no server', async () => {
    await workspace().write({ 'notes.sql': 'SELECT 1;' });
    const { code, stderr } = await runCli(['up'], {
      env: { ...workspace().env, DATABASE_URL: `postgres://u@127.0.0.1:${await closedPort()}/d` },
    });
    expect(code).to.equal(21);
    expect(stderr).to.include('notes.sql').and.not.include('reach');
  });

  it('23: reports a database or privilege that does not exist, without waiting', async () => {
    const missing = new URL(workspace().url);
    missing.pathname = `/nope_${workspace().schema}`;
    expect(await exitOf(['up'], { DATABASE_URL: missing.href })).to.equal(23);
    const stranger = await createRole(workspace(), { grant: 'USAGE' });
    expect(await exitOf(['up'], { DATABASE_URL: stranger.url })).to.equal(23);
    await up(workspace(), { to: '001_accounts' });
    expect(await exitOf(['status'], { DATABASE_URL: stranger.url })).to.equal(23);
    expect(await exitOf(['up', '--role', stranger.name])).to.equal(23);
    expect(await exitOf(['up', '--role', 'nobody_of_that_name'])).to.equal(23);
    expect(await workspace().versions()).to.deep.equal(['001_accounts']);
  });

  it('24: does not start a rollback that cannot be completed', async () => {
    await workspace().write({
      '006_final.up.sql': '-- lockstep: irreversible\nSELECT 1;',
      '006_final.down.sql': 'SELECT 1;',
    });
    await up(workspace());
    const before = await stateOf(workspace());
    expect(await exitOf(['down', '--steps', '2'])).to.equal(24);
    expect(await exitOf(['down', '--to', '00_never'])).to.equal(24);
    expect(await exitOf(['down', '--all', '--confirm', 'another_database'])).to.equal(24);
    expect(await stateOf(workspace())).to.deep.equal(before);
  });

  it('30: reports an unreachable server and a read-only one', async () => {
    const port = await closedPort();
    expect(await exitOf(['up', '--connect-wait', '0'], { DATABASE_URL: `postgres://u@127.0.0.1:${port}/d` })).to.equal(
      30,
    );
    const role = await createRole(workspace(), { settings: { default_transaction_read_only: 'on' } });
    expect(await exitOf(['up', '--connect-wait', '0'], { DATABASE_URL: role.url })).to.equal(30);
    expect(await stateOf(workspace())).to.deep.equal({ relations: [], rows: {} });
  });

  it('35: reports a hook that throws, and records nothing', async () => {
    await workspace().write({ '003_first_orders.before.mjs': 'export default () => { throw new Error("not yet"); };' });
    const { code, stderr } = await runCli(['up'], workspace());
    expect(code).to.equal(35);
    expect(stderr).to.include('not yet');
    expect(await workspace().versions()).to.deep.equal(['001_accounts', '002_orders']);
  });
});
