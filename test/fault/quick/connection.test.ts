/** Terminated sessions, unreachable servers and wrong passwords. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import type { Postgres } from '../../../scripts/postgres/server.ts';
import { eventually } from '../../support/bounded.ts';
import { expectExit, runCli, startCli } from '../../support/cli.ts';
import { closeGate } from '../../support/gate.ts';
import { file, FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS, versionsOf } from '../../support/migrations.ts';
import { closedPort } from '../../support/opening.ts';
import { ownServer } from '../../support/server.ts';
import { useWorkspace } from '../../support/workspace.ts';

describe('pg_terminate_backend', () => {
  const workspace = useWorkspace();

  async function expectNextRun(versions: readonly string[]): Promise<void> {
    expectExit(await runCli(['up'], workspace()), 0);
    expect(await workspace().versions()).to.deep.equal(versions);
    expect(await workspace().journalCounts('applied')).to.deep.equal(
      Object.fromEntries(versions.map((version) => [version, 1])),
    );
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
  }

  it('of the holder in a transaction makes it exit with 30 or 34', async () => {
    const gate = await closeGate(workspace());
    const files = { ...FIVE_FILES, ...file(6, 'half', `CREATE TABLE half (id int);\n${gate.sql}`) };
    await workspace().write(files);
    const run = startCli(['up'], workspace());
    await workspace().query('SELECT pg_terminate_backend($1)', [await gate.arrived()]);
    const result = await run.exited;
    expect(result.code, result.stderr).to.be.oneOf([30, 34]);
    expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
    await gate.open();
    await expectNextRun(versionsOf(files));
  });

  for (const [which, hook, told] of [
    [
      'obeys its signal',
      'log("ready"); return new Promise((done) => signal.addEventListener("abort", () => { log("told"); done(); }));',
      ['ready', 'told'],
    ],
    ['never yields', 'log("ready"); for (;;);', ['ready']],
  ] as const) {
    it(`of the holder during a hook that ${which} makes it exit with 30 without running the hook's migration`, async () => {
      const files = { ...FIVE_FILES, ...file(6, 'hooked', 'CREATE TABLE hooked (id int);') };
      await workspace().write({
        ...files,
        '006_hooked.before.mjs': `export default ({ log, signal }) => { ${hook} };`,
      });
      const run = startCli(['up'], workspace());
      await run.waitForLog('hook.log');
      const [holder] = await workspace().lockSessions();
      await workspace().query('SELECT pg_terminate_backend($1)', [holder!.pid]);
      const result = await run.exited;
      expectExit(result, 30);
      expect(result.logs.filter(({ event }) => event === 'hook.log').map(({ text }) => text)).to.deep.equal(told);
      expect(await workspace().query(`SELECT to_regclass('hooked') AS hooked`)).to.deep.equal([{ hooked: null }]);
      await workspace().write({ '006_hooked.before.mjs': 'export default () => undefined;' });
      await expectNextRun(versionsOf(files));
    });
  }

  it('of a waiter makes it exit with 30, and the holder continues', async () => {
    const gate = await closeGate(workspace());
    const files = { ...FIVE_FILES, ...file(6, 'gate', gate.sql) };
    await workspace().write(files);
    const holder = startCli(['up'], workspace());
    await gate.arrived();
    const waiter = startCli(['up'], { env: { ...workspace().env, LOCKSTEP_POD: workspace().schema } });
    await waiter.waitForLog('lock.waiting');
    await eventually('the waiter to be gone', async () => {
      const { length } = await workspace().query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%' || $1`,
        [workspace().schema],
      );
      return length === 0;
    });
    expectExit(await waiter.exited, 30);
    await gate.open();
    expectExit(await holder.exited, 0);
    await expectNextRun(versionsOf(files));
  });
});

describe('a server that crashes', () => {
  let server: Postgres;
  before(async () => {
    server = await ownServer();
  });
  after(() => server.stop());
  const workspace = useWorkspace(() => server.url);

  it('makes a holder and a waiter exit with 30 or 34, and a run that starts meanwhile applies everything', async () => {
    const gate = await closeGate(workspace());
    const files = { ...FIVE_FILES, ...file(6, 'half', `CREATE TABLE half (id int);\n${gate.sql}`) };
    await workspace().write(files);
    const holder = startCli(['up'], workspace());
    await gate.arrived();
    const waiter = startCli(['up'], workspace());
    await waiter.waitForLog('lock.waiting');
    // The gate's session ended with the server.
    const restarted = server.restart('immediate');
    const [held, waited] = await Promise.all([holder.exited, waiter.exited]);
    expect(held.code, held.stderr).to.be.oneOf([30, 34]);
    expectExit(waited, 30);
    const next = runCli(['up'], workspace());
    await restarted;
    expectExit(await next, 0);
    expect(await workspace().versions()).to.deep.equal(versionsOf(files));
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
  });
});

describe('a database that cannot be connected to', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  let server: Postgres;
  before(async () => {
    server = await ownServer({ auth: 'scram-sha-256' });
  });
  after(() => server.stop());

  const WRONG = 'wrong-s3cret';

  for (const format of ['json', 'text'] as const) {
    it(`with a wrong password makes the run exit with 23 at once, without printing the password (${format})`, async () => {
      const passwordFile = join(workspace().dir, 'password');
      await writeFile(passwordFile, WRONG);
      const bare = `postgres://${server.user}@${server.host}:${server.port}/${server.database}`;
      for (const env of [
        { DATABASE_URL: bare.replace('@', `:${WRONG}@`) },
        { DATABASE_URL: bare, PGPASSWORD: WRONG },
        // The file may contain a new password a moment later.
        { DATABASE_URL: bare, LOCKSTEP_PASSWORD_FILE: passwordFile, LOCKSTEP_CONNECT_WAIT: '0' },
      ]) {
        const result = await runCli(['up', '--log-format', format, '--log-level', 'debug'], {
          env: { ...workspace().env, ...env },
        });
        expectExit(result, 23);
        expect(result.stdout + result.stderr)
          .to.include('password authentication failed')
          .and.not.include(WRONG);
        expect(result.logs.map(({ event }) => event)).to.not.include('database.waiting');
      }
    });
  }

  it('with a closed port makes the run exit with 30 after --connect-wait', async () => {
    const DATABASE_URL = `postgres://someone:${WRONG}@127.0.0.1:${await closedPort()}/postgres`;
    const result = await runCli(['up', '--connect-wait', '1s'], { env: { ...workspace().env, DATABASE_URL } });
    expectExit(result, 30);
    expect(result.durationMs).to.be.greaterThan(1_000);
    expect(result.logs.map(({ event }) => event)).to.include('database.waiting');
    expect(result.stdout + result.stderr).to.not.include(WRONG);
  });
});
