/**
 * A hook cannot send messages in the run's name or exhaust its memory, and is not blamed when it cannot get a
 * connection.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { expectExit, runCli, startCli, type CliOptions, type CliResult } from '../support/cli.ts';
import { createRole } from '../support/roles.ts';
import { skip } from '../support/skip.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('a hook', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write({ '001_a.up.sql': 'CREATE TABLE a ();' }));

  const hook = (text: string): Promise<void> => workspace().write({ '001_a.before.mjs': text });
  const said = ({ logs }: CliResult): string[] =>
    logs.filter(({ event }) => event === 'hook.log').map(({ text }) => String(text));

  async function expectFailure(
    args: readonly string[],
    exit: number,
    options: CliOptions = workspace(),
  ): Promise<CliResult> {
    const result = await runCli(['up', ...args], options);
    expectExit(result, exit);
    const [{ applied }] = (await workspace().query<{ applied: number }>(
      'SELECT count(*)::int AS applied FROM schema_migrations',
    )) as [{ applied: number }];
    expect(applied).to.equal(0);
    expect(await workspace().lockSessions()).to.deep.equal([]);
    return result;
  }

  describe('cannot forge messages to the run', () => {
    const threads = `import { isMainThread, parentPort, workerData } from 'node:worker_threads';`;
    const words = `[null, undefined, 'done', { type: 'done' }, { type: 'failed', message: 'no' }, { type: 'log' }, { type: 'nothing' }, 7]`;
    const ATTEMPTS: Readonly<Record<string, string>> = {
      'on the port of its thread': `${threads}\nexport default () => { for (const word of ${words}) parentPort.postMessage(word);`,
      'on a port in the workerData of its thread': `${threads}\nexport default () => { for (const value of Object.values(workerData)) for (const word of ${words}) value?.postMessage?.(word);`,
      'on a port that the thread holds open': `export default () => { for (const handle of process._getActiveHandles()) for (const word of ${words}) handle?.postMessage?.(word);`,
      'through the prototype': `
        const { postMessage } = MessagePort.prototype;
        const ports = new Set();
        MessagePort.prototype.postMessage = function (word, ...rest) { ports.add(this); return postMessage.call(this, word, ...rest); };
        export default ({ log }) => { log('hello'); for (const port of ports) for (const word of ${words}) postMessage.call(port, word);`,
    };
    for (const [how, text] of Object.entries(ATTEMPTS)) {
      it(`${how}: the hook still succeeds only when it returns, and fails when it throws`, async () => {
        await hook(`${text} throw new Error('the truth'); };`);
        const failed = await expectFailure([], 35);
        expect(failed.stderr).to.include('the truth');
        await hook(`${text} };`);
        expectExit(await runCli(['up'], workspace()), 0);
      });
    }
  });

  describe('has a memory limit', () => {
    const peak = `Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1])`;
    const LOUD: Readonly<Record<string, string>> = {
      'log lines': `for (let n = 0; n < 300_000; n += 1) log(n + ' ' + 'x'.repeat(90));`,
      'output on stdout': `for (let n = 0; n < 300_000; n += 1) console.log(n + ' ' + 'x'.repeat(90));`,
      'output without a line break': `for (let n = 0; n < 3_000; n += 1) process.stderr.write('x'.repeat(10_000));`,
      'a single line': `log('x'.repeat(20_000_000)); console.log('y'.repeat(20_000_000));`,
    };
    for (const [what, text] of Object.entries(LOUD)) {
      it(`for ${what}; all lines arrive, and the longest are shortened in the middle`, async function () {
        if (process.platform !== 'linux') skip(this, 'How much a process takes is read from /proc.');
        await hook(
          `import { readFileSync } from 'node:fs';\nexport default ({ log }) => { ${text} log('peak ' + ${peak}); };`,
        );
        const result = await runCli(['up'], workspace());
        expectExit(result, 0);
        const lines = said(result);
        if (text.includes('300_000')) expect(lines).to.have.lengthOf(300_001);
        for (const line of lines) expect(line.length).to.be.lessThan(16_200);
        if (text.includes('20_000_000')) expect(lines.join()).to.include('characters in all');
        expect(Number(/^peak (\d+)$/.exec(lines.at(-1) ?? '')?.[1])).to.be.lessThan(256 * 1024);
      });
    }

    /** Each stops by itself, so that a broken limit does not exhaust the machine. */
    const HOGS: Readonly<Record<string, string>> = {
      objects: 'const all = []; while (all.length < 3e7) all.push({ n: all.length });',
      'a map': 'const all = new Map(); while (all.size < 1e7) all.set(all.size, {});',
      text: `const all = []; while (all.length < 1e6) all.push(('x' + all.length).repeat(1_000));`,
      buffers: 'const all = []; while (all.length < 1_000) all.push(Buffer.alloc(1_000_000, 1));',
      rows: `const all = []; while (all.length < 300) all.push((await pool.query("SELECT g, repeat('x', 100) FROM generate_series(1, 10000) g")).rows);`,
    };
    for (const [what, text] of Object.entries(HOGS)) {
      it(`for ${what}: the run exits with 35 and a hint`, async () => {
        await hook(`export default async ({ pool }) => { ${text} };`);
        const { stderr } = await expectFailure(['--hook-memory', '64Mi'], 35);
        expect(stderr).to.include('used more memory than --hook-memory=64Mi').and.include('in batches');
      });
    }

    it('that garbage does not count towards', async () => {
      await hook(
        `export default () => { for (let n = 0; n < 40; n += 1) { const rows = Array.from({ length: 50_000 }, (_, id) => ({ id, name: 'row ' + id })); new Map(rows.map((row) => [row.id, row])); Buffer.alloc(10_000_000, 1); } };`,
      );
      expectExit(await runCli(['up', '--hook-memory', '96Mi'], workspace()), 0);
    });
  });

  describe('gets connections in the same way as the run', () => {
    const QUERY = `export default async ({ pool }) => { await pool.query('SELECT 1'); };`;
    const isRefused =
      (sqlstate: string) =>
      ({ event, error }: { readonly event: string; readonly error?: unknown }): boolean =>
        event === 'database.waiting' && (error as { sqlstate?: string }).sqlstate === sqlstate;

    it('retries until a connection slot is free', async () => {
      const role = await createRole(workspace());
      await workspace().query(`ALTER ROLE ${role.name} CONNECTION LIMIT 1`);
      await hook(QUERY);
      const run = startCli(['up'], { env: { ...workspace().env, DATABASE_URL: role.url } });
      await run.waitForLog(isRefused('53300'));
      await workspace().query(`ALTER ROLE ${role.name} CONNECTION LIMIT 5`);
      expectExit(await run.exited, 0);
    });

    for (const [when, text] of Object.entries({
      'in a query': `await pool.query('SELECT pg_terminate_backend(pg_backend_pid())');`,
      'between queries': `
        const client = await pool.connect();
        const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
        await pool.query('SELECT pg_terminate_backend($1, 5000)', [rows[0].pid]);
        try { for (;;) await client.query('SELECT 1'); } finally { client.release(); }`,
    })) {
      it(`a connection lost ${when} makes the run exit with 30, not 35, and the next run retries at once`, async () => {
        await hook(`export default async ({ pool }) => { ${text} };`);
        const env = { ...workspace().env, LOCKSTEP_RELEASE: 'web@1' };
        for (let run = 0; run < 2; run += 1) {
          const { stderr } = await expectFailure([], 30, { env });
          expect(stderr).to.include('the connection of the hook of');
        }
      });
    }

    for (const [when, text] of Object.entries({
      'continues on another connection after a loss': `await pool.query('SELECT pg_terminate_backend(pg_backend_pid())').catch(() => undefined); await pool.query('SELECT 1');`,
      'lost only an idle connection': `
        const [idle, other] = [await pool.connect(), await pool.connect()];
        const { rows } = await idle.query('SELECT pg_backend_pid() AS pid');
        idle.release();
        const lost = new Promise((resolve) => pool.once('remove', resolve));
        await other.query('SELECT pg_terminate_backend($1, 5000)', [rows[0].pid]);
        await lost;`,
    })) {
      it(`a hook that ${when} is blamed for its own later failure`, async () => {
        await hook(`export default async ({ pool }) => { ${text} throw new Error('its own'); };`);
        expect((await expectFailure([], 35)).stderr).to.include('its own');
      });
    }

    for (const [how, text] of Object.entries({
      'pool.query': QUERY,
      'pool.connect': `export default async ({ pool }) => { (await pool.connect()).release(); };`,
      'an error around it': `export default async ({ pool }) => { await pool.query('SELECT 1').catch((cause) => { throw new Error('no rows', { cause }); }); };`,
      'many at once': `export default async ({ pool }) => { await Promise.all(Array.from({ length: 9 }, () => pool.query('SELECT 1'))); };`,
    })) {
      it(`no free connection slot, with ${how}: the run exits with 30, not 35`, async () => {
        const role = await createRole(workspace());
        await workspace().query(`ALTER ROLE ${role.name} CONNECTION LIMIT 1`);
        await hook(text);
        const result = await expectFailure(['--connect-wait', '1s'], 30, {
          env: { ...workspace().env, DATABASE_URL: role.url },
        });
        expect(result.stderr).to.include('the connection of the hook of').and.include('53300');
        expect(result.logs.filter(isRefused('53300'))).to.not.be.empty;
      });
    }

    it('a hook that exhausts its own pool is blamed for it', async () => {
      await hook(
        `export default async ({ pool }) => { await Promise.all([1, 2, 3, 4].map(() => pool.connect())); await pool.connect(); };`,
      );
      const url = new URL(workspace().url);
      url.searchParams.set('connect_timeout', '1');
      await expectFailure([], 35, { env: { ...workspace().env, DATABASE_URL: url.href } });
    });

    it('ignores the timeouts of the role', async () => {
      const timeouts = { statement_timeout: '150ms', lock_timeout: '150ms', idle_session_timeout: '150ms' };
      const role = await createRole(workspace(), { settings: timeouts });
      await hook(`export default async ({ pool, log }) => {
        await pool.query('SELECT pg_sleep(0.3)');
        for (const name of ${JSON.stringify(Object.keys(timeouts))}) log((await pool.query('SHOW ' + name)).rows[0][name]);
      };`);
      const result = await runCli(['up'], { env: { ...workspace().env, DATABASE_URL: role.url } });
      expectExit(result, 0);
      expect(said(result)).to.deep.equal(['0', '0', '0']);
    });

    it('keeps the timeouts in the address', async () => {
      await hook(
        `export default async ({ pool, log }) => log((await pool.query('SHOW statement_timeout')).rows[0].statement_timeout);`,
      );
      const url = new URL(workspace().url);
      url.searchParams.set('statement_timeout', '7s');
      const result = await runCli(['up'], { env: { ...workspace().env, DATABASE_URL: url.href } });
      expectExit(result, 0);
      expect(said(result)).to.deep.equal(['7s']);
    });
  });

  it('does not run when a signal arrives while it starts, and the run obeys the signal', async () => {
    await hook(
      `export default ({ log }) => { log('it runs'); return new Promise(() => setInterval(() => {}, 1_000)); };`,
    );
    const run = startCli(['up'], workspace());
    await run.waitForLog('hook.started');
    run.kill('SIGTERM');
    const result = await run.exited;
    expectExit(result, 143);
    await eventually('the lock to be free', async () => (await workspace().lockSessions()).length === 0);
    await writeFile(join(workspace().dir, '001_a.before.mjs'), 'export default () => undefined;');
    expectExit(await runCli(['up'], workspace()), 0);
  });
});
