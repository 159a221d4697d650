/** The CronJob that looks for drift: off by default, and only reading. */
import { expect } from 'chai';

import type { Helm } from '../../scripts/chart/helm.ts';
import { requireHelm } from './support/helms.ts';
import { lockstepIn, podsIn, renderCi } from './support/manifests.ts';

describe('the drift CronJob', () => {
  let helm: Helm;

  before(async function () {
    helm = await requireHelm(this);
  });

  type Manifests = Awaited<ReturnType<typeof renderCi>>;

  function driftIn(manifests: Manifests): Manifests {
    return manifests.filter(({ kind, metadata }) => kind === 'CronJob' && metadata.name.endsWith('-drift'));
  }

  it('is there only when it is enabled', async () => {
    expect(driftIn(await renderCi(helm, 'minimal'))).to.deep.equal([]);
    const [cronJob] = driftIn(await renderCi(helm, 'minimal', { set: ['drift.enabled=true'] }));
    expect(cronJob?.['spec']).to.include({ schedule: '0 3 * * *', concurrencyPolicy: 'Forbid' });
    expect(lockstepIn(podsIn([cronJob!])[0]!).args).to.deep.equal(['drift']);
  });

  it('has its account and its Role in every mode, and a Secret of its own where one is named', async () => {
    const set = ['drift.enabled=true', 'drift.existingSecret=shop-reader', 'rollback.enabled=false'];
    for (const ci of ['minimal', 'job', 'none', 'argocd']) {
      const manifests = await renderCi(helm, ci, { set });
      const [pod] = podsIn(driftIn(manifests));
      const account = pod?.spec.serviceAccountName;
      const named = manifests.filter(({ metadata }) => metadata.name === account).map(({ kind }) => kind);
      expect(named, ci).to.include.members(['ServiceAccount', 'Role', 'RoleBinding']);
      const address = lockstepIn(pod!).env?.find(({ name }) => name === 'DATABASE_URL');
      expect(address?.valueFrom?.secretKeyRef?.name, ci).to.equal('shop-reader');
    }
  });

  it('looks at each target of a fleet', async () => {
    const [cronJob] = driftIn(await renderCi(helm, 'fleet', { set: ['drift.enabled=true'] }));
    const spec = (cronJob?.['spec'] as { jobTemplate: { spec: Record<string, unknown> } }).jobTemplate.spec;
    expect(spec['completionMode']).to.equal('Indexed');
    expect(lockstepIn(podsIn([cronJob!])[0]!).env?.map(({ name }) => name)).to.include('LOCKSTEP_TARGETS');
  });
});
