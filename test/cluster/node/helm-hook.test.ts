/** The hook Job of the chart on a real node: an install, upgrades, one that fails, and its repair. */
import { expect } from 'chai';

import { requireHelm, requireHelm3 } from '../../chart/support/helms.ts';
import { eventually } from '../../support/bounded.ts';
import { versionsOf } from '../../support/migrations.ts';
import { endingOf, isReady, names, toldBy, uids } from './support/pods.ts';
import { RELEASES } from './support/releases.ts';
import { succeeds, useShop } from './support/shop.ts';

const migrate = (revision: number): string => `shop-lockstep-migrate-${revision}`;
const HOOK = ['lockstep.mode=hook', 'replicaCount=2'];
const FIRST = versionsOf(RELEASES.v1);
const SECOND = versionsOf(RELEASES.v2);

describe('the hook on a node', function () {
  this.timeout(300_000);
  const shop = useShop();

  for (const [version, find] of [
    ['Helm 4', requireHelm],
    ['Helm 3', requireHelm3],
  ] as const) {
    it(`by ${version}: migrates at an install and an upgrade; an upgrade that changes nothing restarts no pod`, async function () {
      const helm = await find(this);
      await shop().deploy('v1', HOOK, { helm });
      expect(await shop().database.versions()).to.deep.equal(FIRST);
      const installed = await shop().ended(migrate(1));
      expect(await shop().reasons('Job', installed)).to.deep.equal([
        'MigrationStarted',
        'MigrationApplied',
        'MigrationApplied',
        'MigrationsCompleted',
      ]);
      const [pod, ...more] = await shop().podsOfJob(migrate(1));
      expect(more).to.deep.equal([]);
      expect(toldBy(pod!)).to.include({ exit: 0, appliedCount: 2 });
      const first = await shop().readyPods(2);
      for (const each of first) expect(endingOf(each)?.exitCode).to.equal(0);

      await shop().deploy('v2', HOOK, { helm });
      expect(await shop().database.versions()).to.deep.equal(SECOND);
      const upgraded = await shop().ended(migrate(2));
      expect(await shop().reasons('Job', upgraded)).to.deep.equal([
        'MigrationStarted',
        'MigrationApplied',
        'MigrationsCompleted',
      ]);
      await shop().rolledOut();
      const second = await shop().readyPods(2);
      expect(uids(second)).not.to.have.members(uids(first));

      await shop().deploy('v2', HOOK, { helm });
      expect(await shop().reasons('Job', await shop().ended(migrate(3)))).to.deep.equal(['MigrationsUpToDate']);
      await shop().rolledOut();
      expect(uids(await shop().readyPods(2))).to.deep.equal(uids(second));
      expect(await shop().database.journal('applied')).to.deep.equal(SECOND);
      succeeds(await shop().helm(['test', 'shop'], helm));
    });
  }

  it('stops an upgrade whose migration fails, at once, while the old pods serve; the repaired one succeeds', async () => {
    await shop().deploy('v1', HOOK);
    const before = await shop().readyPods(2);

    const { code, stdout, stderr } = await shop().upgrade('v2-broken', HOOK);
    expect(code, stdout).not.to.equal(0);
    expect(stdout + stderr, 'Helm prints the log of the Job').to.match(/type \\+"inte\\+" does not exist/);
    const failed = await shop().ended(migrate(2));
    expect(failed.status.failed, 'one pod, though the backoffLimit is 3').to.equal(1);
    const condition = failed.status.conditions?.find(({ type }) => type === 'Failed');
    expect(condition?.reason).to.equal('PodFailurePolicy');
    expect(condition?.message).to.match(
      /^Container lockstep for pod \S+ failed with exit code 40 matching FailJob rule at index 1$/,
    );
    const [pod, ...more] = await shop().podsOfJob(migrate(2));
    expect(more).to.deep.equal([]);
    expect(endingOf(pod!)).to.include({ exitCode: 40, reason: 'Error' });
    const told = toldBy(pod!);
    expect(told).to.include({ exit: 40, code: 'MIGRATION_FAILED', appliedCount: 0 });
    expect(told.failed).to.include({ version: '003_add_total', line: 2, sqlstate: '42704' });
    const message = String.raw`MIGRATION_FAILED \(exit 40\): 003_add_total\.up\.sql failed \(line 2\): type "inte" does not exist`;
    expect(await shop().kubectl('events', '--for', `job/${migrate(2)}`)).to.match(
      new RegExp(`Warning +MigrationFailed +Job/shop-lockstep-migrate-2 +${message}`),
    );
    expect(await shop().kubectl('describe', 'job', migrate(2))).to.match(
      new RegExp(String.raw`Warning +MigrationFailed +\S+ +lockstep +${message}`),
    );
    const after = await shop().readyPods(2);
    expect(uids(after)).to.deep.equal(uids(before));
    for (const each of after) expect(await shop().ask(each)).to.equal('shop');
    expect(await shop().database.versions()).to.deep.equal(FIRST);

    await shop().deploy('v2', HOOK);
    await shop().rolledOut();
    expect(await shop().database.journal('applied')).to.deep.equal(SECOND);
  });

  it('goes on when Helm gives up on it; the Job of the next upgrade waits for it, and skips what it has applied', async () => {
    await shop().deploy('v1', HOOK);
    const gate = await shop().database.closeGate();
    try {
      const { code, stdout } = await shop().upgrade('slow', HOOK, { args: ['--timeout=15s'] });
      expect(code, stdout).not.to.equal(0);
      const holder = await shop().database.arrived();
      const again = shop().upgrade('slow', HOOK, { args: ['--timeout=60s'] });
      // The code that awaits it sees the failure.
      again.catch(() => undefined);
      await eventually('the Event of the Job that waits', async () =>
        (await shop().events()).some(
          ({ reason, regarding }) => reason === 'WaitingForLock' && regarding.name === migrate(3),
        ),
      );
      expect(await shop().database.arrived(), 'it still migrates').to.equal(holder);
      await gate.release();
      succeeds(await again);
    } finally {
      await gate.release();
    }
    for (const [revision, appliedCount] of [
      [2, 2],
      [3, 0],
    ] as const) {
      await shop().ended(migrate(revision));
      const [pod, ...more] = await shop().podsOfJob(migrate(revision));
      expect(more).to.deep.equal([]);
      expect(toldBy(pod!)).to.include({ exit: 0, appliedCount });
    }
    expect(await shop().database.journal('applied')).to.deep.equal(versionsOf(RELEASES.slow));
  });

  it('leaves the database ahead when Helm rolls back an upgrade whose pods do not start; the old pods start on it', async () => {
    await shop().deploy('v1', HOOK);
    await shop().readyPods(2);
    const { code, stdout } = await shop().upgrade('v2', [...HOOK, 'image.tag=none'], {
      args: ['--rollback-on-failure', '--timeout=20s'],
    });
    expect(code, stdout).not.to.equal(0);
    expect(await shop().database.versions()).to.deep.equal(SECOND);
    await shop().rolledOut();
    const before = await shop().readyPods(2);
    await shop().kubectl('delete', 'pods', '--wait=false', ...names(before));
    const again = await shop().podsThat(
      'two other ready pods',
      (pods) => pods.length === 2 && pods.every((pod) => isReady(pod) && !names(before).includes(pod.metadata.name)),
    );
    for (const pod of again) {
      expect(pod.spec.initContainers![0]!.image).to.match(new RegExp(`:${shop().node.images.tag('v1')}$`));
      expect(toldBy(pod)).to.include({ exit: 0, command: 'wait' });
    }
  });
});
