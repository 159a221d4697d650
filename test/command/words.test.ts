/** What the command line forgives, and what it only prints: help, version, completion, files of variables. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { runCli } from '../support/cli.ts';

const env = { PATH: process.env['PATH'] ?? '' };

describe('the words of the command line', () => {
  let dir = '';
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('help and version end with 0 and write to stdout only', async () => {
    for (const args of [['help'], ['help', 'up'], ['-h'], ['up', '-h'], ['version'], ['-V'], ['completion', 'zsh']]) {
      const { code, stdout, stderr } = await runCli(args, { env });
      expect(code, args.join(' ')).to.equal(0);
      expect(stdout).to.match(/^(?:Usage: lockstep up|Applies PostgreSQL|\d+\.\d+\.\d+$|#compdef lockstep)/m);
      expect(stderr).to.equal('');
    }
  });

  it('no words at all print the help on stderr and end with 20', async () => {
    const { code, stdout, stderr } = await runCli([], { env });
    expect(code).to.equal(20);
    expect(stdout).to.equal('');
    expect(stderr).to.include('Usage: lockstep <command>').and.include('CONFIG_INVALID');
  });

  it('words of other migrators end with 20 and the command to run instead', async () => {
    for (const word of ['new', 'rollback', 'migrate', 'redo', 'init']) {
      const { code, stderr } = await runCli([word, '--log-format', 'text'], { env });
      expect(code, word).to.equal(20);
      expect(stderr).to.match(/in Lockstep: lockstep (?:create|up|down)/);
    }
  });

  it('a missing directory suggests the command that creates it', async () => {
    const { code, stderr } = await runCli(['validate', '-d', join(dir, 'none')], { env });
    expect(code).to.equal(21);
    expect(stderr).to.include('lockstep create NAME');
  });

  it('create numbers with the time when asked', async () => {
    const { code, stdout } = await runCli(['create', 'x', '--timestamp', '-d', dir], { env });
    expect(code).to.equal(0);
    expect(stdout).to.match(/\/20\d{12}_x\.up\.sql\n.*\/20\d{12}_x\.down\.sql\n$/);
  });

  it('--env-file adds variables, those that are set win, and no file is read by itself', async () => {
    await writeFile(join(dir, '.env'), `# where\nLOCKSTEP_DIR="${join(dir, 'from-file')}"\nLOCKSTEP_LOG_FORMAT=text\n`);
    const validate = async (args: readonly string[], more: Record<string, string> = {}): Promise<string> =>
      (await runCli(['validate', ...args], { env: { ...env, ...more }, cwd: dir })).stderr;
    expect(await validate(['--env-file', '.env'])).to.match(/^error: .*from-file does not exist/);
    expect(await validate([], { LOCKSTEP_ENV_FILE: '.env' })).to.match(/^error: .*from-file does not exist/);
    expect(await validate(['--env-file', '.env'], { LOCKSTEP_DIR: './set' })).to.include('./set does not exist');
    expect(await validate([]))
      .to.include('./migrations does not exist')
      .and.match(/^\{/);
  });

  it('a file of variables that cannot be read is 20', async () => {
    // As a variable: Node looks for --env-file behind the script, too, and ends with 9 before the script runs.
    const { code, stderr } = await runCli(['up'], { env: { ...env, LOCKSTEP_ENV_FILE: join(dir, 'none') } });
    expect(code).to.equal(20);
    expect(stderr).to.include('ENOENT').and.include('--env-file');
  });

  describe('completion for bash', () => {
    /** What bash offers for the last of these words. */
    async function offered(...words: string[]): Promise<string[]> {
      const { stdout } = await runCli(['completion'], { env: { ...env, SHELL: '/bin/bash' } });
      await writeFile(join(dir, 'completion'), stdout);
      const line = ['lockstep', ...words].map((word) => `'${word}'`).join(' ');
      const script = `source "$1"; COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _lockstep; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return execFileSync('bash', ['-c', script, 'bash', join(dir, 'completion')], { encoding: 'utf8', cwd: dir })
        .trim()
        .split('\n');
    }

    it('offers commands, flags of the command, and values', async () => {
      expect(await offered('st')).to.deep.equal(['status']);
      expect(await offered('down', '--to')).to.deep.equal(['--to', '--to-files']);
      expect(await offered('down', '--from', '')).to.deep.equal(['files', 'stored']);
      expect(await offered('import', '--from', 'go')).to.deep.equal(['golang-migrate', 'goose']);
      expect(await offered('up', '-d', 'comp')).to.deep.equal(['completion']);
      expect(await offered('completion', '')).to.deep.equal(['bash', 'zsh', 'fish']);
    });
  });

  it('there is no completion for another shell', async () => {
    expect((await runCli(['completion', 'powershell'], { env })).code).to.equal(20);
    expect((await runCli(['completion'], { env })).code).to.equal(20);
  });
});
