/** A rolled-back version stays rolled back for all known releases, until a later one applies it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { expectExit, runCli, type CliResult } from '../support/cli.ts';
import { FIVE_FILES, versionsOf, type Files } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { documentOf } from '../support/json-documents.ts';
import { done, down, up } from '../support/running.ts';
import { schemaOf } from '../support/schema.ts';
import { stateOf } from '../support/state.ts';

const VERSIONS = versionsOf(FIVE_FILES);
const OLD = VERSIONS.slice(0, 3);

describe('a version that was rolled back', () => {
  const workspace = useWorkspace();
  const dirs: Record<string, string> = {};

  beforeEach(async () => {
    dirs['old'] = await image('old', Object.fromEntries(Object.entries(FIVE_FILES).filter(([name]) => name < '004')));
    dirs['new'] = await image('new', FIVE_FILES);
  });

  async function image(name: string, files: Files): Promise<string> {
    const dir = join(workspace().dir, name);
    await mkdir(dir);
    for (const [file, text] of Object.entries(files)) await writeFile(join(dir, file), text);
    return dir;
  }

  /** The runner's name and release, as the chart sets them. */
  function run(dir: string, release: string | undefined, pod: string, ...args: string[]): Promise<CliResult> {
    const identity = { LOCKSTEP_POD: pod, ...(release !== undefined && { LOCKSTEP_RELEASE: release }) };
    return runCli(args, { env: { ...workspace().env, LOCKSTEP_DIR: dirs[dir] ?? dir, ...identity } });
  }

  /** A release, then a rollback by a person's Job that runs the older image. */
  async function rolledBack(): Promise<void> {
    expectExit(await run('old', 'shop/6@1', 'shop-migrate-6', 'up'), 0);
    expectExit(await run('new', 'shop/7@2', 'shop-migrate-7', 'up'), 0);
    const job = await run('old', 'shop/8@1', 'rollback-1', 'down', '--to-files', '--reason', 'checkout is slow');
    expectExit(job, 0);
    expect(job.stdout).to.equal('  down 005_order_notes\n  down 004_bonus\nDone.\n');
    expect(job.logs.find(({ event }) => event === 'rollback.held')).to.deep.include({
      versions: ['005_order_notes', '004_bonus'],
      reason: 'checkout is slow',
    });
  }

  it('is not applied by ten restarted init containers, which log why; the older image starts; the next release applies it', async () => {
    await rolledBack();
    const before = await stateOf(workspace());
    const pods = await Promise.all(
      Array.from({ length: 10 }, (_, index) => run('new', 'shop@2', `web-${index}`, 'up')),
    );
    for (const pod of pods) {
      expectExit(pod, 22);
      const { error } = pod.logs.find(({ event }) => event === 'run.failed') as unknown as {
        error: { summary: string; problems: string[]; next: string };
      };
      expect(error.summary).to.match(/^004_bonus, 005_order_notes are held/);
      for (const problem of error.problems)
        expect(problem).to.match(
          /00._\w+ was rolled back by rollback-1 \(release shop\/8@1\) at .*Z: checkout is slow/,
        );
      expect(error.next).to.contain('--reapply 004_bonus,005_order_notes');
    }
    expect(await stateOf(workspace())).to.deep.equal(before);

    expectExit(await run('old', 'shop@1', 'web-old', 'up'), 0);
    expect(await workspace().versions()).to.deep.equal(OLD);
    // The first pod of a release records the release, later pods record nothing.
    const seen = await stateOf(workspace());
    expect(
      await workspace().query('SELECT release FROM schema_migrations_journal WHERE event = $1', ['release seen']),
    ).to.deep.equal([{ release: 'shop@1' }]);
    expectExit(await run('old', 'shop@1', 'web-old-2', 'up'), 0);
    expect(await stateOf(workspace())).to.deep.equal(seen);

    const next = await run('new', 'shop/9@2', 'shop-migrate-9', 'up');
    expectExit(next, 0);
    const ended = next.logs.filter(({ event }) => event === 'hold.ended');
    expect(ended.map(({ level, version, because }) => [level, version, because])).to.deep.equal([
      ['warn', '004_bonus', 'new release'],
      ['warn', '005_order_notes', 'new release'],
    ]);
    expect(await workspace().versions()).to.deep.equal(VERSIONS);
    expectExit(await run('new', 'shop@2', 'web-1', 'up'), 0);
  });

  it('is reported by status and wait', async () => {
    await rolledBack();
    const status = await run('new', 'shop@2', 'web-1', 'status', '--json');
    const { migrations, upToDate } = documentOf('status', status) as {
      migrations: { version: string; state: string; hold?: object }[];
      upToDate: boolean;
    };
    expect(upToDate).to.equal(false);
    expect(migrations.map(({ state }) => state)).to.deep.equal([...OLD.map(() => 'applied'), 'held', 'held']);
    expect(migrations[3]!.hold).to.include({ by: 'rollback-1', release: 'shop/8@1', reason: 'checkout is slow' });
    const text = await run('new', undefined, 'laptop', 'status', '--exit-code');
    expectExit(text, 33);
    expect(text.stdout)
      .to.match(/004_bonus +held/)
      .and.match(/held: 004_bonus was rolled back by rollback-1 .*: checkout is slow/);
    const waiting = await run('new', 'shop@2', 'web-1', 'wait', '--timeout', '10m');
    expectExit(waiting, 22);
    expect(waiting.stderr).to.contain('checkout is slow');
    expectExit(await run('old', 'shop@1', 'web-1', 'wait', '--timeout', '0'), 0);
  });

  it('is not applied by a person without a release either, except with --reapply or after repair', async () => {
    await rolledBack();
    const person = await run('new', undefined, 'laptop', 'up');
    expectExit(person, 22);
    expectExit(await run('new', undefined, 'laptop', 'up', '--reapply', '004_bonus', '--to', '004_bonus'), 0);
    const nothing = await run('new', undefined, 'laptop', 'repair');
    expect(nothing.stdout).to.match(
      /^Nothing was repaired\.\n {2}left as it is: 005_order_notes stays held: .*--only 005_order_notes/,
    );
    const planned = await run('new', undefined, 'laptop', 'repair', '--only', '005_order_notes', '--dry-run');
    expect(planned.stdout).to.match(/would repair 005_order_notes: end the hold.*checkout is slow/);
    expectExit(await run('new', 'shop@2', 'web-1', 'up'), 22);
    expectExit(await run('new', undefined, 'laptop', 'repair', '--only', '005_order_notes'), 0);
    expectExit(await run('new', 'shop@2', 'web-1', 'up'), 0);
    expect(await workspace().versions()).to.deep.equal(VERSIONS);
  });

  it('is not applied in a changed file of a known release; a later release ends the hold when it applies the file, not before', async () => {
    await rolledBack();
    const changed = await image('changed', {
      ...FIVE_FILES,
      '004_bonus.up.sql': 'UPDATE orders SET total = total + 2;',
    });
    expectExit(await run(changed, 'shop@2', 'web-1', 'up'), 22);
    const broken = await image('broken', { ...FIVE_FILES, '004_bonus.up.sql': 'UPDATE orders SET totale = 1;' });
    const failed = await run(broken, 'shop/9@3', 'shop-migrate-9', 'up');
    expectExit(failed, 40);
    expect(failed.logs.filter(({ event }) => event === 'hold.ended')).to.deep.equal([]);
    expectExit(await run('new', 'shop@2', 'web-1', 'up'), 22);
    expectExit(await run(changed, 'shop/10@4', 'shop-migrate-10', 'up'), 0);
    expect(
      await workspace().query('SELECT version, hold FROM schema_migrations_journal WHERE hold->>$1 = $2 ORDER BY id', [
        'reason',
        'new release',
      ]),
    ).to.deep.equal(['004_bonus', '005_order_notes'].map((version) => ({ version, hold: { reason: 'new release' } })));
  });

  it('is not applied by a release that never had anything to apply, nor by one of another name', async () => {
    expectExit(await run('new', 'shop/6@1', 'shop-migrate-6', 'up'), 0);
    expectExit(await run('new', 'shop/7@2', 'shop-migrate-7', 'up'), 0);
    expectExit(await run('old', undefined, 'laptop', 'down', '--to-files'), 0);
    for (const release of ['shop/7@2', 'shop@2', 'shop@1', 'stock/1@9', 'stock@9', undefined])
      expectExit(await run('new', release, 'web-1', 'up'), 22);
    expectExit(await run('new', 'shop@3', 'web-1', 'up'), 0);
  });

  it('is not held with --no-hold, nor where no release is known, and the log says so', async () => {
    await workspace().write(FIVE_FILES);
    const not = async (...args: string[]): Promise<void> => {
      const result = await runCli(['down', '--steps', '1', ...args], workspace());
      expect(result.logs.find(({ event }) => event === 'rollback.not-held')).to.deep.include({
        versions: ['005_order_notes'],
        msg: 'not held: the next "up" applies it again',
      });
    };
    await up(workspace());
    await not();
    await up(workspace(), { release: 'shop/7@2' });
    await not('--release', 'shop/7@2', '--no-hold');
    expectExit(await runCli(['up', '--release', 'shop@2'], workspace()), 0);
  });

  it('is held by a shell without a release if a release is known, and can be held later', async () => {
    await workspace().write(FIVE_FILES);
    await up(workspace(), { release: 'shop/7@2' });
    const shell = await runCli(['down', '--to', '004_bonus'], workspace());
    expect(shell.logs.find(({ event }) => event === 'rollback.held')).to.deep.include({
      versions: ['005_order_notes'],
    });
    expectExit(await runCli(['up', '--reapply', '005_order_notes'], workspace()), 0);
    expectExit(await runCli(['down', '--to', '003_first_orders', '--no-hold'], workspace()), 0);
    const later = await runCli(['down', '--to', '004_bonus', '--hold', '--reason', 'slow'], workspace());
    expectExit(later, 24);
    const held = await runCli(['down', '--to', '003_first_orders', '--hold', '--reason', 'slow'], workspace());
    expectExit(held, 0);
    expect(held.logs.find(({ event }) => event === 'rollback.held')).to.deep.include({
      versions: ['005_order_notes', '004_bonus'],
      reason: 'slow',
    });
    const pod = await runCli(['up', '--release', 'shop@2'], workspace());
    expectExit(pod, 22);
    expect(pod.stderr).to.contain('slow');
  });
});

describe('without a release', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  it('a developer can repeat up, down, edit, up', async () => {
    await up(workspace());
    for (const column of ['first', 'second', 'third']) {
      await workspace().write({
        '006_draft.up.sql': `ALTER TABLE orders ADD COLUMN ${column} int;`,
        '006_draft.down.sql': `ALTER TABLE orders DROP COLUMN ${column};`,
      });
      expect(done(await up(workspace()))).to.deep.equal(['006_draft']);
      expect(done(await down(workspace(), { steps: 1 }))).to.deep.equal(['006_draft']);
    }
    // Only the down file was edited in between: up asks which text applies.
    expect(done(await up(workspace()))).to.deep.equal(['006_draft']);
    await workspace().write({ '006_draft.down.sql': 'ALTER TABLE orders DROP COLUMN IF EXISTS third;' });
    expect(done(await down(workspace(), { steps: 1, from: 'files' }))).to.deep.equal(['006_draft']);
  });

  it('a test of reversibility goes up, down to nothing, and up again', async () => {
    const [here] = await workspace().query<{ name: string }>('SELECT current_database() AS name');
    await up(workspace());
    const before = await schemaOf(workspace());
    for (const args of [['down', '--all', '--confirm', here!.name], ['up']]) {
      const result = await runCli(args, workspace());
      expectExit(result, 0);
      expect(result.logs.filter(({ level }) => level === 'warn')).to.deep.equal([]);
    }
    expect(await schemaOf(workspace())).to.deep.equal(before);
  });
});
