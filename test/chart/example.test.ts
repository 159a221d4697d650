import { expect } from 'chai';

import { render, renderText, type Helm, type Manifest, type RenderOptions } from '../../scripts/chart/helm.ts';
import { renderExample, withExample } from '../../scripts/chart/plain-manifests.ts';
import { requireHelm, requireHelm3 } from './support/helms.ts';
import { envValue, lockstepIn, one, podsIn, type Container, type Pod } from './support/manifests.ts';

describe('the init container in a chart of your own', () => {
  let helm: Helm;

  before(async function () {
    helm = await requireHelm(this);
  });

  const rendered = (...set: string[]): Promise<Manifest[]> => renderExample(helm, { set });
  const podOf = (manifests: readonly Manifest[]): Pod => podsIn([one(manifests, 'Deployment')])[0]!;
  const initContainer = async (...set: string[]): Promise<Container> => lockstepIn(podOf(await rendered(...set)));

  it('is one item of the list, which runs "up" and identifies itself as an init container', async () => {
    const pod = podOf(await rendered());
    expect(pod.spec.initContainers?.map(({ name, args }) => ({ name, args }))).to.deep.equal([
      { name: 'lockstep', args: ['up'] },
    ]);
    const container = lockstepIn(pod);
    expect(envValue(container, 'LOCKSTEP_INIT_CONTAINER')).to.equal('true');
    expect(envValue(container, 'LOCKSTEP_CONTAINER')).to.equal('lockstep');
    expect([
      envValue(container, 'LOCKSTEP_JOB'),
      envValue(container, 'LOCKSTEP_JOB_UID'),
      envValue(container, 'LOCKSTEP_LOCK_WAIT'),
    ]).to.deep.equal([undefined, undefined, undefined]);
    expect(container.securityContext).to.deep.include({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
    });
    expect(container.resources?.limits?.memory).to.equal('256Mi');
  });

  it('only waits where a Job migrates, unless configured otherwise', async () => {
    for (const [set, command] of [
      [['lockstep.mode=hook'], 'wait'],
      [['lockstep.mode=job'], 'wait'],
      [['lockstep.mode=hook', 'lockstep.initContainer.command=up'], 'up'],
      [['lockstep.initContainer.command=wait'], 'wait'],
    ] as const) {
      expect((await initContainer(...set)).args, set.join()).to.deep.equal([command]);
    }
  });

  it('comes after a database proxy, which is a native sidecar', async () => {
    const { spec } = podOf(await rendered('proxyImage=registry.example.com/proxy:1'));
    expect(spec.initContainers?.map(({ name, restartPolicy }) => [name, restartPolicy])).to.deep.equal([
      ['proxy', 'Always'],
      ['lockstep', undefined],
    ]);
  });

  it('is the only container with the token: the application gets none', async () => {
    const { spec } = podOf(await rendered());
    expect(spec.automountServiceAccountToken).to.equal(false);
    expect(spec.volumes?.map(({ name }) => name)).to.deep.equal(['lockstep-token']);
    expect(spec.containers.every(({ volumeMounts }) => volumeMounts === undefined)).to.be.true;
    expect(lockstepIn(podOf(await rendered())).volumeMounts?.map(({ name }) => name)).to.deep.equal(['lockstep-token']);
  });

  it('may create Events, because the role is bound to the service account of the pods', async () => {
    const manifests = await rendered();
    const binding = one(manifests, 'RoleBinding', 'shop-lockstep-shop');
    expect(binding['subjects']).to.deep.equal([
      { kind: 'ServiceAccount', name: podOf(manifests).spec.serviceAccountName, namespace: 'web' },
    ]);
    expect(one(manifests, 'Role', (binding['roleRef'] as { name: string }).name)['rules']).to.have.length(1);
  });

  it('has neither token nor rights without Events', async () => {
    const manifests = await rendered('lockstep.events.enabled=false');
    expect(manifests.filter(({ kind }) => kind.startsWith('Role'))).to.deep.equal([]);
    expect(podOf(manifests).spec.volumes).to.be.oneOf([null, undefined]);
    expect(envValue(lockstepIn(podOf(manifests)), 'LOCKSTEP_EVENTS')).to.equal('off');
  });

  it('mounts the files where the values say, and includes the volume', async () => {
    const pod = podOf(await rendered('lockstep.migrations.configMap=files'));
    expect(pod.spec.volumes?.map(({ name }) => name)).to.deep.equal(['lockstep-token', 'lockstep-migrations']);
    expect(lockstepIn(pod).volumeMounts?.map(({ mountPath }) => mountPath)).to.include('/migrations');
  });

  it('does not change in an upgrade that changes nothing, so that no pod restarts', async () => {
    const deployment = async (...set: string[]): Promise<Manifest> =>
      one(await rendered('lockstep.mode=hook', ...set), 'Deployment');
    const first = await deployment('lockstep.revision=r1');
    expect(envValue(lockstepIn(podOf([first])), 'LOCKSTEP_RELEASE')).to.equal('shop@1.4.0');
    expect(await deployment('lockstep.revision=r2')).to.deep.equal(first);
    const tracked = ['lockstep.initContainer.trackRevision=true'];
    expect(await deployment('lockstep.revision=r2', ...tracked)).not.to.deep.equal(
      await deployment('lockstep.revision=r1', ...tracked),
    );
    expect(envValue(await initContainer('lockstep.revision=r2', ...tracked), 'LOCKSTEP_RELEASE')).to.equal(
      'shop/r2@1.4.0',
    );
  });

  it('has another release for another digest of the same tag', async () => {
    const release = async (digit: string): Promise<string | undefined> =>
      envValue(await initContainer(`lockstep.image.digest=sha256:${digit.repeat(64)}`), 'LOCKSTEP_RELEASE');
    expect([await release('0'), await release('1')]).to.deep.equal(
      ['0', '1'].map((digit) => `shop@1.4.0@sha256:${digit.repeat(64)}`),
    );
  });

  it('accepts resources, variables and another name', async () => {
    const container = await initContainer(
      'lockstep.initContainer.name=migrate',
      'lockstep.initContainer.resources.limits.memory=512Mi',
      'lockstep.initContainer.extraEnv[0].name=LOCKSTEP_LOCK_WAIT',
      'lockstep.initContainer.extraEnv[0].value=1m',
    );
    expect([
      container.name,
      envValue(container, 'LOCKSTEP_CONTAINER'),
      container.resources?.limits?.memory,
      envValue(container, 'LOCKSTEP_LOCK_WAIT'),
    ]).to.deep.equal(['migrate', 'migrate', '512Mi', '1m']);
  });

  it('refuses invalid values as the chart does', async () => {
    const words = await rendered('lockstep.database.existingSecret=').catch(
      (error: unknown) => (error as Error).message,
    );
    expect(words).to.include('database: give existingSecret');
    expect(await rendered('lockstep.unknwon=1').catch((error: unknown) => (error as Error).message)).to.include(
      'unknwon',
    );
  });

  it('is the same in Helm 3 and Helm 4', async function () {
    const helm3 = await requireHelm3(this);
    const texts = (options: RenderOptions): Promise<[string, string]> =>
      withExample(helm, async (chart) => [
        await renderText(helm, { ...options, chart }),
        await renderText(helm3, { ...options, chart }),
      ]);
    for (const set of [[], ['lockstep.mode=job', 'proxyImage=x:1']]) {
      const [four, three] = await texts({ set });
      expect(three).to.equal(four);
    }
    expect(await withExample(helm3, (chart) => render(helm3, { chart }))).to.deep.equal(await rendered());
  });
});
