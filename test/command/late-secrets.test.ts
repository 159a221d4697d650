/** Secrets that another process writes late, never, or replaces; and how often an unchanged wrong secret is retried. */
import { once } from 'node:events';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { expectExit, runCli, startCli, type CliResult } from '../support/cli.ts';
import { startRadius, type Radius } from '../support/radius.ts';
import { ownServer } from '../support/server.ts';
import type { Postgres } from '../../scripts/postgres/server.ts';
import { useWorkspace } from '../support/workspace.ts';

const WRONG = 'st4le-one';
const RIGHT = 'n3w-one';

describe('a secret that is written late', () => {
  let server: Postgres;
  let radius: Radius;
  const workspace = useWorkspace(() => server.url);

  before('a server that asks for passwords', async () => {
    radius = await startRadius();
    server = await ownServer();
    const hba = join(server.dataDir, 'pg_hba.conf');
    await writeFile(
      hba,
      `host all by_radius 127.0.0.1/32 ${radius.method}\nhost all by_password 127.0.0.1/32 scram-sha-256\nhost all nobody 127.0.0.1/32 reject\n${await readFile(hba, 'utf8')}`,
    );
    await server.restart('fast');
  });
  after(async () => {
    radius.close();
    await server.stop();
  });

  const users = { by_password: '28P01', by_radius: '28000' } as const;
  type User = keyof typeof users;

  beforeEach(async () => {
    radius.accepts = false;
    await workspace().write({ '001_a.up.sql': 'CREATE TABLE a ();' });
    for (const user of Object.keys(users)) {
      await workspace().query(
        `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${user}') THEN CREATE ROLE ${user} SUPERUSER LOGIN; END IF; END $$`,
      );
      await workspace().query(`ALTER ROLE ${user} PASSWORD '${RIGHT}'`);
    }
  });

  const path = (): string => join(workspace().dir, '.secret');
  const address = (user: string, password = ''): string =>
    Object.assign(new URL(workspace().url), { username: user, password }).href;

  /** Replaces the file atomically, as the kubelet and sidecars do. */
  async function put(text: string): Promise<void> {
    await writeFile(`${path()}.new`, text);
    await rename(`${path()}.new`, path());
  }

  async function refusals(): Promise<number> {
    return (await readFile(server.logFile, 'utf8'))
      .split('\n')
      .filter((line) => /FATAL: .* authentication failed/.test(line)).length;
  }

  function expectNoSecret({ stdout, stderr }: CliResult): void {
    for (const secret of [WRONG, RIGHT]) expect(stdout + stderr).to.not.include(secret);
  }

  /** Each way to pass a secret: the environment, and the content of the file. */
  const WAYS: Readonly<
    Record<
      string,
      (user: User) => { readonly env: Record<string, string>; readonly text: (password: string) => string }
    >
  > = {
    LOCKSTEP_PASSWORD_FILE: (user) => ({
      env: { DATABASE_URL: address(user), LOCKSTEP_PASSWORD_FILE: path() },
      text: (password) => `${password}\n`,
    }),
    LOCKSTEP_DATABASE_URL_FILE: (user) => ({
      env: { DATABASE_URL: '', LOCKSTEP_DATABASE_URL_FILE: path() },
      text: (password) => address(user, password),
    }),
    PGPASSFILE: (user) => ({
      env: { DATABASE_URL: address(user), PGPASSFILE: path() },
      text: (password) => `*:*:*:${user}:${password}`,
    }),
    LOCKSTEP_PASSWORD_COMMAND: (user) => ({
      env: { DATABASE_URL: address(user), LOCKSTEP_PASSWORD_COMMAND: `cat '${path()}'` },
      text: (password) => password,
    }),
  };
  const waitingFor =
    (what: string) =>
    ({ event, error }: { readonly event: string; readonly error?: unknown }): boolean =>
      event === 'database.waiting' && (error as { summary: string }).summary.includes(what);

  for (const [way, of] of Object.entries(WAYS)) {
    const file = way.endsWith('FILE');

    it(`${way}: is used once it is written, after being absent and then empty`, async () => {
      const { env, text } = of('by_password');
      const run = startCli(['up'], { env: { ...workspace().env, ...env } });
      await run.waitForLog(waitingFor(file ? 'does not exist' : 'exited with 1'));
      await put('');
      await run.waitForLog(waitingFor(file ? 'is empty' : 'printed nothing'));
      await put(text(RIGHT));
      const result = await run.exited;
      expectExit(result, 0);
      expectNoSecret(result);
    });

    it(`${way}: makes the run exit with 30 and name it when it is never written`, async () => {
      const result = await runCli(['up', '--connect-wait', '1s'], {
        env: { ...workspace().env, ...of('by_password').env },
      });
      expectExit(result, 30);
      expect(result.stderr)
        .to.include(file ? path() : 'cat: ')
        .and.include('--connect-wait=1s');
    });

    for (const [user, sqlstate] of Object.entries(users) as [User, string][]) {
      it(`${way}: makes the run exit with 23 and name it after at most three tries when the server always refuses it with ${sqlstate}`, async () => {
        const { env, text } = of(user);
        await put(text(WRONG));
        const before = await refusals();
        const result = await runCli(['up', '--connect-wait', '3s'], { env: { ...workspace().env, ...env } });
        expectExit(result, 23);
        expect(result.stderr)
          .to.include(sqlstate)
          .and.include(file ? path() : 'cat');
        expectNoSecret(result);
        await eventually('the refusals to be logged', async () => (await refusals()) >= before + 3);
        expect((await refusals()) - before).to.equal(3);
      });

      it(`${way}: is read again and used when it is replaced after a refusal with ${sqlstate}`, async () => {
        const { env, text } = of(user);
        await put(text(WRONG));
        const run = startCli(['up'], { env: { ...workspace().env, ...env } });
        await run.waitForLog(({ event, attempt }) => event === 'database.waiting' && Number(attempt) > 3);
        radius.accepts = true;
        await put(text(RIGHT));
        const result = await run.exited;
        expectExit(result, 0);
        expectNoSecret(result);
      });
    }
  }

  describe('when a hook connects', () => {
    const RENEWED = 'renew3d-one';
    /** The run connects; then the server accepts only another password. */
    async function hooked(args: readonly string[], env: Record<string, string>) {
      await workspace().write({
        '001_a.before.mjs': `export default async ({ pool, log }) => { log('here'); while (!(await import('node:fs')).existsSync(${JSON.stringify(`${path()}.go`)})) await new Promise((done) => setTimeout(done, 20)); await pool.query('SELECT 1'); };`,
      });
      await put(RIGHT);
      const run = startCli(['up', ...args], {
        env: { ...workspace().env, DATABASE_URL: address('by_password'), ...env },
      });
      await run.waitForLog('hook.log');
      await workspace().query(`ALTER ROLE by_password PASSWORD '${RENEWED}'`);
      const before = await refusals();
      await writeFile(`${path()}.go`, '');
      return { run, before };
    }
    const REFUSED = waitingFor('password authentication failed');

    for (const [way, env] of Object.entries({
      'a password file': () => ({ LOCKSTEP_PASSWORD_FILE: path() }),
      'a command': () => ({ LOCKSTEP_PASSWORD_COMMAND: `cat ${path()}` }),
    })) {
      it(`${way} with a stale password is read again until it is replaced`, async () => {
        const { run } = await hooked([], env());
        await run.waitForLog(REFUSED);
        await put(RENEWED);
        expectExit(await run.exited, 0);
      });

      it(`${way} that stays stale makes the run exit with 23 after at most three tries`, async () => {
        const { run, before } = await hooked(['--connect-wait', '3s'], env());
        const result = await run.exited;
        expectExit(result, 23);
        expect(result.stderr).to.include('the connection of the hook of').and.include('28P01');
        await eventually('the refusals to be logged', async () => (await refusals()) >= before + 3);
        expect((await refusals()) - before).to.equal(3);
        expectNoSecret(result);
      });
    }
  });

  it('is not waited for in the address itself, nor when no secret can fix the refusal', async () => {
    await put(RIGHT);
    const cases: Readonly<Record<string, Record<string, string>>> = {
      'a wrong password in the address': { DATABASE_URL: address('by_password', WRONG) },
      'a wrong password in the environment': { DATABASE_URL: address('by_password'), PGPASSWORD: WRONG },
      'a token in the address': { DATABASE_URL: address('by_radius', WRONG) },
      'no line in pg_hba.conf': { DATABASE_URL: address('nobody'), LOCKSTEP_PASSWORD_FILE: path() },
      'a role that is not there': { DATABASE_URL: address('no_such_role'), LOCKSTEP_PASSWORD_FILE: path() },
    };
    for (const [what, env] of Object.entries(cases)) {
      const result = await runCli(['up'], { env: { ...workspace().env, ...env } });
      expect(result.code, `${what}\n${result.stderr}`).to.equal(23);
      expect(
        result.logs.filter(({ event }) => event === 'database.waiting'),
        what,
      ).to.deep.equal([]);
      expectNoSecret(result);
    }
  });

  it('a password command that never ends is killed with the attempt, and named', async () => {
    const env = { ...workspace().env, LOCKSTEP_PASSWORD_COMMAND: 'sleep 1000' };
    const result = await runCli(['up', '--connect-wait', '0'], { env });
    expectExit(result, 30);
    expect(result.stderr).to.include('--password-command: sleep printed nothing in time');
  });

  it('--connect-wait 0 makes one attempt of at most 3 s, even when the server never answers', async () => {
    const silent: Server = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    workspace().defer(() => void silent.close());
    let attempts = 0;
    silent.on('connection', (socket) => {
      attempts += 1;
      socket.on('error', () => undefined);
    });
    const { port } = silent.address() as AddressInfo;
    const result = await runCli(['up', '--connect-wait', '0'], {
      env: { ...workspace().env, DATABASE_URL: `postgres://u@127.0.0.1:${port}/d` },
    });
    expectExit(result, 30);
    expect(attempts).to.equal(1);
    expect(result.stderr).to.include('within 3 s');
    expect(result.logs.filter(({ event }) => event === 'database.waiting')).to.deep.equal([]);
  });
});
