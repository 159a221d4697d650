/**
 * Holders that a real node removes in the middle of a migration: another runner finishes, and nothing is applied twice.
 */
import { expect } from 'chai';

import { versionsOf } from '../../support/migrations.ts';
import { earlierEndingOf, toldBy } from './support/pods.ts';
import { RELEASES } from './support/releases.ts';
import { succeeds, useShop } from './support/shop.ts';

const ALL = versionsOf(RELEASES.slow);

describe('a holder on a node', function () {
  this.timeout(300_000);
  const shop = useShop();

  it('that is deleted exits with 143 and logs that; a waiter continues', async () => {
    const gate = await shop().database.closeGate();
    try {
      await shop().deploy('slow', ['replicaCount=3']);
      const holder = await shop().database.arrived();
      await shop().keeping(holder, async () => {
        await shop().kubectl('delete', 'pod', holder, '--wait=false');
        expect(await shop().database.arrived(holder)).not.to.equal(holder);
        const { pod, ending } = await shop().endingOf(holder, 'the end');
        expect(ending.exitCode).to.equal(143);
        expect(toldBy(pod)).to.include({ exit: 143, code: 'INTERRUPTED', appliedCount: 3 });
        expect((await shop().reasons('Pod', pod)).at(-1)).to.equal('Interrupted');
      });
    } finally {
      await gate.release();
    }
    await shop().readyPods(3);
    expect(await shop().database.journal('applied')).to.deep.equal(ALL);
    expect(await shop().database.journal('run lost')).to.deep.equal([]);
  });

  it('that exceeds its memory limit is killed; another runner, or its restart, finishes', async () => {
    const gate = await shop().database.closeGate();
    try {
      await shop().deploy('hungry', ['replicaCount=2']);
      // The kubelet forgets how a container ended once its restart has succeeded: so the restart must wait.
      const pods = await shop().podsThat('a container that was killed', (all) =>
        all.some((pod) => earlierEndingOf(pod) !== undefined),
      );
      const [killed, ...more] = pods.map(earlierEndingOf).filter((ending) => ending !== undefined);
      expect(more).to.deep.equal([]);
      expect(killed).to.include({ exitCode: 137, reason: 'OOMKilled' });
    } finally {
      await gate.release();
    }
    await shop().readyPods(2);
    expect(await shop().database.journal('applied')).to.deep.equal(versionsOf(RELEASES.hungry));
    expect(await shop().database.journal('run lost')).to.have.length(1);
    expect(await shop().database.query('SELECT count(*)::int AS visits FROM visits')).to.deep.equal([{ visits: 2 }]);
  });

  it('that is evicted is replaced by its Job, which does not count it', async () => {
    const job = 'shop-lockstep-migrate-1';
    const gate = await shop().database.closeGate();
    try {
      const done = shop().upgrade('slow', ['replicaCount=1', 'lockstep.mode=hook', 'lockstep.job.backoffLimit=0']);
      // The code that awaits it sees the failure.
      done.catch(() => undefined);
      const evicted = await shop().database.arrived();
      await shop().keeping(evicted, async () => {
        await shop().evict(evicted);
        await shop().database.arrived(evicted);
        const { pod, ending } = await shop().endingOf(evicted, 'the end');
        expect(ending.exitCode).to.equal(143);
        expect(pod.status.conditions?.find(({ type }) => type === 'DisruptionTarget')).to.include({
          status: 'True',
          reason: 'EvictionByEvictionAPI',
        });
        expect(pod.status.phase).to.equal('Failed');
      });
      await gate.release();
      succeeds(await done);
    } finally {
      await gate.release();
    }
    const { status } = await shop().ended(job);
    expect([status.succeeded, status.failed ?? 0]).to.deep.equal([1, 0]);
    expect(await shop().reasons('Job', await shop().ended(job))).to.include('Interrupted');
    expect(await shop().database.journal('applied')).to.deep.equal(ALL);
  });
});
