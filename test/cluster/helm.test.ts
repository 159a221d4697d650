import { join } from 'node:path';
import { expect } from 'chai';

import { CHART, runHelm, type Helm, type HelmResult } from '../../scripts/chart/helm.ts';
import { withExample } from '../../scripts/chart/plain-manifests.ts';
import { requireHelm, requireHelm3 } from '../chart/support/helms.ts';
import { envValue, lockstepIn, podsIn } from '../chart/support/manifests.ts';
import { createNamespace, ownApiServer, type ApiServer } from './support/api-server.ts';
import { endJob, look, nextJob, type Live } from './support/jobs.ts';
import { blockOf, shellOf } from './support/person.ts';

const migrate = (revision: number): string => `shop-lockstep-migrate-${revision}`;
const ROLLBACK = 'shop-lockstep-rollback';
const BEFORE_HOOK = ['serviceaccount', 'role', 'rolebinding', 'secret'];
const REASON = 'Container lockstep for pod x failed with exit code 40 matching FailJob rule at index 1';

for (const [version, find] of [
  ['Helm 4', requireHelm],
  ['Helm 3', requireHelm3],
] as const) {
  describe(`${version} on a real API server`, () => {
    let api: ApiServer;
    let helm: Helm;
    let namespace: string;

    before(async function () {
      // With controllers, Jobs would end by themselves, because the image does not exist.
      api = await ownApiServer(this);
      helm = await find(this);
    });

    beforeEach(async () => {
      namespace = await createNamespace(api);
    });

    const run = (...args: string[]): Promise<HelmResult> =>
      runHelm(helm, [...args, '--namespace', namespace], api.kubeconfig);
    const there = (kind: string, name: string): Promise<Live | undefined> => look(api, namespace, kind, name);

    async function succeeds(result: Promise<HelmResult>): Promise<void> {
      const { code, stdout, stderr } = await result;
      expect(code, stdout + stderr).to.equal(0);
    }

    function imageOf(manifest: Live | undefined): string {
      return lockstepIn(podsIn([manifest!])[0]!).image;
    }

    async function names(kinds: string): Promise<string[]> {
      const text = await api.kubectl([
        'get',
        kinds,
        '--namespace',
        namespace,
        '--selector',
        'app.kubernetes.io/instance=shop',
        '-o',
        'name',
      ]);
      return text.split('\n').filter((line) => line !== '');
    }

    describe('runs the hook', () => {
      function upgrade(values: string, tag: string): Promise<HelmResult> {
        return run(
          'upgrade',
          '--install',
          'shop',
          CHART,
          '--timeout',
          '90s',
          '--values',
          join(CHART, `ci/${values}-values.yaml`),
          '--set',
          `image.tag=${tag}`,
        );
      }

      /** An upgrade whose Job ends with this outcome. */
      async function release(
        values: string,
        tag: string,
        revision: number,
        outcome: 'Complete' | 'Failed' = 'Complete',
      ): Promise<HelmResult> {
        const done = upgrade(values, tag);
        await nextJob(api, namespace, migrate(revision));
        await endJob(api, namespace, migrate(revision), outcome, REASON);
        return done;
      }

      it('in an empty namespace, with all that it needs, before any object of the release is created', async () => {
        const done = upgrade('url', '1.4.0');
        const job = await nextJob(api, namespace, migrate(1));
        for (const kind of BEFORE_HOOK) {
          expect(await there(kind, 'shop-lockstep-hook'), kind).not.to.equal(undefined);
          expect(await there(kind, 'shop-lockstep'), kind).to.equal(undefined);
        }
        expect(await there('cronjob', ROLLBACK)).to.equal(undefined);
        expect(envValue(lockstepIn(podsIn([job])[0]!), 'DATABASE_URL')).to.equal('shop-lockstep-hook');
        await endJob(api, namespace, migrate(1), 'Complete');
        await succeeds(done);
        for (const kind of BEFORE_HOOK) expect(await there(kind, 'shop-lockstep'), kind).not.to.equal(undefined);
        expect(imageOf(await there('cronjob', ROLLBACK))).to.match(/:1\.4\.0$/);
      });

      it('and fails when its Job fails; the Job stays, nothing else changes, and the next upgrade works', async () => {
        await succeeds(release('url', '1.4.0', 1));
        const [account, hooks] = [
          await there('serviceaccount', 'shop-lockstep'),
          await there('serviceaccount', 'shop-lockstep-hook'),
        ];

        expect((await release('url', '1.5.0', 2, 'Failed')).code).not.to.equal(0);
        const failed = await there('job', migrate(2));
        expect(imageOf(failed)).to.match(/:1\.5\.0$/);
        expect(JSON.stringify(failed!['status'])).to.include('exit code 40');
        expect(imageOf(await there('cronjob', ROLLBACK)), 'the template of the rollback is the older one').to.match(
          /:1\.4\.0$/,
        );

        await succeeds(release('url', '1.5.1', 3));
        expect(imageOf(await there('cronjob', ROLLBACK))).to.match(/:1\.5\.1$/);
        expect(
          (await there('serviceaccount', 'shop-lockstep'))!.metadata.uid,
          'pods keep their account, and so their tokens',
        ).to.equal(account!.metadata.uid);
        expect(
          (await there('serviceaccount', 'shop-lockstep-hook'))!.metadata.uid,
          "the hook's is another one",
        ).not.to.equal(hooks!.metadata.uid);
      });

      it('of the older revision before a rollback, and no migration', async () => {
        await succeeds(release('auto-rollback', '1.4.0', 1));
        await succeeds(release('auto-rollback', '1.5.0', 2));
        expect(await there('job', 'shop-lockstep-auto-rollback')).to.equal(undefined);

        const done = run('rollback', 'shop', '1', '--timeout', '90s');
        const job = await nextJob(api, namespace, 'shop-lockstep-auto-rollback');
        expect(imageOf(job)).to.match(/:1\.4\.0$/);
        expect(envValue(lockstepIn(podsIn([job])[0]!), 'LOCKSTEP_TO_FILES')).to.equal('true');
        expect(await there('serviceaccount', 'shop-lockstep-hook')).not.to.equal(undefined);
        await endJob(api, namespace, 'shop-lockstep-auto-rollback', 'Complete');
        await succeeds(done);
        expect(await there('job', migrate(3))).to.equal(undefined);
        expect(imageOf(await there('cronjob', ROLLBACK))).to.match(/:1\.4\.0$/);
      });

      it('whose objects stay after an uninstall, as the README says, until its command deletes them', async () => {
        await succeeds(release('url', '1.4.0', 1));
        await succeeds(run('uninstall', 'shop'));
        const left = (): Promise<string[]> => names('job,cronjob,serviceaccount,role,rolebinding,secret,pod');
        expect((await left()).map((name) => name.split('/')[1]).toSorted()).to.deep.equal([
          ...BEFORE_HOOK.map(() => 'shop-lockstep-hook'),
          migrate(1),
        ]);
        const command = await blockOf(join(CHART, 'README.md'), 'sh', 'kubectl delete');
        const { code, stderr } = await (await shellOf(api, namespace))(command.replaceAll('RELEASE', 'shop'));
        expect(code, stderr).to.equal(0);
        expect(await left()).to.deep.equal([]);
      });

      it('in a Job of its own: a second upgrade, or an install again, deletes no Job that is still working', async () => {
        const short = [
          'upgrade',
          '--install',
          'shop',
          CHART,
          '--timeout',
          '3s',
          '--values',
          join(CHART, 'ci/url-values.yaml'),
        ];
        expect((await run(...short)).code).not.to.equal(0);
        const first = await there('job', migrate(1));
        expect((await run(...short)).code).not.to.equal(0);
        expect((await there('job', migrate(1)))!.metadata).to.deep.include({ uid: first!.metadata.uid });
        expect(await there('job', migrate(2))).not.to.equal(undefined);

        expect((await run('get', 'values', 'shop', '--all')).stdout)
          .to.include('lockWait')
          .and.not.include('installs');

        await succeeds(run('uninstall', 'shop'));
        expect((await run(...short)).code).not.to.equal(0);
        expect((await there('job', migrate(1)))!.metadata).to.deep.include({ uid: first!.metadata.uid });
        const again = await there('job', 'shop-lockstep-migrate-2-1');
        expect(envValue(lockstepIn(podsIn([again!])[0]!), 'LOCKSTEP_RELEASE')).to.equal('shop/2-1@1.4.0');
        expect((await run(...short)).code).not.to.equal(0);
        expect(await there('job', 'shop-lockstep-migrate-2-2')).not.to.equal(undefined);
      });
    });

    it('creates a new Job in an upgrade that changes nothing, and changes no pod', async () => {
      const upgrade = (chart: string): Promise<void> =>
        succeeds(run('upgrade', '--install', 'shop', chart, '--set', 'lockstep.mode=job'));
      const generation = (): Promise<string> =>
        api.kubectl(['get', 'deployment', 'shop', '--namespace', namespace, '-o', 'jsonpath={.metadata.generation}']);
      await withExample(helm, async (chart) => {
        await upgrade(chart);
        expect(await names('jobs'))
          .to.have.length(1)
          .and.to.have.nested.property('[0]')
          .that.matches(/-1-[0-9a-f]{6}$/);
        await upgrade(chart);
        expect(await names('jobs'))
          .to.have.length(1)
          .and.to.have.nested.property('[0]')
          .that.matches(/-2-[0-9a-f]{6}$/);
        expect(await generation()).to.equal('1');
      });
      await succeeds(run('uninstall', 'shop'));
      expect(await names('jobs,cronjobs,serviceaccounts,deployments')).to.deep.equal([]);
    });

    it('applies all values at once, with variables that override those of the chart', async () => {
      await succeeds(
        run('install', 'shop', CHART, '--values', join(CHART, 'ci/everything-values.yaml'), '--set', 'mode=job'),
      );
      const [name = ''] = await names('jobs');
      expect(
        envValue(lockstepIn(podsIn([(await there('job', name.split('/')[1]!))!])[0]!), 'LOCKSTEP_LOCK_WAIT'),
      ).to.equal('3m');
    });
  });
}
