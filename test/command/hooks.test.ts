/** Pre-migration hooks of the command line: each has its own thread and pool, and cannot crash the run. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { runCli, startCli } from '../support/cli.ts';
import { useWorkspace } from '../support/workspace.ts';
import { documentOf } from '../support/json-documents.ts';

const FILES = {
  '001_t.up.sql': 'CREATE TABLE t (what text, version text, pid int);',
  '002_hooked.up.sql': `INSERT INTO t VALUES ('file', '002_hooked', pg_backend_pid());`,
  '002_hooked.down.sql': `DELETE FROM t WHERE what = 'file';`,
};

describe('a pre-migration hook', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FILES));

  const hook = (text: string): Promise<void> => workspace().write({ '002_hooked.before.mjs': text });
  const body = (text: string): Promise<void> =>
    hook(`export default async ({ pool, version, log, signal }) => {\n${text}\n};\n`);

  async function expectFailure(what: string | RegExp, args: readonly string[] = []): Promise<void> {
    const result = await runCli(['up', '--json', ...args], workspace());
    expect(result.code, result.stderr).to.equal(35);
    const { error, failedVersion } = documentOf('outcome', result) as {
      error: { summary: string };
      failedVersion: string;
    };
    expect(failedVersion).to.equal('002_hooked');
    expect(error.summary).to.match(typeof what === 'string' ? new RegExp(what) : what);
    expect(await workspace().versions()).to.deep.equal(['001_t']);
    expect(await workspace().journalCounts('failed')).to.deep.equal({ '002_hooked': 1 });
    expect(await workspace().lockSessions()).to.deep.equal([]);
  }

  it('receives a pool in the right schema, its version, a log and a signal; its SQL runs before the file, in other sessions', async () => {
    await body(`await pool.query("INSERT INTO t VALUES ('hook', $1, pg_backend_pid())", [version]);
      log('aborted: ' + signal.aborted);`);
    const { code, stdout, stderr, logs } = await runCli(['up'], workspace());
    expect(code, stderr).to.equal(0);
    expect(stdout).to.equal('  up 001_t\n  up 002_hooked\nDone.\n');
    const rows = await workspace().query<{ what: string; version: string; pid: number }>('SELECT * FROM t');
    expect(rows.map(({ what, version }) => [what, version])).to.deep.equal([
      ['hook', '002_hooked'],
      ['file', '002_hooked'],
    ]);
    expect(rows[0]!.pid).to.not.equal(rows[1]!.pid);
    expect(logs.find(({ event }) => event === 'hook.log')).to.deep.include({
      version: '002_hooked',
      text: 'aborted: false',
    });
  });

  it('can take its own locks, including table locks, and need not release its clients', async () => {
    await body(`const client = await pool.connect();
      await client.query('SELECT pg_advisory_lock(${BigInt(workspace().lockKey) - 1n})');
      await client.query('BEGIN; LOCK TABLE t; COMMIT');
      client.release();`);
    const { code, stderr } = await runCli(['up'], workspace());
    expect(code, stderr).to.equal(0);
  });

  it('may leave clients unreleased, and may end the pool itself', async () => {
    await workspace().write({ '001_t.before.mjs': 'export default async ({ pool }) => { await pool.end(); };' });
    await body(`const client = await pool.connect();
      await client.query('BEGIN');
      await client.query("INSERT INTO t VALUES ('hook')");
      void client.query('COMMIT');`);
    const { code, stderr } = await runCli(['up'], workspace());
    expect(code, stderr).to.equal(0);
    expect(await workspace().query('SELECT what FROM t')).to.deep.equal([{ what: 'hook' }, { what: 'file' }]);
  });

  it('does not run for a dry run, for validate, for down, or for an applied version', async () => {
    await body(`await pool.query("INSERT INTO t VALUES ('hook')");`);
    await runCli(['up', '--to', '001_t'], workspace());
    for (const args of [['up', '--dry-run'], ['validate'], ['up'], ['up'], ['down', '--steps', '1']]) {
      expect((await runCli(args, workspace())).code, args.join(' ')).to.equal(0);
    }
    expect(await workspace().query('SELECT what FROM t')).to.deep.equal([{ what: 'hook' }]);
  });

  it('records nothing when it throws, and runs again in the next run', async () => {
    await body(
      `await pool.query("INSERT INTO t VALUES ('hook')"); if (!(await pool.query('SELECT FROM t OFFSET 1')).rowCount) throw new Error('not yet');`,
    );
    await expectFailure('not yet');
    expect((await runCli(['up'], workspace())).code).to.equal(0);
    expect(await workspace().query('SELECT what FROM t')).to.deep.equal([
      { what: 'hook' },
      { what: 'hook' },
      { what: 'file' },
    ]);
  });

  const FAILURES: Readonly<Record<string, readonly [text: string, what: string | RegExp]>> = {
    'throws a value that is not an Error': [`export default () => { throw 'plain words'; };`, 'plain words'],
    'throws an Error, whose location in the file is reported': [
      `\nexport default () => { throw new Error('here'); };`,
      /here \(002_hooked\.before\.mjs:2:\d+\)/,
    ],
    'calls process.exit(0)': ['export default () => process.exit(0);', 'ended its thread with code 0'],
    'throws in a timer callback': [
      `export default () => new Promise(() => setTimeout(() => { throw new Error('late'); }, 10));`,
      'late',
    ],
    'leaves a rejected promise unhandled': [
      `export default () => new Promise(() => { Promise.reject(new Error('forgotten')); setTimeout(() => {}, 60_000); });`,
      'forgotten',
    ],
    'has no default export': ['export const up = () => {};', 'is not a function'],
    'cannot be imported': [`import './not-there.mjs';\nexport default () => {};`, 'not-there'],
    'has a syntax error': ['\nexport default () => {', /Unexpected end of (?:input|file).*002_hooked\.before\.mjs/],
    'does not await its queries': [
      'export default ({ pool }) => { for (let n = 0; n < 9; n += 1) void pool.query("SELECT pg_sleep(0.1)").catch(() => {}); };',
      'await each of them',
    ],
    'leaves a transaction open': [
      `export default async ({ pool }) => (await pool.connect()).query("BEGIN; INSERT INTO t VALUES ('hook')").then(() => {});`,
      'left a transaction open',
    ],
    'runs SQL that fails': [`export default ({ pool }) => pool.query('SELECT nope');`, 'nope'],
  };
  for (const [what, [text, message]] of Object.entries(FAILURES)) {
    it(`makes the run exit with 35 and record nothing when it ${what}`, async () => {
      await hook(text);
      await expectFailure(message, ['--hook-timeout', '3s']);
    });
  }

  for (const [what, text] of [
    ['waits forever', 'await new Promise(() => { setInterval(() => {}, 1000); });'],
    ['never yields', 'for (;;);'],
  ] as const) {
    it(`is ended after --hook-timeout with exit 35 when it ${what}`, async () => {
      await body(text);
      await expectFailure('did not finish within --hook-timeout=0.3s', ['--hook-timeout', '300ms']);
    });
  }

  it('receives an abort signal after --hook-timeout', async () => {
    await body(
      `await new Promise((done) => signal.addEventListener('abort', done)); log('stopped: ' + signal.reason.message);`,
    );
    const { code, logs } = await runCli(['up', '--hook-timeout', '300ms'], workspace());
    expect(logs.filter(({ event }) => event === 'hook.log').map(({ text }) => text)).to.deep.equal([
      'stopped: --hook-timeout is over',
    ]);
    expect(code).to.be.oneOf([0, 35]);
  });

  it('does not starve the run when it keeps its thread busy: the run logs its output, holds the lock, and obeys SIGTERM', async () => {
    await body(`log('busy'); const end = Date.now() + 2_000; while (Date.now() < end); log('done');`);
    const short = startCli(['up'], workspace());
    const { time } = await short.waitForLog('hook.log');
    expect(await workspace().lockSessions()).to.have.lengthOf(1);
    const { code, logs } = await short.exited;
    expect(code).to.equal(0);
    // Its first line arrived while its thread was busy.
    expect(Date.parse(logs.find(({ event }) => event === 'hook.finished')!.time) - Date.parse(time)).to.be.greaterThan(
      1_500,
    );

    await workspace().query(`DELETE FROM schema_migrations WHERE version = '002_hooked'`);
    await body(`log('busy'); for (;;);`);
    const endless = startCli(['up'], workspace());
    await endless.waitForLog('hook.log');
    const told = performance.now();
    endless.kill('SIGTERM');
    const ended = await endless.exited;
    expect(ended.code, ended.stderr).to.equal(143);
    expect(ended.exitedAt - told).to.be.lessThan(5_000);
    await eventually('the lock to be free', async () => (await workspace().lockSessions()).length === 0);
  });

  it('imports from its own directory, and its output never reaches stdout', async () => {
    const folder = join(workspace().dir, 'node_modules', 'greeting');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'package.json'), '{"name":"greeting","main":"index.js"}');
    await writeFile(join(folder, 'index.js'), `module.exports = 'hello from a package';`);
    await workspace().write({ 'near.mjs': `export const near = 'hello from a file';` });
    await hook(`import greeting from 'greeting';\nimport { near } from './near.mjs';
      export default () => { console.log(greeting); console.error(near); process.stdout.write('raw'); };`);
    const result = await runCli(['up', '--json'], workspace());
    expect(result.code, result.stderr).to.equal(0);
    documentOf('outcome', result);
    const said = result.logs.filter(({ event }) => event === 'hook.log').map(({ text }) => text);
    expect(said).to.have.members(['hello from a package', 'hello from a file', 'raw']);
  });
});
