/** Every exit code, provoked for real: the right code, a message in three parts, no stack trace, no secret. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { ERRORS } from '../../src/core/errors.ts';
import { expectExit, runCli, startCli, type CliResult } from '../support/cli.ts';
import { useWorkspace } from '../support/workspace.ts';
import { expectNoStack } from '../support/said.ts';

import { CANARY, expectNoSecret, withPassword } from './support/canary.ts';
import { ROWS, type Environment, type Provoking, type Row } from './support/rows.ts';

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

  it('has a row here for each error code', () => {
    const codes = Object.keys(ERRORS) as (keyof typeof ERRORS)[];
    expect(ROWS.flatMap(({ code }) => code ?? [])).to.include.members(codes);
    for (const { exit, code } of ROWS) if (code !== undefined && exit !== 130) expect(ERRORS[code].exit).to.equal(exit);
  });

  for (const row of ROWS) {
    const { exit, code, what, findings = false } = row;
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
      if (!findings) expect(document.error?.code).to.equal(code);
      const last = result.logs.at(-1);
      expect(last).to.include({ event: 'run.failed', level: 'error' });
      const error = last!['error'] as Record<string, unknown>;
      expect(error).to.include({ code, exit });
      expect(error['summary']).to.be.a('string').and.not.equal('');
      expect(error['next'], 'what to do next, in the log').to.be.a('string').and.not.equal('');
      if (!findings)
        expect(document.error?.next, 'what to do next, in the document').to.be.a('string').and.not.equal('');
      expectNoStack(result.stdout, ...(code === 'INTERNAL' ? [] : [result.stderr]));
    });
  }

  it('leaves no secret in the journal', async () => {
    const row = ROWS.find(({ exit }) => exit === 40)!;
    await provoke(row, []);
    const { stdout } = await runCli(['history', '--json'], workspace());
    expect(stdout).to.include('division by zero');
    expectNoSecret(stdout, JSON.stringify(await workspace().query('SELECT * FROM schema_migrations_journal')));
  });
});
