import { expect } from 'chai';

import { ciValues } from '../../scripts/chart/generated.ts';
import type { Helm, Manifest } from '../../scripts/chart/helm.ts';
import { requireHelm } from './support/helms.ts';
import { ciName, envValue, idOf, jobsIn, lockstepIn, one, podsIn, renderCi } from './support/manifests.ts';

/** As long as Helm allows, and different only at the end. */
const LONG = 'the-shop-of-the-far-north-with-a-name-that-is-long-';
const LABEL = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;

describe('the names in the chart', () => {
  let helm: Helm;

  before(async function () {
    helm = await requireHelm(this);
  });

  it('are short enough with the longest release name, also where Kubernetes appends characters for a Job and a pod', async () => {
    for (const path of await ciValues()) {
      for (const set of [
        [],
        [`fullnameOverride=${'a-very-long-name-'.repeat(5)}end`, 'revision=3f2a9c1d8e7b6a5f4c3d2e1f0a9b8c7d6e5f4a3b'],
      ]) {
        for (const manifest of await renderCi(helm, ciName(path), { release: `${LONG}a1`, set })) {
          const { name } = manifest.metadata;
          const where = `${ciName(path)} ${idOf(manifest)}`;
          expect(name.length, where).to.be.at.most(manifest.kind === 'CronJob' ? 52 : 63);
          expect(name, where).to.match(LABEL);
          for (const value of Object.values(manifest.metadata.labels ?? {}))
            expect(value, where).to.match(/^[\w.-]{0,63}$/);
        }
      }
    }
  });

  it('are different for two releases in one namespace, also when their names begin alike', async () => {
    for (const path of await ciValues()) {
      const name = ciName(path);
      // This manifest contains its own full name.
      if (name === 'everything') continue;
      const ids = [
        ...(await renderCi(helm, name, { release: `${LONG}a1` })),
        ...(await renderCi(helm, name, { release: `${LONG}a2` })),
      ].map(idOf);
      expect(
        ids.filter((id, index) => ids.indexOf(id) !== index),
        name,
      ).to.deep.equal([]);
    }
  });

  it('match between definition and use: service accounts, roles and Secrets', async () => {
    for (const path of await ciValues()) {
      const name = ciName(path);
      if (name === 'account') continue;
      const manifests = await renderCi(helm, name, { release: `${LONG}a1` });
      const has = (kind: string, wanted: string): boolean =>
        manifests.some((each) => idOf(each) === `${kind}/${wanted}`);
      for (const { of, spec } of podsIn(manifests))
        expect(has('ServiceAccount', spec.serviceAccountName), `${name} ${of}: ${spec.serviceAccountName}`).to.be.true;
      for (const binding of manifests.filter(({ kind }) => kind === 'RoleBinding')) {
        expect(has('Role', (binding['roleRef'] as { name: string }).name), name).to.be.true;
        for (const subject of binding['subjects'] as { name: string; namespace: string }[]) {
          expect(has('ServiceAccount', subject.name), name).to.be.true;
          expect(subject.namespace).to.equal('web');
        }
      }
      for (const pod of podsIn(manifests)) {
        const secret = envValue(lockstepIn(pod), 'DATABASE_URL');
        if (secret === undefined) continue;
        expect(['shop-db', 'shop-db-reader'].includes(secret) || has('Secret', secret), `${name} ${pod.of}: ${secret}`)
          .to.be.true;
      }
    }
  });

  describe('of an ordinary Job', () => {
    const jobName = async (ci: string, ...set: string[]): Promise<string> =>
      one(jobsIn(await renderCi(helm, ci, { set })), 'Job').metadata.name;

    it('contain the revision, and change with it', async () => {
      expect(await jobName('job')).to.match(/^shop-lockstep-1-[0-9a-f]{6}$/);
      expect(await jobName('job', 'revision=r2')).to.match(/^shop-lockstep-r2-[0-9a-f]{6}$/);
      expect(await jobName('job', 'revision=Feature/New_Thing.2')).to.match(/^shop-lockstep-feature-new-[0-9a-f]{6}$/);
    });

    it('change with every field that is immutable in a Job, and with nothing else', async () => {
      const names = [
        await jobName('job'),
        await jobName('job', 'image.tag=1.4.1'),
        await jobName('job', 'job.backoffLimit=1'),
        await jobName('job', 'podLabels.x=y'),
      ];
      expect(new Set(names).size).to.equal(names.length);
      expect(await jobName('job', 'rollback.enabled=false')).to.equal(names[0]);
    });

    it("of a hook contain Helm's revision, whatever `revision` says, and none under Argo CD, which has no revisions", async () => {
      const name = async (ci: string, ...set: string[]): Promise<string> =>
        one(await renderCi(helm, ci, { set }), 'Job').metadata.name;
      expect(await name('minimal', 'image.tag=1.4.1')).to.equal('shop-lockstep-migrate-1');
      expect(await name('minimal', 'revision=r2')).to.equal('shop-lockstep-migrate-1');
      expect(await name('argocd')).to.equal('shop-lockstep-migrate');
    });
  });

  it('are the same for an upgrade as for an install', async () => {
    for (const path of await ciValues()) {
      const ids = (manifests: readonly Manifest[]): string[] => manifests.map(idOf);
      expect(ids(await renderCi(helm, ciName(path), { upgrade: true }))).to.deep.equal(
        ids(await renderCi(helm, ciName(path))),
      );
    }
  });
});
