/** `validate --since`: which files are new by git, in repositories of all kinds. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { runCli, type CliResult } from '../support/cli.ts';

const TABLE = 'CREATE TABLE t (a int);\n';
const INDEX = 'CREATE INDEX i ON t (a);\n';
const ENV = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', GIT_CONFIG_GLOBAL: '/dev/null' };
const WHO = ['-c', 'user.name=x', '-c', 'user.email=x@example.org'];

describe('validate --since', () => {
  let root = '';
  let dir = '';

  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-C', root, ...WHO, ...args], { env: ENV, encoding: 'utf8', stdio: 'pipe' });
  const commit = (): void => {
    git('add', '-A');
    git('commit', '-qm', 'x');
  };
  const write = async (files: Readonly<Record<string, string>>): Promise<void> => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  };
  const validate = (ref: string, env: Readonly<Record<string, string>> = ENV): Promise<CliResult> =>
    runCli(['validate', '--json', '--since', ref, '--dir', dir], { env, cwd: root });
  const filesOf = ({ stdout }: CliResult): string[] =>
    (JSON.parse(stdout) as { findings: { file: string }[] }).findings.map(({ file }) => file);

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'lockstep since é '));
    dir = join(root, 'db', 'my migrations');
    await mkdir(dir, { recursive: true });
    execFileSync('git', ['init', '-q', '-b', 'main', root], { env: ENV });
    await write({ '001_a.up.sql': TABLE, '002_b.up.sql': INDEX });
    commit();
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('reports what is committed since, staged, or unknown to git, by names of any kind', async () => {
    git('checkout', '-qb', 'topic');
    await write({ '003_é ü.up.sql': INDEX });
    commit();
    await write({ '004_staged.up.sql': INDEX });
    git('add', '-A');
    await write({ '005_new.up.sql': INDEX });
    const result = await validate('main');
    expect(result.code).to.equal(0);
    expect(filesOf(result)).to.deep.equal(['003_é ü.up.sql', '004_staged.up.sql', '005_new.up.sql']);
    expect(filesOf(await validate('HEAD'))).to.deep.equal(['004_staged.up.sql', '005_new.up.sql']);
  });

  it('takes a renamed file for a new one, and a changed one for an old one', async () => {
    await rename(join(dir, '002_b.up.sql'), join(dir, '003_b.up.sql'));
    await write({ '001_a.up.sql': `${TABLE}${INDEX}` });
    expect(filesOf(await validate('main'))).to.deep.equal(['003_b.up.sql']);
  });

  it('does not report what the ref has got since the branch left it', async () => {
    git('checkout', '-qb', 'topic');
    await write({ '003_mine.up.sql': INDEX });
    commit();
    git('checkout', '-q', 'main');
    await write({ '004_theirs.up.sql': INDEX });
    commit();
    git('checkout', '-q', 'topic');
    expect(filesOf(await validate('main'))).to.deep.equal(['003_mine.up.sql']);
  });

  it('works in a linked worktree and in a shallow clone', async () => {
    git('worktree', 'add', '-q', '-b', 'topic', join(root, 'tree'));
    dir = join(root, 'tree', 'db', 'my migrations');
    await write({ '003_c.up.sql': INDEX });
    expect(filesOf(await validate('main'))).to.deep.equal(['003_c.up.sql']);

    git('-C', join(root, 'tree'), 'add', '-A');
    git('-C', join(root, 'tree'), 'commit', '-qm', 'x');
    const clone = join(root, 'clone');
    const from = `file://${root}`;
    execFileSync('git', ['clone', '-q', '--depth', '1', '--branch', 'topic', from, clone], { env: ENV, stdio: 'pipe' });
    git('-C', clone, 'fetch', '-q', '--depth', '1', 'origin', 'main:refs/remotes/origin/main');
    dir = join(clone, 'db', 'my migrations');
    expect(filesOf(await validate('origin/main'))).to.deep.equal(['003_c.up.sql']);
  });

  for (const [what, ref, env, why] of [
    ['a ref that is not there', 'origin/main', ENV, /there is no such ref/],
    ['a ref like an option', '--output=x', ENV, /there is no such ref|needs a value|unknown/],
    ['no program git', 'main', { ...ENV, PATH: '/nonexistent' }, /there is no program git here/],
    ['a repository of somebody else', 'main', { ...ENV, GIT_TEST_ASSUME_DIFFERENT_OWNER: '1' }, /dubious ownership/],
  ] as const) {
    it(`ends with 20 for ${what}`, async () => {
      const { code, stdout, stderr } = await validate(ref, env);
      expect(code).to.equal(20);
      expect(`${stdout}${stderr}`).to.match(why);
    });
  }

  it('ends with 20 outside a repository', async () => {
    await rm(join(root, '.git'), { recursive: true });
    const { code, stdout } = await validate('main', { ...ENV, GIT_CEILING_DIRECTORIES: tmpdir() });
    expect(code).to.equal(20);
    expect(stdout).to.match(/not a git repository/);
  });
});
