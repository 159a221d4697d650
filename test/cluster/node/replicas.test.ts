/**
 * Init containers in every replica on a real node: a first start, a scale-up, and a rollout during which old pods start
 * too.
 */
import { expect } from 'chai';

import { eventually } from '../../support/bounded.ts';
import { versionsOf } from '../../support/migrations.ts';
import { endingOf, isReady, names, toldBy, uids, type Pod } from './support/pods.ts';
import { RELEASES } from './support/releases.ts';
import { useShop } from './support/shop.ts';

const SECOND = versionsOf(RELEASES.v2);

describe('the init containers of a Deployment on a node', function () {
  this.timeout(300_000);
  const shop = useShop();

  it('on an empty database: one of five replicas applies, all start; five more skip, and post no Event', async () => {
    await shop().deploy('v2', ['replicaCount=5']);
    const first = await shop().readyPods(5);
    expect(first.map((pod) => toldBy(pod).appliedCount).toSorted()).to.deep.equal([0, 0, 0, 0, 3]);
    const holder = first.find((pod) => toldBy(pod).appliedCount === 3)!;
    expect(await shop().reasons('Pod', holder)).to.deep.equal([
      'MigrationStarted',
      ...SECOND.map(() => 'MigrationApplied'),
      'MigrationsCompleted',
    ]);
    for (const { regarding } of await shop().events())
      expect(regarding.fieldPath).to.equal('spec.initContainers{lockstep}');

    await shop().kubectl('scale', 'deployment/shop', '--replicas=10');
    const all = await shop().readyPods(10);
    for (const pod of all) expect(endingOf(pod)?.exitCode).to.equal(0);
    const added = all.filter(({ metadata }) => !names(first).includes(metadata.name));
    for (const pod of added) {
      expect(toldBy(pod)).to.include({ exit: 0, appliedCount: 0 });
      expect(await shop().reasons('Pod', pod)).to.deep.equal([]);
    }
    expect(await shop().database.journal('applied')).to.deep.equal(SECOND);
    expect(await shop().database.journal('run started'), 'nobody else took the lock').to.deep.equal([
      holder.metadata.name,
    ]);
  });

  it('of the old ReplicaSet start while one of the new one migrates, and the others of the new one wait', async () => {
    const isOld = ({ spec }: Pod): boolean => spec.initContainers![0]!.image.endsWith(shop().node.images.tag('v1'));
    await shop().deploy('v1', ['replicaCount=4']);
    const before = await shop().readyPods(4);
    const gate = await shop().database.closeGate();
    try {
      await shop().deploy('slow', ['replicaCount=4']);
      const holder = await shop().database.arrived();
      const waiter = await eventually('another new pod', async () =>
        (await shop().pods()).find((pod) => !isOld(pod) && pod.metadata.name !== holder),
      );
      // All serving pods are deleted: the old ReplicaSet recreates its pods, whose files lack what is already applied.
      await shop().kubectl('delete', 'pods', '--wait=false', '--ignore-not-found', ...names(before));
      const again = (
        await shop().podsThat('old pods that started again', (pods) => {
          const old = pods.filter((pod) => isOld(pod) && !uids(before).includes(pod.metadata.uid));
          return old.length >= 3 && old.every(isReady);
        })
      ).filter((pod) => isOld(pod) && isReady(pod));
      for (const pod of again) expect(toldBy(pod)).to.include({ exit: 0, appliedCount: 0 });
      await eventually('the Event of the waiter', async () =>
        (await shop().reasons('Pod', waiter)).includes('WaitingForLock'),
      );
      expect(await shop().database.arrived(), 'it still migrates').to.equal(holder);
      expect((await shop().pods()).filter((pod) => !isOld(pod) && isReady(pod))).to.deep.equal([]);
    } finally {
      await gate.release();
    }
    await shop().rolledOut();
    for (const pod of await shop().readyPods(4)) expect(isOld(pod)).to.equal(false);
    expect(await shop().database.journal('applied')).to.deep.equal(versionsOf(RELEASES.slow));
  });
});
