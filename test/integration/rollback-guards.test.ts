/** A wrong mount never loses data: each of these commands would roll back versions that are still in use. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { runCli, type CliResult } from '../support/cli.ts';
import { FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS, versionsOf, type Files } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { failure, down, up } from '../support/running.ts';

const VERSIONS = versionsOf(FIVE_FILES);

describe('a rollback that would lose data by mistake', () => {
  const workspace = useWorkspace();

  beforeEach(async () => {
    await workspace().write(FIVE_FILES);
    await up(workspace());
  });

  async function mounted(files: Files): Promise<string> {
    const dir = join(workspace().dir, 'mounted');
    await mkdir(dir);
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
    return dir;
  }

  const only = (...versions: readonly string[]): Files =>
    Object.fromEntries(
      Object.entries(FIVE_FILES).filter(([name]) => versions.some((version) => name.startsWith(version))),
    );

  async function refused(
    exit: number,
    words: RegExp,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<CliResult> {
    const result = await runCli(['down', '--log-format', 'text', ...args], { env: { ...workspace().env, ...env } });
    expect(result.code, result.stderr).to.equal(exit);
    expect(result.stderr).to.match(words);
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
    expect(await workspace().versions()).to.deep.equal(VERSIONS);
    return result;
  }

  it('--to-files with an empty directory', async () => {
    const dir = await mounted({});
    await refused(24, /there are no migration files, so every version would be rolled back/, [
      '--to-files',
      '--dir',
      dir,
    ]);
    await refused(24, /there are no migration files/, ['--to-files', '--dir', dir, '--allow-empty']);
    await refused(24, /there are no migration files/, [], {
      LOCKSTEP_TO_FILES: 'true',
      LOCKSTEP_ALLOW_EMPTY: 'true',
      LOCKSTEP_DIR: dir,
    });
    await failure('ROLLBACK_REFUSED', down(workspace(), { dir, toFiles: true, allowEmpty: true }));
  });

  it('--to-files with a directory that does not exist', async () => {
    await refused(21, /does not exist/, ['--to-files', '--dir', join(workspace().dir, 'nothing'), '--allow-empty']);
  });

  it('--to-files with the newest file not applied: these are not the files of an older release', async () => {
    const dir = await mounted({ ...only('001'), '001_other.up.sql': 'SELECT 1;', '001_other.down.sql': 'SELECT 1;' });
    await refused(24, /001_other, the newest file, is not applied; the newest applied are 005_order_notes/, [
      '--to-files',
      '--dir',
      dir,
    ]);
  });

  it('--to-files with an unknown version older than the newest file: some files are missing', async () => {
    const dir = await mounted(only('001', '003'));
    await refused(24, /they lack 002_orders, older than their newest file, 003_first_orders/, [
      '--to-files',
      '--dir',
      dir,
    ]);
  });

  it('--all without --confirm, or with the name of another database', async () => {
    await refused(24, /--all needs --confirm/, ['--all']);
    await refused(24, /--confirm says "production", but the connected database is/, [
      '--all',
      '--confirm',
      'production',
    ]);
    await refused(24, /--all needs --confirm/, [], { LOCKSTEP_ALL: 'true' });
  });

  it('--to with a version that is not applied, or misspelt', async () => {
    await refused(24, /002_order is not applied.*the newest applied are 005_order_notes/, ['--to', '002_order']);
  });

  it('no target: the error lists the targets', async () => {
    await refused(
      24,
      /down needs a target; the newest applied are 005_order_notes, 004_bonus, 003_first_orders, 002_orders, 001_accounts/,
      [],
    );
    await refused(24, /down needs a target \(ROLLBACK_REFUSED\)/, ['--connect-wait', '0'], {
      DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
    });
  });

  it('a plain rollback without files needs --allow-empty', async () => {
    await refused(21, /no migration files/, ['--to', '001_accounts', '--dir', await mounted({})]);
  });
});
