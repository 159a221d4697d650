/** The termination message exists and is valid however a run ends; a run that cannot write it is not affected. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { expectExit, runCli, startCli, type CliResult } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import { holdKey } from '../support/holder.ts';
import { FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { closedPort } from '../support/opening.ts';
import { useWorkspace } from '../support/workspace.ts';
import { valid } from '../support/json-documents.ts';

const VERSIONS = versionsOf(FIVE_FILES);
const MAX_BYTES = 4096;

describe('the termination message', () => {
  const workspace = useWorkspace();
  let folder = '';
  let file = '';

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-termination-'));
    file = join(folder, 'log');
    await workspace().write(FIVE_FILES);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  function env(): Record<string, string> {
    return { ...workspace().env, LOCKSTEP_TERMINATION_LOG: file };
  }

  /** The content of the file, which must match the schema and the exit code. */
  async function message({ code }: CliResult): Promise<Record<string, unknown>> {
    const text = await readFile(file, 'utf8');
    expect(Buffer.byteLength(text)).to.be.at.most(MAX_BYTES);
    const document = valid('termination', text);
    expect(document['exit']).to.equal(code);
    return document;
  }

  async function after(
    exit: number,
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<Record<string, unknown>> {
    const result = await runCli(args, { env: { ...env(), ...more } });
    expectExit(result, exit);
    return await message(result);
  }

  it('reports up, a second up, and down', async () => {
    expect(await after(0, ['up']))
      .to.deep.include({ command: 'up', applied: VERSIONS, appliedCount: 5, pending: [], pendingCount: 0 })
      .and.not.have.property('code');
    expect(await after(0, ['up'])).to.deep.include({ applied: [], pending: [] });
    expect(await after(0, ['down', '--steps', '2'])).to.deep.include({
      command: 'down',
      rolledBack: ['005_order_notes', '004_bonus'],
      pending: ['004_bonus', '005_order_notes'],
    });
    expect(await after(0, ['up', '--dry-run'])).to.deep.include({ dryRun: true, applied: [], pendingCount: 2 });
  });

  it('reports what a failed run applied, what failed, where and why, and what is pending', async () => {
    await workspace().write({
      '004_bonus.up.sql': "SELECT 1;\nINSERT INTO accounts (name) VALUES ('hunter2'), (NULL);",
    });
    const found = await after(40, ['up']);
    expect(found).to.deep.include({
      code: 'MIGRATION_FAILED',
      applied: VERSIONS.slice(0, 3),
      pending: ['004_bonus', '005_order_notes'],
    });
    expect(found['failed']).to.deep.include({
      version: '004_bonus',
      file: '004_bonus.up.sql',
      line: 2,
      sqlstate: '23502',
    });
    expect(JSON.stringify(found)).to.not.include('hunter2');
  });

  it('repeats version, file, line and SQLSTATE of a failure in the pods that did not run it', async () => {
    await workspace().write({ '004_bonus.up.sql': 'SELECT 1;\nSELECT 1/0;' });
    const release = { LOCKSTEP_RELEASE: 'shop@1' };
    await after(40, ['up'], release);
    const failed = {
      version: '004_bonus',
      file: '004_bonus.up.sql',
      line: 2,
      sqlstate: '22012',
      message: '004_bonus.up.sql failed: division by zero (22012)',
    };
    expect(await after(40, ['up'], release)).to.deep.include({ code: 'MIGRATION_FAILED', failed });
    expect(await after(33, ['wait', '--timeout', '0'])).to.deep.include({ code: 'PENDING', failed });
    const ended = await after(33, ['wait', '--fail-on-failure']);
    expect(ended).to.deep.include({
      summary: '004_bonus failed, and no runner is at work (--fail-on-failure)',
      failed,
    });
    const { stdout } = await runCli(['history', '--json'], workspace());
    const { entries } = valid('history', stdout) as { entries: Record<string, unknown>[] };
    expect(entries.find(({ event }) => event === 'failed')).to.include({ line: 2, sqlstate: '22012' });
  });

  it('names the holder of a held lock', async () => {
    const holder = await holdKey(workspace().serverUrl, workspace().lockKey, 'somebody else');
    workspace().defer(() => holder.release());
    const found = await after(31, ['up', '--lock-wait', '0']);
    expect(found).to.deep.include({
      code: 'LOCK_TIMEOUT',
      holder: { pid: holder.pid, applicationName: 'somebody else' },
      pendingCount: 5,
    });
  });

  it('lists all invalid settings, without secrets, before there is a configuration', async () => {
    const found = await after(20, ['up'], {
      LOCKSTEP_LOCK_WAIT: 'long',
      LOCKSTEP_TABLE: 'a.b.c',
      LOCKSTEP_ROLE: 'postgres://u:hunter2@h/d',
    });
    expect(found).to.deep.include({ code: 'CONFIG_INVALID', command: 'up' });
    expect(found['problems']).to.have.length(3);
    expect(JSON.stringify(found)).to.not.include('hunter2');
    expect(await after(20, ['upp']))
      .to.deep.include({ code: 'CONFIG_INVALID' })
      .and.not.have.property('command');
    const flag = join(folder, 'by-flag');
    expectExit(await runCli(['up', '--nonsense', '--termination-log', flag], { env: env() }), 20);
    expect(JSON.parse(await readFile(flag, 'utf8'))).to.include({ exit: 20 });
  });

  const FAILURES: readonly [
    exit: number,
    code: string,
    args: readonly string[],
    prepare?: () => Promise<Readonly<Record<string, string>>>,
  ][] = [
    [21, 'MIGRATIONS_INVALID', ['up'], async () => ({ LOCKSTEP_DIR: folder })],
    [
      22,
      'HISTORY_CONFLICT',
      ['up'],
      async () => {
        await runCli(['up', '--to', '001_accounts'], workspace());
        await workspace().write({ '001_accounts.up.sql': 'SELECT 1;' });
        return {};
      },
    ],
    [
      23,
      'ACCESS_REFUSED',
      ['up'],
      async () => {
        const url = new URL(workspace().url);
        url.pathname = '/no_such_database';
        return { DATABASE_URL: url.href };
      },
    ],
    [24, 'ROLLBACK_REFUSED', ['down']],
    [
      30,
      'DATABASE_UNAVAILABLE',
      ['up', '--connect-wait', '0'],
      async () => ({ DATABASE_URL: `postgres://u:hunter2@127.0.0.1:${await closedPort()}/d` }),
    ],
    [33, 'PENDING', ['wait', '--timeout', '0']],
    [33, 'PENDING', ['status', '--exit-code']],
    [
      35,
      'HOOK_FAILED',
      ['up'],
      async () => {
        await workspace().write({
          '001_accounts.before.mjs': 'export default async () => { throw new Error("no"); };',
        });
        return {};
      },
    ],
  ];
  for (const [exit, code, args, prepare] of FAILURES) {
    it(`reports ${exit} ${code} for lockstep ${args.join(' ')}`, async () => {
      const found = await after(exit, args, await prepare?.());
      expect(found).to.include({ code, command: args[0] });
      expect(found['summary']).to.be.a('string').and.not.empty;
      expect(JSON.stringify(found)).to.not.include('hunter2');
    });
  }

  it('reports what was committed before a signal', async () => {
    const gate = await closeGate(workspace());
    await workspace().write({ '003_first_orders.up.sql': gate.sql });
    const run = startCli(['up'], { env: env() });
    await gate.arrived();
    run.kill('SIGTERM');
    expect(await message(await run.exited)).to.deep.include({
      exit: 143,
      code: 'INTERRUPTED',
      applied: VERSIONS.slice(0, 2),
      pendingCount: 3,
    });
  });

  it('replaces the message of an earlier container', async () => {
    await writeFile(file, 'x'.repeat(10_000));
    await after(0, ['up']);
  });

  it('cuts a long list of versions, and gives their number', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 150 }, (_, index) => [
        `${index + 100}_a_version_with_a_name_of_some_length_so_that_not_all_fit.up.sql`,
        'SELECT 1;',
      ]),
    );
    await workspace().write(many);
    const found = await after(0, ['up']);
    expect(found).to.include({ appliedCount: 155, pendingCount: 0 });
    expect((found['applied'] as string[]).length).to.be.within(5, 154);
  });

  describe('when it cannot be written', () => {
    async function warningsOf(exit: number, args: readonly string[]): Promise<string[]> {
      const result = await runCli(args, { env: env() });
      expectExit(result, exit);
      const warnings = result.logs.filter(({ event }) => event === 'warning').map((line) => String(line['text']));
      // Other tests keep their own histories in this database.
      return warnings.filter((text) => !text.startsWith('this run begins a history'));
    }

    it('causes a log line, and the exit code stays that of the run', async () => {
      file = join(folder, 'no such folder', 'log');
      for (const [exit, args] of [
        [0, ['up']],
        [24, ['down']],
      ] as const) {
        expect(await warningsOf(exit, args))
          .to.have.length(1)
          .and.to.have.nested.property('[0]')
          .that.matches(/^could not write the termination message: ENOENT/);
      }
    });

    it('does not delay the run when the path is a pipe without a reader', async () => {
      execFileSync('mkfifo', [file]);
      expect(await warningsOf(0, ['up'])).to.have.length(1);
    });

    it('is not written to the default path when that does not exist', async () => {
      const there = existsSync('/dev/termination-log');
      expectExit(await runCli(['up'], workspace()), 0);
      expect(existsSync('/dev/termination-log')).to.equal(there);
    });
  });
});
