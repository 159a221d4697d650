import { join } from 'node:path';
import { expect } from 'chai';

import { CHART, renderText, type Helm, type Manifest } from '../../scripts/chart/helm.ts';
import { requireHelm, requireHelm3 } from './support/helms.ts';
import { envValue, jobSpec, lockstepIn, one, podsIn, renderCi } from './support/manifests.ts';

const ENOUGH = ['image.repository=registry.example.com/shop', 'fleet.secretName=shop-dbs'];

/** As long as Helm allows. */
const LONG = 'the-shop-of-the-far-north-with-a-name-that-is-long-a1';

function jobs(manifests: readonly Manifest[]): Manifest[] {
  return manifests.filter(({ kind }) => kind === 'Job');
}

/** In the order of their indexes. */
function targetsOf(manifest: Manifest): string[] {
  return (envValue(lockstepIn(podsIn([manifest])[0]!), 'LOCKSTEP_TARGETS') ?? '').split(',');
}

function annotation(manifest: Manifest, name: string): string | undefined {
  return manifest.metadata.annotations?.[name];
}

describe('the fleet of the chart', () => {
  let helm: Helm;
  let fleet: Manifest[];

  before(async function () {
    helm = await requireHelm(this);
    fleet = await renderCi(helm, 'fleet');
  });

  it('is an Indexed Job with an index for each name, without those that are skipped', () => {
    const job = one(fleet, 'Job', 'shop-lockstep-migrate-1');
    expect(targetsOf(job)).to.deep.equal(['eu-1', 'eu-2', 'us-2']);
    expect(jobSpec(job)).to.include({
      completionMode: 'Indexed',
      completions: 3,
      parallelism: 2,
      backoffLimitPerIndex: 3,
      maxFailedIndexes: 1,
    });
    expect(jobSpec(job), 'the deadline of the Job would count for all targets together').to.not.have.any.keys(
      'activeDeadlineSeconds',
      'backoffLimit',
    );
    expect(jobSpec(job).template.spec.activeDeadlineSeconds).to.equal(3600);
  });

  it('runs every target where no number of failures ends the Job', async () => {
    expect(jobSpec(jobs(await renderCi(helm, 'fleet-job'))[0]!)).to.not.have.property('maxFailedIndexes');
    expect(jobSpec(jobs(await renderCi(helm, 'fleet', { set: ['fleet.maxFailedIndexes=0'] }))[0]!)).to.include({
      maxFailedIndexes: 0,
    });
  });

  it('mounts the Secrets, and names no other address', async () => {
    for (const ci of ['fleet', 'fleet-job']) {
      for (const pod of podsIn(await renderCi(helm, ci))) {
        const container = lockstepIn(pod);
        const dir = envValue(container, 'LOCKSTEP_TARGETS_DIR');
        expect(container.volumeMounts, pod.of).to.deep.include({
          name: 'lockstep-targets',
          mountPath: dir,
          readOnly: true,
        });
        const secrets = ci === 'fleet' ? ['shop-dbs'] : ['shop-dbs', 'stock-dbs'];
        expect(pod.spec.volumes, pod.of).to.deep.include({
          name: 'lockstep-targets',
          projected: { sources: secrets.map((name) => ({ secret: { name } })) },
        });
        expect(envValue(container, 'DATABASE_URL')).to.equal(undefined);
      }
    }
  });

  it('starts with the canary: the others have the next weight', () => {
    const [canary, others, ...more] = jobs(fleet);
    expect(more).to.deep.equal([]);
    expect(canary!.metadata.name).to.equal('shop-lockstep-migrate-canary-1');
    expect(targetsOf(canary!)).to.deep.equal(['us-1']);
    expect([canary!, others!].map((job) => annotation(job, 'helm.sh/hook-weight'))).to.deep.equal(['0', '1']);
  });

  it('starts with the canary under Argo CD one wave earlier, so that the others are done before the application', async () => {
    const [canary, others] = jobs(await renderCi(helm, 'argocd-fleet'));
    expect([canary!, others!].map((job) => annotation(job, 'argocd.argoproj.io/sync-wave'))).to.deep.equal([
      '-2',
      '-1',
    ]);
    const hooks = jobs(await renderCi(helm, 'argocd-fleet', { set: ['mode=hook'] }));
    expect(hooks.map((job) => annotation(job, 'argocd.argoproj.io/sync-wave'))).to.deep.equal(['-2', '-1']);
  });

  it('is rolled back target by target, and read as a whole', () => {
    const rollback = one(fleet, 'CronJob', 'shop-lockstep-rollback');
    const status = one(fleet, 'CronJob', 'shop-lockstep-fleet-status');
    for (const cronJob of [rollback, status]) {
      expect(targetsOf(cronJob), 'also those that are skipped').to.deep.equal(['eu-1', 'eu-2', 'us-1', 'us-2', 'us-3']);
      expect(jobSpec(cronJob)).to.not.have.property('completionMode');
      expect(cronJob['spec']).to.include({ suspend: true });
    }
    expect(lockstepIn(podsIn([status])[0]!).args).to.deep.equal(['fleet', 'status']);
    const test = one(fleet, 'Pod');
    expect(lockstepIn(podsIn([test])[0]!).args).to.deep.equal(['fleet', 'status']);
    expect(targetsOf(test), 'a release that was let through passes its test').to.not.include('us-3');
  });

  it('has names that leave room for the highest index of 500 targets', async () => {
    const targets = `fleet.targets={${Array.from({ length: 500 }, (_, index) => `t-${index}`).join(',')}}`;
    const canary = `fleet.canary={${Array.from({ length: 11 }, (_, index) => `t-${index}`).join(',')}}`;
    for (const mode of [
      ['mode=hook'],
      ['mode=job', 'argocd.enabled=true', 'revision=3f2a9c1d8e7b6a5f4c3d2e1f0a9b8c7d6e5f4a3b'],
    ]) {
      const text = await renderText(helm, { release: LONG, set: [...ENOUGH, targets, canary, ...mode] });
      const lines = text.split('\n');
      expect(lines.filter((line) => /^ {2}completions: /.test(line))).to.deep.equal([
        '  completions: 11',
        '  completions: 489',
      ]);
      const names = [...text.matchAll(/kind: Job\nmetadata:\n {2}name: (\S+)/g)].map(([, name]) => name!);
      expect(names).to.have.length(2);
      expect(`${names[0]}-10`.length).to.be.at.most(63);
      expect(`${names[1]}-488`.length).to.be.at.most(63);
    }
  });

  const wrong: [title: string, set: string[], words: RegExp][] = [
    ['a name that is no key of a Secret', ['fleet.targets={a b}'], /fleet.targets.0/],
    ['a name of the kubelet', ['fleet.targets={..data}'], /fleet.targets.0/],
    ['a name twice', ['fleet.targets={a,b,a}'], /fleet.targets/],
    ['a name that is a number', ['fleet.targets={1}'], /fleet.targets.0/],
    ['a canary twice', ['fleet.targets={a,b}', 'fleet.canary={a,a}'], /fleet.canary/],
    ['a name to skip twice', ['fleet.targets={a,b}', 'fleet.skip={a,a}'], /fleet.skip/],
    ['a Secret twice', ['fleet.targets={a}', 'fleet.moreSecretNames={s,s}'], /fleet.moreSecretNames/],
    ['a database beside it', ['fleet.targets={a}', 'database.existingSecret=shop-db'], /database.existingSecret/],
    ['an address beside it', ['fleet.targets={a}', 'database.url=postgresql://h/d'], /database.url/],
    ['no Secret', ['fleet.targets={a}', 'fleet.secretName='], /fleet.secretName/],
    ['no Job', ['fleet.targets={a}', 'mode=none'], /mode/],
    ['a canary of an ordinary Job', ['fleet.targets={a,b}', 'fleet.canary={a}', 'mode=job'], /argocd/],
    ['no parallelism', ['fleet.targets={a}', 'fleet.parallelism=0'], /fleet.parallelism/],
    ['an unknown canary', ['fleet.targets={a}', 'fleet.canary={b}'], /fleet.canary: b is not in fleet.targets/],
    ['an unknown name to skip', ['fleet.targets={a}', 'fleet.skip={b}'], /fleet.skip: b is not in fleet.targets/],
    ['nothing left', ['fleet.targets={a}', 'fleet.skip={a}'], /fleet.skip: no target is left/],
    ['an automatic rollback', ['fleet.targets={a}', 'rollback.auto=true'], /rollback.auto: not for a fleet/],
  ];
  for (const [title, set, words] of wrong) {
    it(`is refused: ${title}`, async function () {
      for (const version of [helm, await requireHelm3(this)]) {
        const refusal = await renderText(version, { set: [...ENOUGH, ...set] }).then(
          () => 'accepted',
          (error: unknown) => (error as Error).message,
        );
        expect(refusal, version.version).to.match(words);
      }
    });
  }

  it('is refused where its names do not fit into a variable', async () => {
    const set = Array.from({ length: 600 }, (_, index) => `fleet.targets[${index}]=${'n'.repeat(240)}${index}`);
    const refusal = await renderText(helm, {
      values: join(CHART, 'ci/fleet-job-values.yaml'),
      set,
    }).catch((error: unknown) => (error as Error).message);
    expect(refusal).to.include('longer than a variable may be');
  });
});
