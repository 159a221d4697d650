import { join } from 'node:path';
import { expect } from 'chai';

import { CHART, runHelm, type Helm } from '../../scripts/chart/helm.ts';
import { requireHelm4 } from './support/helms.ts';

/** The notes that Helm prints after an install; without a cluster. */
async function notes(helm: Helm, ci: string): Promise<string> {
  const { code, stdout, stderr } = await runHelm(helm, [
    'install',
    'shop',
    CHART,
    '--namespace',
    'web',
    '--dry-run=client',
    '--values',
    join(CHART, `ci/${ci}-values.yaml`),
  ]);
  expect(code, stderr).to.equal(0);
  return stdout.slice(stdout.indexOf('\nNOTES:\n'));
}

describe('the notes after an install', () => {
  let helm: Helm;

  before(async function () {
    helm = await requireHelm4(this);
  });

  it('say where to look, how long Helm must wait, and how to roll back', async () => {
    const text = await notes(helm, 'minimal');
    expect(text).to.include('kubectl -n web logs job/shop-lockstep-migrate-1 -c lockstep');
    expect(text).to.include('kubectl -n web events --for job/shop-lockstep-migrate-1');
    expect(text).to.include('describe pods -l batch.kubernetes.io/job-name=shop-lockstep-migrate-1');
    expect(text).to.include('helm -n web test shop');
    expect(text).to.include('--timeout 3660s');
    expect(text).to.include('--from=cronjob/shop-lockstep-rollback --dry-run=client');
    expect(text).to.include('LOCKSTEP_TO=VERSION LOCKSTEP_DRY_RUN=false');
    expect(text).to.match(/Bring back the older application\. Then roll back/);
    expect(text).not.to.include('undefined').and.not.to.include('%!');
  });

  it('wait longer than the configured deadline', async () => {
    expect(await notes(helm, 'everything'))
      .to.include('--timeout 300s')
      .and.to.include('job/shop-migrations-migrate-1');
  });

  it('of a fleet count the targets, and wait as long as all rounds together may take', async () => {
    const text = await notes(helm, 'fleet');
    expect(text).to.include('migrates 5 databases');
    // One round of the canary, two of the other three targets, two at a time.
    expect(text)
      .to.include('3 rounds')
      .and.to.include(`--timeout ${3 * 3600 + 60}s`);
    expect(text).to.include('--from=cronjob/shop-lockstep-fleet-status');
    expect(text).to.include('LOCKSTEP_TARGET=TARGET LOCKSTEP_TO=VERSION');
    expect(await notes(helm, 'minimal')).to.not.include('LOCKSTEP_TARGET');
  });

  it('leave out what is disabled', async () => {
    expect(await notes(helm, 'no-events')).not.to.match(/rollback|events|Roll back/);
    expect(await notes(helm, 'argocd')).not.to.match(/helm|--timeout/);
    expect(await notes(helm, 'none')).not.to.match(/--timeout|kubectl.*logs/);
    expect(await notes(helm, 'job')).not.to.match(/--timeout/);
  });

  it('warn of a rollback without confirmation, and of a connection URL in the values, which they do not show', async () => {
    expect(await notes(helm, 'auto-rollback'))
      .to.include('deletes data without asking')
      .and.to.include('Prefer database.existingSecret')
      .and.not.to.include('postgresql://');
    expect(await notes(helm, 'minimal')).not.to.include('Prefer database.existingSecret');
  });
});
