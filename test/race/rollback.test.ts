/** A rollback among replicas, releases and other rollbacks: they run one after another, and each ends with a reason. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { runMigrations, type MigratorError, type Outcome, type RunMigrationsOptions } from '../../src/index.ts';
import { startCli } from '../support/cli.ts';
import { closeGate, type Gate } from '../support/gate.ts';
import { FIVE_FILES, versionsOf, type Files } from '../support/migrations.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';

const REPLICAS = 10;
const VERSIONS = versionsOf(FIVE_FILES);
const KEPT = VERSIONS.slice(0, 3);
const GONE = ['005_order_notes', '004_bonus'];
const TO = { to: '003_first_orders' } as const;

interface Started {
  readonly recorder: Recorder;
  /** `0`, or the error code. */
  readonly ended: Promise<string>;
  readonly outcome: Promise<Outcome | undefined>;
}

describe('a rollback', () => {
  const workspace = useWorkspace();
  let gate: Gate;
  beforeEach(async () => {
    gate = await closeGate(workspace());
    await workspace().write(FIVE_FILES);
  });

  function start(direction: 'up' | 'down', options: Partial<RunMigrationsOptions> = {}): Started {
    const { url: connectionString, lockKey, dir } = workspace();
    const recorder = new Recorder();
    const work = runMigrations({
      connectionString,
      lockKey,
      dir,
      reporter: recorder,
      ...options,
      direction,
    } as RunMigrationsOptions);
    const outcome = work.catch((error: unknown) => (error as MigratorError).details.outcome);
    const ended = work.then(
      () => '0',
      (error: unknown) => (error as MigratorError).code,
    );
    return { recorder, ended, outcome };
  }

  const replicas = (release?: string, dir = workspace().dir): Started[] =>
    Array.from({ length: REPLICAS }, (_, index) =>
      start('up', { runnerName: `web-${index}`, dir, ...(release !== undefined && { release }) }),
    );
  const rollBack = (options: Partial<RunMigrationsOptions> = {}): Started =>
    start('down', { ...TO, release: 'shop/8@1', reason: 'checkout is slow', runnerName: 'rollback-1', ...options });
  const endings = async (started: readonly Started[]): Promise<string[]> =>
    [...new Set(await Promise.all(started.map(({ ended }) => ended)))].sort();
  const waits = (started: readonly Started[]): Promise<unknown> =>
    Promise.all(started.map(({ recorder }) => recorder.next('lock.waiting')));
  const release = (): Promise<unknown> => start('up', { release: 'shop/7@2', runnerName: 'migrate-7' }).ended;
  /** Writes a file that waits at the gate. */
  const gated = (name: string): Promise<void> =>
    workspace().write({ [name]: `${FIVE_FILES[name] ?? ''}\n${gate.sql}` });

  async function expectRolledBackOnce(): Promise<void> {
    expect(await workspace().versions()).to.deep.equal(KEPT);
    expect(await workspace().journalCounts('rolled back')).to.deep.equal(
      Object.fromEntries(GONE.map((version) => [version, 1])),
    );
    expect(await workspace().journalCounts('applied')).to.deep.equal(
      Object.fromEntries(VERSIONS.map((version) => [version, 1])),
    );
  }

  it('makes ten replicas wait while it runs, and none of them applies again what it removes', async () => {
    await gated('004_bonus.down.sql');
    await release();
    const job = rollBack();
    await gate.arrived();
    // Nothing is pending for them at this moment, but that changes.
    const pods = replicas('shop@2');
    await waits(pods);
    await gate.open();
    expect(await job.ended).to.equal('0');
    expect(await endings(pods)).to.deep.equal(['HISTORY_CONFLICT']);
    await expectRolledBackOnce();
  });

  it('makes ten replicas of the previous release wait while it runs, which then start', async () => {
    const old = join(workspace().dir, 'old');
    await mkdir(old);
    const files: Files = Object.fromEntries(Object.entries(FIVE_FILES).filter(([name]) => name < '004'));
    for (const [name, text] of Object.entries(files)) await writeFile(join(old, name), text);
    await gated('004_bonus.down.sql');
    await release();
    const job = rollBack({ dir: old });
    await gate.arrived();
    const pods = replicas('shop@1', old);
    await waits(pods);
    await gate.open();
    expect(await job.ended).to.equal('0');
    expect(await endings(pods)).to.deep.equal(['0']);
    await expectRolledBackOnce();
  });

  it('that starts at the same moment as ten replicas runs once, and is not undone', async () => {
    await release();
    await gate.open();
    const started = [...replicas('shop@2'), rollBack()];
    const [last, ...pods] = started.toReversed();
    expect(await last!.ended).to.equal('0');
    // Replicas that checked before the rollback had nothing to do; the others find the hold.
    for (const ending of await endings(pods)) expect(ending).to.be.oneOf(['0', 'HISTORY_CONFLICT']);
    for (const { outcome } of pods) expect((await outcome)?.done).to.deep.equal([]);
    await expectRolledBackOnce();
  });

  it('that starts at the same moment as ten replicas: as processes, by the command line', async () => {
    await release();
    await gate.open();
    const env = workspace().env;
    const pods = Array.from({ length: REPLICAS }, (_, index) =>
      startCli(['up'], { env: { ...env, LOCKSTEP_RELEASE: 'shop@2', LOCKSTEP_POD: `web-${index}` } }),
    );
    const job = startCli(['down', '--to', TO.to], { env: { ...env, LOCKSTEP_RELEASE: 'shop/8@1' } });
    expect((await job.exited).code).to.equal(0);
    for (const pod of pods) expect((await pod.exited).code).to.be.oneOf([0, 22]);
    await expectRolledBackOnce();
  });

  it('waits for a running up, and rolls back what that has applied', async () => {
    await gated('005_order_notes.up.sql');
    const deployment = start('up', { release: 'shop/7@2' });
    await gate.arrived();
    const job = rollBack();
    await job.recorder.next('lock.waiting');
    const pods = replicas('shop@2');
    await gate.open();
    expect(await deployment.ended).to.equal('0');
    expect((await job.outcome)?.done.map(({ version }) => version)).to.deep.equal(GONE);
    for (const ending of await endings(pods)) expect(ending).to.be.oneOf(['0', 'HISTORY_CONFLICT']);
    await expectRolledBackOnce();
  });

  it('to the currently newest version waits for a running up, and removes what that adds', async () => {
    await start('up', { to: '003_first_orders', release: 'shop/6@1' }).ended;
    await gated('004_bonus.up.sql');
    const deployment = start('up', { release: 'shop/7@2' });
    await gate.arrived();
    const job = rollBack();
    await job.recorder.next('lock.waiting');
    await gate.open();
    expect(await endings([deployment, job])).to.deep.equal(['0']);
    expect((await job.outcome)?.done.map(({ version }) => version)).to.deep.equal(GONE);
    await expectRolledBackOnce();
  });

  it('beside another one to the same version runs once', async () => {
    await gated('005_order_notes.down.sql');
    await release();
    const first = rollBack();
    await gate.arrived();
    const second = rollBack({ runnerName: 'rollback-2' });
    await second.recorder.next('lock.waiting');
    await gate.open();
    expect(await endings([first, second])).to.deep.equal(['0']);
    expect((await second.outcome)?.done).to.deep.equal([]);
    await expectRolledBackOnce();
  });

  it('by steps beside another one does not go further than either intended', async () => {
    await gated('005_order_notes.down.sql');
    await release();
    const first = start('down', { steps: 1, release: 'shop/8@1' });
    await gate.arrived();
    const second = start('down', { steps: 1, release: 'shop/8@1' });
    await second.recorder.next('lock.waiting');
    await gate.open();
    expect(await first.ended).to.equal('0');
    expect(await second.ended).to.equal('ROLLBACK_REFUSED');
    expect(await workspace().versions()).to.deep.equal(VERSIONS.slice(0, 4));
  });

  it('without a release holds no version: replicas that wait apply it again, once', async () => {
    await gated('004_bonus.down.sql');
    await start('up').ended;
    const job = start('down', TO);
    await gate.arrived();
    const pods = replicas();
    await waits(pods);
    await gate.open();
    expect(await job.ended).to.equal('0');
    expect(await endings(pods)).to.deep.equal(['0']);
    expect(await workspace().versions()).to.deep.equal(VERSIONS);
    expect(await workspace().journalCounts('applied')).to.include({
      '004_bonus': 2,
      '005_order_notes': 2,
      '003_first_orders': 1,
    });
  });
});
