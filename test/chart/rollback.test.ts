import { expect } from 'chai';

import type { Helm } from '../../scripts/chart/helm.ts';
import { requireHelm } from './support/helms.ts';
import { envValue, lockstepIn, one, podsIn, renderCi } from './support/manifests.ts';

describe('the rollback CronJob', () => {
  let helm: Helm;

  before(async function () {
    helm = await requireHelm(this);
  });

  it('never runs by itself, not even when it is no longer suspended', async () => {
    const cronJob = one(await renderCi(helm, 'minimal'), 'CronJob');
    expect(cronJob.metadata.name).to.equal('shop-lockstep-rollback');
    expect(cronJob['spec']).to.include({
      suspend: true,
      schedule: '0 0 31 2 *',
      startingDeadlineSeconds: 10,
      concurrencyPolicy: 'Forbid',
    });
  });

  it('is not a hook: it exists between upgrades, in every mode, unless it is disabled', async () => {
    for (const ci of ['minimal', 'job', 'none', 'argocd', 'auto-rollback'])
      expect(one(await renderCi(helm, ci), 'CronJob').metadata.annotations, ci).to.equal(undefined);
    const without = await renderCi(helm, 'minimal', { set: ['rollback.enabled=false'] });
    expect(without.filter(({ kind }) => kind === 'CronJob')).to.deep.equal([]);
  });

  it('is a dry run by default, set by variables, so that a person can override them', async () => {
    const container = lockstepIn(podsIn([one(await renderCi(helm, 'minimal'), 'CronJob')])[0]!);
    expect(container.args).to.deep.equal(['down']);
    expect([envValue(container, 'LOCKSTEP_DRY_RUN'), envValue(container, 'LOCKSTEP_TO_FILES')]).to.deep.equal([
      'true',
      'true',
    ]);
    expect(envValue(container, 'LOCKSTEP_RELEASE'), 'a release with a revision: what it rolls back is held').to.equal(
      'shop/1@1.4.0',
    );
  });
});
