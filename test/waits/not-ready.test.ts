/**
 * A run waits for a database that is not ready yet, not for one that refuses it, and reads files again at each attempt.
 */
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import type { Postgres } from '../../scripts/postgres/server.ts';
import { expectExit, runCli, startCli, type CliResult } from '../support/cli.ts';
import { file } from '../support/migrations.ts';
import { ownServer } from '../support/server.ts';
import { PASSWORD, startTlsServer, type TlsServer } from '../support/tls-server.ts';
import { Workspace } from '../support/workspace.ts';
import { startLateDoor, type LateDoor, type Manner } from '../support/late-door.ts';

const waits = ({ logs }: CliResult): number => logs.filter(({ event }) => event === 'database.waiting').length;

describe('a server that is still starting up', () => {
  let server: Postgres;
  let workspace: Workspace;

  before('one that recovers, and lets nobody in until then', async () => {
    server = await ownServer({ settings: { hot_standby: 'off' } });
    workspace = await Workspace.create(server.url);
    await workspace.write(file(1, 'a', 'CREATE TABLE a ();'));
    await writeOwned('standby.signal');
    await server.restart('fast');
  });
  after(async () => {
    await workspace.close({ keep: false });
    await server.stop();
  });

  async function writeOwned(name: string): Promise<void> {
    const path = join(server.dataDir, name);
    await writeFile(path, '');
    await chown(path, server.owner.uid, server.owner.gid);
  }

  it('makes a run exit with 30 after --connect-wait, with its own message (57P03), and serves the next run once it has started', async () => {
    const result = await runCli(['up', '--connect-wait', '3s'], workspace);
    expectExit(result, 30);
    expect(result.stderr).to.include('57P03').and.include('--connect-wait=3s');
    expect(waits(result)).to.be.greaterThan(1);
    const waiting = startCli(['up'], workspace);
    await waiting.waitForLog('database.waiting');
    // Does the same as pg_ctl promote.
    await writeOwned('promote');
    process.kill(server.postmasterPid, 'SIGUSR1');
    const late = await waiting.exited;
    expectExit(late, 0);
    expect(await workspace.versions()).to.deep.equal(['001_a']);
  });
});

describe('a server with TLS', () => {
  let server: TlsServer;
  let folder = '';
  const ended: (() => unknown)[] = [];

  before(async () => {
    server = await startTlsServer();
  });
  after(() => server.stop());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-not-ready-'));
  });
  afterEach(async () => {
    for (const end of ended.splice(0)) await end();
    await rm(folder, { recursive: true, force: true });
  });

  const ca = (): string => `sslrootcert=${server.files.ca}`;
  const environment = (more: Readonly<Record<string, string>>): Record<string, string> => ({
    PATH: process.env['PATH'] ?? '',
    LOCKSTEP_DIR: folder,
    LOCKSTEP_ALLOW_EMPTY: 'true',
    ...more,
  });

  async function door(url: string, manner: Manner = 'hangs-up'): Promise<LateDoor> {
    const started = await startLateDoor(url, manner);
    ended.push(() => started.stop());
    return started;
  }

  function expectNoPassword({ stdout, stderr }: CliResult): void {
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD)]) expect(stdout + stderr).to.not.include(secret);
  }

  for (const manner of ['hangs-up', 'hangs-up-on-tls'] as const) {
    it(`makes a run exit with 30 after --connect-wait when a proxy in front of it ${manner}, and is used once it answers`, async () => {
      const late = await door(server.url('trusted', `sslmode=verify-full&${ca()}`), manner);
      const env = environment({ DATABASE_URL: late.url });
      const result = await runCli(['wait', '--connect-wait', '3s'], { env });
      expectExit(result, 30);
      expect(waits(result)).to.be.greaterThan(1);
      const waiting = startCli(['wait'], { env });
      await waiting.waitForLog('database.waiting');
      late.open();
      const used = await waiting.exited;
      expectExit(used, 0);
      for (const one of [result, used]) expectNoPassword(one);
    });
  }

  const REFUSALS: readonly (readonly [what: string, url: () => string, words: string | RegExp])[] = [
    ['a wrong password (28P01)', () => server.url('readonly').replace(/:[^:@]*@/, ':wrong@'), '28P01'],
    ['no line in pg_hba.conf (28000)', () => server.url('only_tls', 'sslmode=disable'), '28000'],
    ['a database that is not there (3D000)', () => server.url('trusted').replace('/postgres?', '/nowhere?'), '3D000'],
    [
      'a certificate of a stranger',
      () => server.url('trusted', `sslmode=verify-ca&sslrootcert=${server.files.otherCa}`),
      /self[- ]signed certificate/,
    ],
    [
      'a certificate for another name',
      () => server.url('trusted', `sslmode=verify-full&${ca()}&host=other.test&hostaddr=127.0.0.1`),
      'other.test',
    ],
    [
      'a client certificate of a stranger',
      () => server.url('by_cert', `sslmode=require&sslcert=${server.files.otherCert}&sslkey=${server.files.otherKey}`),
      /unknown[ _]ca/i,
    ],
  ];
  for (const [what, url, words] of REFUSALS) {
    it(`makes a run exit with 23 at once when it refuses the connection: ${what}`, async () => {
      const result = await runCli(['wait', '--connect-wait', '20s'], { env: environment({ DATABASE_URL: url() }) });
      expectExit(result, 23);
      expect(result.stderr).to.match(new RegExp(words));
      expect(waits(result)).to.equal(0);
      expectNoPassword(result);
    });
  }

  interface Rotated {
    readonly user: string;
    /** The way in which the path of the file is set. */
    readonly given: (path: string) => Record<string, string>;
    /** The file with the right password, or with a wrong one. */
    readonly text: (password: string) => string | Promise<string>;
  }

  const WRONG = 'not-yet-the-s3cret';
  const ROTATED: Readonly<Record<string, Rotated>> = {
    LOCKSTEP_PASSWORD_FILE: {
      user: 'readonly',
      given: (path) => ({ LOCKSTEP_PASSWORD_FILE: path }),
      text: (password) => `${password}\n`,
    },
    PGPASSFILE: {
      user: 'readonly',
      given: (path) => ({ PGPASSFILE: path }),
      text: (password) => `*:*:*:*:${password.replace(/[:\\]/g, '\\$&')}`,
    },
    LOCKSTEP_DATABASE_URL_FILE: {
      user: 'readonly',
      given: (path) => ({ LOCKSTEP_DATABASE_URL_FILE: path, DATABASE_URL: '' }),
      text: (password) => Object.assign(new URL(late.url), { password: encodeURIComponent(password) }).href,
    },
    sslrootcert: {
      user: 'trusted',
      given: (path) => ({ PGSSLROOTCERT: path, PGSSLMODE: 'verify-ca' }),
      text: (password) => readFile(password === PASSWORD ? server.files.ca : server.files.otherCa, 'utf8'),
    },
  };
  let late: LateDoor;

  for (const [what, { user, given, text }] of Object.entries(ROTATED)) {
    it(`is reached when ${what} changes while the run waits`, async () => {
      late = await door(Object.assign(new URL(server.url(user)), { password: '' }).href);
      const path = join(folder, 'rotated');
      const env = environment({ DATABASE_URL: late.url, ...given(path) });
      await writeFile(path, await text(WRONG));
      const waiting = startCli(['wait'], { env });
      await waiting.waitForLog('database.waiting');
      await writeFile(path, await text(PASSWORD));
      // An attempt that is already running may have read the old file; all later ones read the new one.
      await late.turnedAway();
      late.open();
      const result = await waiting.exited;
      expectExit(result, 0);
      expectNoPassword(result);
      await writeFile(path, await text(WRONG));
      expectExit(await runCli(['wait', '--connect-wait', '0'], { env }), 23);
    });
  }
});
