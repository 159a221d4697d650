/** Renamed files, and old files squashed into one: nothing runs twice, and no warning stays for ever. */
import { expect } from 'chai';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { expectExit, runCli, type CliResult } from '../support/cli.ts';
import { documentOf } from '../support/json-documents.ts';
import { failure, up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

const SEED = 'INSERT INTO settings (name) VALUES (1), (2), (3);\n';

describe('renamed and squashed files', () => {
  const workspace = useWorkspace();

  async function cli(exit: number, ...args: string[]): Promise<CliResult> {
    const result = await runCli(args, workspace());
    expectExit(result, exit);
    return result;
  }

  const remove = (...files: readonly string[]) => Promise.all(files.map((file) => rm(join(workspace().dir, file))));
  const rows = async () => (await workspace().query<{ n: number }>('SELECT count(*)::int AS n FROM settings'))[0]?.n;

  beforeEach(() =>
    workspace().write({
      '001_settings.up.sql': 'CREATE TABLE settings (name int);\n',
      '002_sed.up.sql': SEED,
      '002_sed.down.sql': 'DELETE FROM settings;\n',
    }),
  );

  for (const to of ['002_seed', '0002_sed', '003_sed']) {
    it(`002_sed becomes ${to}: up refuses and names both, repair --rename settles it, and down uses the new name`, async () => {
      await up(workspace());
      const [before] = await workspace().query(`SELECT applied_at FROM schema_migrations WHERE version = '002_sed'`);
      await remove('002_sed.up.sql', '002_sed.down.sql');
      await workspace().write({ [`${to}.up.sql`]: SEED });
      const error = await failure('HISTORY_CONFLICT', up(workspace()));
      expect(error.details.problems?.join()).to.include(to).and.include('002_sed,');
      expect(error.hint).to.include(`lockstep repair --rename 002_sed=${to}`);
      expect((await cli(0, 'repair', '--rename', `002_sed=${to}`, '--dry-run')).stdout).to.match(
        /^ {2}would repair .*: rename 002_sed to /,
      );
      expect(await workspace().versions()).to.deep.equal(['001_settings', '002_sed']);
      await cli(0, 'repair', '--rename', `002_sed=${to}`);
      expect(await workspace().query(`SELECT applied_at FROM schema_migrations WHERE version = '${to}'`)).to.deep.equal(
        [before],
      );
      expect((await cli(0, 'repair', '--rename', `002_sed=${to}`)).stdout).to.equal('Nothing to repair.\n');
      documentOf('history', await cli(0, 'history', '--json'));
      expect((await up(workspace())).done).to.deep.equal([]);
      expect(await rows()).to.equal(3);
      // Its down file is missing; its stored down SQL has moved with it.
      await cli(0, 'down', '--steps', '1', '--from', 'stored');
      expect(await rows()).to.equal(0);
      expect(await workspace().versions()).to.deep.equal(['001_settings']);
    });
  }

  it('the same number with a different text is a hotfix: a warning, and it runs', async () => {
    await up(workspace());
    await remove('002_sed.up.sql', '002_sed.down.sql');
    await workspace().write({ '002_hotfix.up.sql': 'ALTER TABLE settings ADD COLUMN value int; -- it is another one' });
    expect((await cli(22, 'repair', '--rename', '002_sed=002_hotfix')).stderr).to.include(
      '002_hotfix.up.sql differs from the text',
    );
    expect((await cli(0, 'up')).stderr).to.include('002_hotfix (applied: 002_sed)');
  });

  it('refuses all invalid renames together, with 20', async () => {
    await up(workspace());
    const { stderr } = await cli(20, 'repair', '--rename', '002_sed=002_seed,009_x=002_nope');
    for (const words of ['002_sed has a file here', 'there is no 002_seed.up.sql', '009_x is not applied'])
      expect(stderr).to.include(words);
    await cli(20, 'repair', '--rename', '002_sed');
  });

  it('squashed: after baseline no command reports the older rows', async () => {
    await up(workspace());
    await remove('001_settings.up.sql', '002_sed.up.sql', '002_sed.down.sql');
    await workspace().write({ '100_squashed.up.sql': `CREATE TABLE settings (name int);\n${SEED}` });
    expect((await cli(0, 'up', '--dry-run')).stderr).to.include('ahead): 001_settings, 002_sed');
    await cli(0, 'baseline', '--to', '100_squashed');
    await workspace().write({
      '101_more.up.sql': 'ALTER TABLE settings ADD COLUMN value int;',
      '101_more.down.sql': 'ALTER TABLE settings DROP COLUMN value;',
    });
    for (const args of [['up', '--strict'], ['up']]) {
      const { logs } = await cli(0, ...args);
      expect(logs.filter(({ level }) => level === 'warn')).to.deep.equal([]);
    }
    const { migrations } = documentOf('status', await cli(0, 'status', '--json', '--exit-code')) as unknown as {
      migrations: { state: string }[];
    };
    expect(migrations.map(({ state }) => state)).to.deep.equal(['applied', 'applied', 'applied', 'applied']);
    await remove('101_more.up.sql', '101_more.down.sql');
    await cli(0, 'down', '--to-files');
    expect(await workspace().versions()).to.deep.equal(['001_settings', '002_sed', '100_squashed']);
  });

  it('up still reports missing files that were not squashed', async () => {
    await up(workspace());
    await workspace().write({ '003_c.up.sql': 'CREATE TABLE c (x int);' });
    await up(workspace());
    await remove('001_settings.up.sql', '002_sed.up.sql', '002_sed.down.sql');
    expect((await cli(0, 'up')).stderr).to.include('the database is ahead): 001_settings, 002_sed');
    await cli(22, 'up', '--strict');
  });
});
