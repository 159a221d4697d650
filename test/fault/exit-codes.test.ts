/** Every exit code, provoked for real: the right code, a message in three parts, no stack trace, no secret. */
import { cp, mkdtemp, readFile, rm, writeFile, chown } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';

import type { Postgres } from '../../scripts/postgres/server.ts';
import { ERRORS } from '../../src/core/errors.ts';
import { createRole } from '../support/roles.ts';
import { stateOf } from '../support/state.ts';
import { eventually } from '../support/bounded.ts';
import { issue, makeAuthority, type Certificate } from '../support/certificates.ts';
import { distFolder, expectExit, runCli, startCli, type CliProcess, type CliResult } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import { holdKey } from '../support/holder.ts';
import { file, FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { closedPort } from '../support/opening.ts';
import { ownServer } from '../support/server.ts';
import { WireProxy } from '../support/wire-proxy.ts';
import { useWorkspace, type Workspace } from '../support/workspace.ts';
import { runInProcess } from './support/in-process.ts';
import { expectNoStack } from './support/said.ts';

/** In the address, in the environment, in files and in SQL; never in what is said. */
const CANARY = 'c4nary-s3cret';

type Environment = Readonly<Record<string, string>>;

interface Provoking {
  readonly workspace: Workspace;
  /** Runs to the end, in the format of the row. */
  readonly run: (args: readonly string[], env?: Environment, dist?: string) => Promise<CliResult>;
  readonly start: (args: readonly string[], env?: Environment, dist?: string) => CliProcess;
}

interface Row {
  readonly exit: number;
  readonly code?: keyof typeof ERRORS;
  readonly what: string;
  readonly provoke: (by: Provoking) => Promise<CliResult>;
}

const ROWS: readonly Row[] = [
  {
    exit: 0,
    what: 'everything is applied, now and the second time',
    async provoke({ workspace, run }) {
      await workspace.write(FIVE_FILES);
      expectExit(await run(['up']), 0);
      return await run(['up']);
    },
  },
  {
    exit: 1,
    code: 'INTERNAL',
    what: 'a damaged installation: the SQL parser is gone',
    async provoke({ workspace, run }) {
      await workspace.write(FIVE_FILES);
      const dist = await mkdtemp(join(tmpdir(), 'lockstep-damaged-'));
      workspace.defer(() => rm(dist, { recursive: true, force: true }));
      await cp(distFolder(), dist, { recursive: true });
      await rm(join(dist, 'libpg-query.wasm'));
      return await run(['up'], {}, dist);
    },
  },
  {
    exit: 20,
    code: 'CONFIG_INVALID',
    what: 'wrong settings',
    provoke: ({ run }) => run(['up', '--lock-wait', 'soon', '--table', 'a.b.c']),
  },
  {
    exit: 21,
    code: 'MIGRATIONS_INVALID',
    what: 'files that are no migrations',
    async provoke({ workspace, run }) {
      await workspace.write({ 'nonsense.sql': 'SELECT 1;', '001_a.down.sql': 'SELECT 1;' });
      return await run(['up']);
    },
  },
  {
    exit: 22,
    code: 'HISTORY_CONFLICT',
    what: 'an applied file that was changed, while something is pending',
    async provoke({ workspace, run }) {
      await workspace.write(file(1, 'a', 'SELECT 1;'));
      expectExit(await run(['up']), 0);
      await workspace.write({
        ...file(1, 'a', `CREATE ROLE nobody PASSWORD '${CANARY}';`),
        ...file(2, 'b', 'SELECT 2;'),
      });
      return await run(['up']);
    },
  },
  {
    exit: 23,
    code: 'ACCESS_REFUSED',
    what: 'a role that may create nothing',
    async provoke({ workspace, run }) {
      await workspace.write(FIVE_FILES);
      const { url } = await createRole(workspace, { grant: 'USAGE' });
      return await run(['up'], { DATABASE_URL: url });
    },
  },
  {
    exit: 24,
    code: 'ROLLBACK_REFUSED',
    what: 'a rollback without a target',
    provoke: ({ run }) => run(['down']),
  },
  {
    exit: 30,
    code: 'DATABASE_UNAVAILABLE',
    what: 'nobody listens there',
    async provoke({ workspace, run }) {
      await workspace.write(FIVE_FILES);
      return await run(['up', '--connect-wait', '300ms'], {
        DATABASE_URL: `postgres://app:${CANARY}@127.0.0.1:${await closedPort()}/shop`,
      });
    },
  },
  {
    exit: 31,
    code: 'LOCK_TIMEOUT',
    what: 'somebody else keeps the lock',
    async provoke({ workspace, run }) {
      await workspace.write(FIVE_FILES);
      const holder = await holdKey(workspace.serverUrl, workspace.lockKey);
      workspace.defer(() => holder.release());
      return await run(['up', '--lock-wait', '300ms']);
    },
  },
  {
    exit: 32,
    code: 'CONTENTION',
    what: 'a statement that takes longer than it may',
    async provoke({ workspace, run }) {
      await workspace.write(file(1, 'slow', `ALTER ROLE CURRENT_USER PASSWORD '${CANARY}'; SELECT pg_sleep(60);`));
      return await run(['up', '--statement-timeout', '100ms']);
    },
  },
  {
    exit: 33,
    code: 'PENDING',
    what: 'nobody has applied what is awaited',
    async provoke({ workspace, run }) {
      await workspace.write(FIVE_FILES);
      return await run(['wait', '--timeout', '300ms']);
    },
  },
  {
    exit: 34,
    code: 'OUTCOME_UNKNOWN',
    what: 'the connection is cut after a migration was sent',
    async provoke({ workspace, run }) {
      await workspace.write(file(1, 'sent', 'CREATE TABLE sent ();'));
      const proxy = await WireProxy.start(workspace.url);
      workspace.defer(() => proxy.stop());
      proxy.rule = ({ text }) => (text.includes('CREATE TABLE sent') ? 'cut-after' : 'pass');
      return await run(['up'], { DATABASE_URL: withPassword(proxy.url) });
    },
  },
  {
    exit: 35,
    code: 'HOOK_FAILED',
    what: 'a hook that throws',
    async provoke({ workspace, run }) {
      await workspace.write({
        ...file(1, 'hooked', 'SELECT 1;'),
        '001_hooked.before.mjs': 'export default () => { throw new Error("the queue is not empty"); };',
      });
      return await run(['up']);
    },
  },
  {
    exit: 40,
    code: 'MIGRATION_FAILED',
    what: 'SQL that fails, with a password in the same line',
    async provoke({ workspace, run }) {
      await workspace.write(
        file(
          1,
          'bad',
          `CREATE ROLE nobody_${workspace.schema} PASSWORD '${CANARY}'; SELECT 1/0; ALTER ROLE nobody PASSWORD $$${CANARY}$$;`,
        ),
      );
      return await run(['up']);
    },
  },
  {
    exit: 41,
    code: 'MIGRATION_INCOMPLETE',
    what: 'the run before was killed in a block that commits',
    async provoke({ workspace, run, start }) {
      const gate = await closeGate(workspace);
      const block = `DO $$ BEGIN CREATE TABLE half (); COMMIT; PERFORM set_config('x.y', 'PASSWORD ''${CANARY}''', true); ${gate.sql.replace('SELECT', 'PERFORM')} END $$;`;
      await workspace.write(file(1, 'half', `-- lockstep: no-transaction\n${block}`));
      const killed = start(['up']);
      await gate.arrived();
      killed.kill('SIGKILL');
      await killed.exited;
      await gate.open();
      return await run(['up']);
    },
  },
  ...(['SIGINT', 'SIGTERM'] as const).map(
    (signal): Row => ({
      exit: signal === 'SIGINT' ? 130 : 143,
      code: 'INTERRUPTED',
      what: signal,
      async provoke({ workspace, start }) {
        const gate = await closeGate(workspace);
        await workspace.write(file(1, 'gate', `CREATE TABLE half ();\n${gate.sql}`));
        const run = start(['up']);
        await gate.arrived();
        run.kill(signal);
        return await run.exited;
      },
    }),
  ),
];

/** The server does not ask for one. */
function withPassword(address: string): string {
  const url = new URL(address);
  if (url.password === '') url.password = CANARY;
  return url.href;
}

function expectNoSecret(...said: readonly string[]): void {
  for (const text of said) expect(text).to.not.include(CANARY);
}

describe('exit code', () => {
  const workspace = useWorkspace();

  async function provoke({ provoke }: Row, flags: readonly string[]): Promise<CliResult> {
    const passwordFile = join(workspace().dir, 'password');
    await writeFile(passwordFile, CANARY);
    const environment = (more: Environment = {}): Environment => ({
      ...workspace().env,
      DATABASE_URL: withPassword(workspace().url),
      PGPASSWORD: CANARY,
      ...more,
    });
    const runs: Promise<CliResult>[] = [];
    const start: Provoking['start'] = (args, env, dist) => {
      const process = startCli([...args, ...flags, '--log-level', 'debug'], {
        env: environment(env),
        ...(dist !== undefined && { dist }),
      });
      runs.push(process.exited);
      return process;
    };
    const result = await provoke({ workspace: workspace(), start, run: (...how) => start(...how).exited });
    for (const { stdout, stderr } of await Promise.all(runs)) expectNoSecret(stdout, stderr);
    return result;
  }

  it('each of the table has a row here', () => {
    const codes = Object.keys(ERRORS) as (keyof typeof ERRORS)[];
    expect(ROWS.flatMap(({ code }) => code ?? [])).to.include.members(codes);
    for (const { exit, code } of ROWS) if (code !== undefined && exit !== 130) expect(ERRORS[code].exit).to.equal(exit);
  });

  for (const row of ROWS) {
    const { exit, code, what } = row;
    it(`${exit}, for people: ${what}`, async () => {
      const result = await provoke(row, ['--log-format', 'text']);
      const { stdout, stderr } = result;
      expectExit(result, exit);
      expectNoStack(stdout, stderr);
      if (code === undefined) return;
      const end = stderr.slice(stderr.lastIndexOf('\nerror: ') + 1);
      expect(end).to.match(new RegExp(`^error: .+ \\(${code}\\)$`, 'm'));
      expect(end)
        .to.match(/^why: {3}\S/m)
        .and.match(/^next: {2}\S/m);
    });

    it(`${exit}, for machines: ${what}`, async () => {
      const result = await provoke(row, ['--log-format', 'json', '--json']);
      expectExit(result, exit);
      const document = JSON.parse(result.stdout) as {
        exit?: number;
        error?: { code: string; summary: string; next?: string };
      };
      for (const line of result.stderr.trimEnd().split('\n'))
        expect(JSON.parse(line)).to.include.keys('time', 'level', 'event');
      if (code === undefined) return;
      expect(document.exit).to.equal(exit);
      expect(document.error?.code).to.equal(code);
      const last = result.logs.at(-1);
      expect(last).to.include({ event: 'run.failed', level: 'error' });
      const error = last!['error'] as Record<string, unknown>;
      expect(error).to.include({ code, exit });
      expect(error['summary']).to.be.a('string').and.not.equal('');
      expect(error['next'], 'what to do next, in the log').to.be.a('string').and.not.equal('');
      expect(document.error?.next, 'what to do next, in the document').to.be.a('string').and.not.equal('');
      expectNoStack(result.stdout, ...(code === 'INTERNAL' ? [] : [result.stderr]));
    });
  }

  it('no secret is in the journal either', async () => {
    const row = ROWS.find(({ exit }) => exit === 40)!;
    await provoke(row, []);
    const { stdout } = await runCli(['history', '--json'], workspace());
    expect(stdout).to.include('division by zero');
    expectNoSecret(stdout, JSON.stringify(await workspace().query('SELECT * FROM schema_migrations_journal')));
  });
});

describe('an address that cannot be read', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lockstep-empty-'));
  });
  after(() => rm(dir, { recursive: true }));

  for (const address of [
    `postgres://app:${CANARY}@db:notaport/shop`,
    `postgres://app:${CANARY}@db:99999/shop`,
    `postgres://app:${CANARY}@[::1/shop`,
    `postgres://app:${CANARY}@@db/shop`,
    `postgres://app:x#${CANARY}@db.invalid/shop`,
    `postgres://app:x/${CANARY}@db.invalid/shop`,
    `postgres://app:x?${CANARY}@db.invalid/shop`,
    `postgres://app:%${CANARY}@db/shop`,
    `postgres://app:${CANARY}@db/shop?sslmode=perhaps`,
    `postgres://db/shop?user=app&password=${CANARY}&port=x`,
    `postgres//app:${CANARY}@db/shop`,
    `app:${CANARY}@db/shop`,
    `mysql://app:${CANARY}@db/shop`,
    `host=db user=app password=${CANARY} port=x`,
    `host=db user=app password='${CANARY} port=5432`,
    `host=db user=app password = ${CANARY} sslmode=perhaps`,
    CANARY,
    `postgres://app:${CANARY}\n@db/shop`,
    `"postgres://app:${CANARY}@db/shop"`,
  ]) {
    it(`is refused without being shown: ${JSON.stringify(address.replaceAll(CANARY, '***'))}`, async () => {
      for (const args of [
        ['status'],
        ['status', '--log-format', 'text'],
        ['status', '--json'],
        ['status', '--database-url', address],
      ]) {
        const env = args.includes('--database-url') ? {} : { DATABASE_URL: address };
        const { code, stdout, stderr } = await runInProcess(
          [...args, '--allow-empty', '--dir', dir, '--connect-wait', '0'],
          { env },
        );
        expect(code, stderr).to.be.oneOf([20, 30]);
        expectNoSecret(stdout, stderr);
      }
    });
  }
});

describe('a server without a free connection', () => {
  let server: Postgres;
  before(async () => {
    server = await ownServer({
      settings: { max_connections: '4', superuser_reserved_connections: '0', max_wal_senders: '0' },
    });
  });
  after(() => server.stop());
  const workspace = useWorkspace(() => server.url);

  it('for longer than --connect-wait: 30, in the words of the server; one that is freed is used', async () => {
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

describe('a server that takes no writes', () => {
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

  it('default_transaction_read_only: commands that write wait, then 30; the others work; and it goes on when it is over', async () => {
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

  it('a standby: the same; and when it is promoted meanwhile, a waiting runner goes on', async () => {
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

describe('a role with too few privileges', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  it('without CREATE: 23, and nothing is left', async () => {
    const { url, name } = await createRole(workspace(), { grant: 'USAGE' });
    const before = await stateOf(workspace());
    for (const command of [['up'], ['baseline', '--to', '001_accounts']]) {
      const result = await runCli(command, { env: { ...workspace().env, DATABASE_URL: url } });
      expectExit(result, 23);
      expect(result.stderr).to.include('42501').and.include('permission denied');
      expect(result.logs.at(-1)!['error'], name).to.include.keys('next');
    }
    expect(await stateOf(workspace())).to.deep.equal(before);
    expect(await workspace().lockSessions()).to.deep.equal([]);
  });

  it('with SELECT on the history only: status and wait work, up ends with 0 while nothing is pending and 23 else', async () => {
    expectExit(await runCli(['up'], workspace()), 0);
    const { url, name } = await createRole(workspace(), { grant: 'USAGE' });
    await workspace().query(`GRANT SELECT ON schema_migrations TO ${name}`);
    const reader = { env: { ...workspace().env, DATABASE_URL: url } };
    expectExit(await runCli(['status', '--exit-code'], reader), 0);
    expectExit(await runCli(['wait', '--timeout', '0'], reader), 0);
    expectExit(await runCli(['lock'], reader), 0);
    expectExit(await runCli(['up'], reader), 0);
    await workspace().write(file(6, 'more', 'CREATE TABLE more ();'));
    expectExit(await runCli(['status', '--exit-code'], reader), 33);
    expectExit(await runCli(['wait', '--timeout', '0'], reader), 33);
    const refused = await runCli(['up'], reader);
    expectExit(refused, 23);
    expect(refused.stderr).to.include('42501');
  });

  it('that may not read the history: 23', async () => {
    expectExit(await runCli(['up'], workspace()), 0);
    const { url } = await createRole(workspace(), { grant: 'USAGE' });
    const result = await runCli(['up'], { env: { ...workspace().env, DATABASE_URL: url } });
    expectExit(result, 23);
    expect(result.stderr).to.include('permission denied for table schema_migrations');
  });

  it('that may not do what a migration does: 40, with the place', async () => {
    const { url } = await createRole(workspace());
    await workspace().write({ '001_accounts.up.sql': 'CREATE TABLE mine ();\nCREATE ROLE somebody_else;\n' });
    const result = await runCli(['up'], { env: { ...workspace().env, DATABASE_URL: url } });
    expectExit(result, 40);
    expect(result.stderr).to.include('42501').and.include('001_accounts.up.sql');
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
    it(`is refused at once with sslmode=${sslmode}: 23`, async () => {
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

  it('is no matter where nothing is verified', async () => {
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

describe('a host name that does not exist', () => {
  const workspace = useWorkspace();

  it('is looked up again and again, as it may still come: 30 after --connect-wait, naming it', async () => {
    await workspace().write(FIVE_FILES);
    const DATABASE_URL = `postgres://app:${CANARY}@not-there.invalid/shop`;
    const env = { ...workspace().env, DATABASE_URL };
    const result = await runCli(['up', '--connect-wait', '1s'], { env });
    expectExit(result, 30);
    expect(result.stderr).to.include('not-there.invalid').and.include('--connect-wait=1s');
    expectNoSecret(result.stdout, result.stderr);
    // Some resolvers take seconds for their answer.
    const looking = startCli(['up'], { env });
    await looking.waitForLog(({ event, ...line }) => event === 'database.waiting' && line['attempt'] === 2);
    looking.kill('SIGTERM');
    expectExit(await looking.exited, 143);
  });
});

describe('a hook that never ends', () => {
  const HOOK_STATEMENT = 'a_hook_that_never_ends';
  const workspace = useWorkspace();
  const hookSessions = (what: string, place = workspace()): Promise<object[]> =>
    place.query(
      `SELECT ${what} FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%${HOOK_STATEMENT}'`,
    );
  beforeEach(() => {
    const place = workspace();
    place.defer(() => hookSessions('pg_terminate_backend(pid)', place));
  });

  for (const [which, hook] of [
    ['waits for ever', 'export default () => new Promise(() => { setInterval(() => undefined, 1_000); });'],
    ['waits for what nobody sends', 'export default () => new Promise(() => undefined);'],
    ['keeps its thread busy', 'export default () => { for (;;); };'],
    [
      'waits for the database',
      `export default async ({ pool }) => { await pool.query("SELECT pg_sleep(3600) AS ${HOOK_STATEMENT}"); };`,
    ],
  ] as const) {
    it(`and ${which}: 35 after --hook-timeout; nothing is recorded, the lock is free, and the next run goes on`, async () => {
      await workspace().write({
        ...FIVE_FILES,
        ...file(6, 'hooked', 'CREATE TABLE hooked ();'),
        '006_hooked.before.mjs': hook,
      });
      const result = await runCli(['up', '--hook-timeout', '500ms'], workspace());
      expectExit(result, 35);
      expect(result.stderr).to.include('006_hooked').and.include('hook-timeout');
      expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
      expect(await workspace().lockSessions()).to.deep.equal([]);
      // It would be in the way of every concurrent build for as long as it runs.
      await eventually(
        'the statement of the hook to be ended on the server',
        async () => (await hookSessions('pid')).length === 0,
        5_000,
      );
      await workspace().write({ '006_hooked.before.mjs': 'export default () => undefined;' });
      expectExit(await runCli(['up'], workspace()), 0);
      expect(await workspace().versions()).to.include('006_hooked');
    });
  }
});
