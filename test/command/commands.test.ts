/** The output of the commands for people and scripts: the lines on stdout and the exit code. */
import { readdir } from 'node:fs/promises';
import { expect } from 'chai';

import { runCli, type CliResult } from '../support/cli.ts';
import { FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS, versionsOf } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { up } from '../support/running.ts';
import { stateOf } from '../support/state.ts';

const VERSIONS = versionsOf(FIVE_FILES);
const NEWEST_FIRST = VERSIONS.toReversed();

describe('the command line', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  const run = (...args: string[]): Promise<CliResult> => runCli(args, workspace());

  /** The lines on stdout; the command must exit with `exit`. */
  async function lines(exit: number, ...args: string[]): Promise<string[]> {
    const { code, stdout, stderr } = await run(...args);
    expect(code, `lockstep ${args.join(' ')}\n${stdout}${stderr}`).to.equal(exit);
    return stdout.trimEnd().split('\n');
  }

  it('up prints a line for each applied or skipped version, and one count when it skips all', async () => {
    expect(await lines(0, 'up', '--to', '002_orders')).to.deep.equal(['  up 001_accounts', '  up 002_orders', 'Done.']);
    expect(await lines(0, 'up')).to.deep.equal([
      ...['  skip 001_accounts (already applied)', '  skip 002_orders (already applied)'],
      ...['  up 003_first_orders', '  up 004_bonus', '  up 005_order_notes', 'Done.'],
    ]);
    expect(await lines(0, 'up')).to.deep.equal(['  skip 5 migrations (already applied)', 'Done.']);
    expect(await lines(0, 'up', '--verbose')).to.deep.equal([
      ...VERSIONS.map((version) => `  skip ${version} (already applied)`),
      'Done.',
    ]);
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
  });

  it('down prints a line for each version, newest first, with --steps, --to and --all', async () => {
    await up(workspace());
    expect(await lines(0, 'down', '--steps', '1')).to.deep.equal(['  down 005_order_notes', 'Done.']);
    expect(await lines(0, 'down', '--to', '002_orders')).to.deep.equal([
      ...['  skip 005_order_notes (not applied)', '  down 004_bonus', '  down 003_first_orders', 'Done.'],
    ]);
    expect(await workspace().versions()).to.deep.equal(VERSIONS.slice(0, 2));
    const [here] = await workspace().query<{ name: string }>('SELECT current_database() AS name');
    const all = await lines(0, 'down', '--all', '--confirm', here!.name);
    expect(all.slice(-3)).to.deep.equal(['  down 002_orders', '  down 001_accounts', 'Done.']);
    expect(await lines(0, 'down', '--all', '--confirm', here!.name)).to.deep.equal([
      '  skip 5 migrations (not applied)',
      'Done.',
    ]);
    expect(await lines(0, 'down', '--all', '--confirm', here!.name, '--verbose')).to.deep.equal([
      ...NEWEST_FIRST.map((version) => `  skip ${version} (not applied)`),
      'Done.',
    ]);
    expect(
      await workspace().query(
        `SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename NOT LIKE 'schema_migrations%'`,
        [workspace().schema],
      ),
    ).to.deep.equal([]);
  });

  it('a dry run prints what would run in either direction, and changes nothing', async () => {
    expect(await lines(0, 'up', '--dry-run'))
      .to.include('  would apply 001_accounts')
      .and.not.include('Done.');
    expect(await stateOf(workspace())).to.deep.equal({ relations: [], rows: {} });
    await up(workspace(), { to: '004_bonus' });
    const before = await stateOf(workspace());
    const down = await lines(0, 'down', '--to', '003_first_orders', '--dry-run');
    expect(down).to.deep.equal([
      'Dry run: nothing was changed.',
      '  would roll back 004_bonus',
      '      UPDATE orders SET total = total - 1;',
    ]);
    expect((await lines(0, 'up', '--dry-run')).filter((line) => line.startsWith('  would'))).to.deep.equal([
      '  would apply 005_order_notes',
    ]);
    expect(await stateOf(workspace())).to.deep.equal(before);
  });

  it('status prints every version and its state; --exit-code exits with 33 while a version is pending', async () => {
    await up(workspace(), { to: '003_first_orders' });
    await workspace().query(`DELETE FROM schema_migrations WHERE version = '002_orders'`);
    await workspace().query(`INSERT INTO schema_migrations (version) VALUES ('099_of_a_newer_image')`);
    await workspace().write({ '001_accounts.up.sql': 'SELECT 1;' });
    const states = (await lines(0, 'status')).flatMap(
      (line) => /^(\d+_\w+) +([a-z ]+?)(?: {2,}.*)?$/.exec(line)?.slice(1, 3).join(': ') ?? [],
    );
    expect(states).to.deep.equal([
      ...['001_accounts: changed', '002_orders: out of order', '003_first_orders: applied'],
      ...['004_bonus: pending', '005_order_notes: pending', '099_of_a_newer_image: unknown'],
    ]);
    await lines(33, 'status', '--exit-code');
    await workspace().query(
      `INSERT INTO schema_migrations (version) VALUES ('002_orders'), ('004_bonus'), ('005_order_notes')`,
    );
    await lines(0, 'status', '--exit-code');
  });

  it('baseline records versions without running them, and prints them', async () => {
    expect(await lines(0, 'baseline', '--to', '002_orders')).to.deep.equal([
      '  baseline 001_accounts',
      '  baseline 002_orders',
      'Done.',
    ]);
    expect(await workspace().versions()).to.deep.equal(['001_accounts', '002_orders']);
    expect(await workspace().query(`SELECT to_regclass('accounts') AS found`)).to.deep.equal([{ found: null }]);
    expect((await lines(0, 'baseline', '--to', '002_orders')).at(-1)).to.equal('Done.');
    await lines(20, 'baseline', '--to', '002_order');
  });

  it('history prints who did what, and the result', async () => {
    expect(await lines(0, 'history')).to.deep.equal(['the journal is empty']);
    await workspace().write({ '006_wrong.up.sql': 'SELECT 1/0;' });
    const { code } = await runCli(['up'], {
      env: { ...workspace().env, LOCKSTEP_RELEASE: 'shop/7@1.2', LOCKSTEP_POD: 'shop-abc' },
    });
    expect(code).to.equal(40);
    const told = await lines(0, 'history');
    expect(told.filter((line) => / applied +00\d_/.test(line))).to.have.lengthOf(5);
    expect(told.find((line) => line.includes(' failed ')))
      .to.include('006_wrong')
      .and.include('shop-abc')
      .and.include('shop/7@1.2')
      .and.include('division by zero');
  });

  it('validate prints the problems of the files, without a database', async () => {
    const env = { PATH: workspace().env['PATH']!, LOCKSTEP_DIR: workspace().dir };
    expect((await runCli(['validate'], { env })).stdout).to.match(/5 migrations, 0 errors, \d+ warnings?\n$/);
    await workspace().write({ '006_wrong.up.sql': 'SELECT 1;\nselec 2;', '005_twin.up.sql': 'SELECT 3;' });
    const { code, stdout } = await runCli(['validate'], { env });
    expect(code).to.equal(21);
    expect(stdout).to.include('006_wrong.up.sql:2:1: error:').and.include('005_twin');
    await workspace().write({ '006_wrong.up.sql': 'SELECT 2;' });
    expect((await runCli(['validate'], { env })).code).to.equal(0);
    expect((await runCli(['validate', '--strict'], { env })).code).to.equal(22);
  });

  it('create writes the next pair of files, which can be applied as they are', async () => {
    const env = { PATH: workspace().env['PATH']!, LOCKSTEP_DIR: workspace().dir };
    const { code, stdout, stderr } = await runCli(['create', 'add_users'], { env });
    expect(code, stderr).to.equal(0);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((path) => path.split('/').at(-1)),
    ).to.deep.equal(['006_add_users.up.sql', '006_add_users.down.sql']);
    expect(await readdir(workspace().dir)).to.include.members(['006_add_users.up.sql', '006_add_users.down.sql']);
    expect((await lines(0, 'up')).slice(-2)).to.deep.equal(['  up 006_add_users', 'Done.']);
    expect((await runCli(['create', '../x'], { env })).code).to.equal(20);
  });

  it('wait returns once nothing is pending, and exits with 33 after its timeout', async () => {
    const { code, stderr } = await run('wait', '--timeout', '0');
    expect(code).to.equal(33);
    expect(stderr).to.include('005_order_notes');
    await up(workspace());
    expect(await lines(0, 'wait', '--timeout', '0')).to.deep.equal(['Nothing is pending.']);
  });
});
