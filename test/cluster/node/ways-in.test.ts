/**
 * Alternatives to the hook and the image on a real node: an ordinary Job, manifests without Helm, a ConfigMap, a proxy
 * as a native sidecar.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { CHART } from '../../../scripts/chart/helm.ts';
import { IS_BUN, REPOSITORY } from '../../image/support/lockstep-image.ts';
import { versionsOf } from '../../support/migrations.ts';
import { MIGRATIONS, WEB } from './support/images.ts';
import { endingOf, toldBy } from './support/pods.ts';
import { RELEASES } from './support/releases.ts';
import { succeeds, useShop } from './support/shop.ts';

const HOOKED = {
  ...RELEASES.v1,
  '003_hooked.up.sql': 'CREATE TABLE hooked ();\n',
  '003_hooked.before.mjs': `import { found } from './near.mjs';\nexport default async ({ log }) => log(found);\n`,
  'near.mjs': `export const found = 'what the hook imports';\n`,
};

/** Writes the password 5 s after it has started, and keeps running. */
const LATE_AGENT = `
setTimeout(() => require('node:fs').writeFileSync('/secrets/password', process.argv[1]), 5_000);
setInterval(() => undefined, 60_000);
process.on('SIGTERM', () => process.exit());
`;

describe('on a node', function () {
  this.timeout(300_000);
  const shop = useShop();

  it('an ordinary Job migrates, and the init containers wait for it', async () => {
    await shop().deploy('v2', ['lockstep.mode=job', 'replicaCount=2']);
    for (const pod of await shop().readyPods(2)) expect(toldBy(pod)).to.include({ exit: 0, command: 'wait' });
    const [job, ...more] = await shop().pods('app.kubernetes.io/component=migrate');
    expect(more).to.deep.equal([]);
    expect(toldBy(job!)).to.include({ exit: 0, appliedCount: 3 });
    expect(await shop().database.journal('applied')).to.deep.equal(versionsOf(RELEASES.v2));
  });

  it('the manifests without Helm migrate before and during a rollout, and roll back', async () => {
    const { tag } = shop().node.images;
    const apply = async (name: string, change = (text: string): string => text): Promise<void> => {
      const text = change(await readFile(join(REPOSITORY, 'k8s', name), 'utf8'))
        .replaceAll('namespace: shop\n', `namespace: ${shop().namespace}\n`)
        .replaceAll('registry.example.com/shop/migrations:1.4.0', `${MIGRATIONS}:${tag('v2')}`)
        .replaceAll('registry.example.com/shop/web:1.4.0', `${WEB}:${tag('web')}`);
      await shop().node.kubectl(['create', '-f', '-'], text);
    };
    await apply('rbac.yaml');
    await apply('job.yaml');
    const migrated = await shop().ended('shop-migrate-1-4-0');
    expect(await shop().reasons('Job', migrated)).to.include('MigrationsCompleted');
    await apply('deployment.yaml');
    for (const pod of await shop().readyPods(3))
      expect(toldBy(pod)).to.include({ exit: 0, command: 'up', appliedCount: 0 });
    expect(await shop().database.journal('applied')).to.deep.equal(versionsOf(RELEASES.v2));
    await apply('rollback-job.yaml', (text) =>
      text
        .replace('value: VERSION', 'value: 002_index_users_email')
        .replace('LOCKSTEP_DRY_RUN\n              value: "true"', 'LOCKSTEP_DRY_RUN\n              value: "false"'),
    );
    expect((await shop().ended('shop-rollback')).status.succeeded).to.equal(1);
    expect(await shop().database.versions()).to.deep.equal(versionsOf(RELEASES.v1));
    await apply('rollback-cronjob.yaml');
  });

  it('the hook migrates from a ConfigMap, with hooks and what they import', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lockstep-config-map-'));
    try {
      for (const [name, text] of Object.entries(HOOKED)) await writeFile(join(folder, name), text);
      await shop().kubectl('create', 'configmap', 'files', `--from-file=${folder}`);
    } finally {
      await rm(folder, { recursive: true });
    }
    const { repository, tag } = shop().node.images.lockstep;
    const settings = [
      `image.repository=${repository}`,
      `image.tag=${tag}`,
      'database.existingSecret=shop-db',
      'migrations.configMap=files',
    ];
    succeeds(await shop().helm(['install', 'shop', CHART, ...settings.flatMap((setting) => ['--set', setting])]));
    expect(await shop().database.journal('applied')).to.deep.equal(versionsOf(HOOKED));
    expect(await shop().kubectl('logs', 'job/shop-lockstep-migrate-1')).to.include('what the hook imports');
  });

  it('init containers migrate through a database proxy that is a native sidecar', async () => {
    await shop().kubectl(
      'create',
      'secret',
      'generic',
      'by-proxy',
      `--from-literal=url=${shop().database.address('127.0.0.1')}`,
    );
    await shop().deploy('v2', [
      'replicaCount=2',
      'lockstep.database.existingSecret=by-proxy',
      `proxyImage=${shop().node.images.proxy}`,
    ]);
    const pods = await shop().readyPods(2);
    expect(pods.map((pod) => toldBy(pod).appliedCount).toSorted()).to.deep.equal([0, 3]);
    for (const pod of pods) {
      expect(endingOf(pod)?.exitCode).to.equal(0);
      const [proxy] = pod.status.initContainerStatuses!;
      expect([proxy!.name, proxy!.state.running !== undefined]).to.deep.equal(['proxy', true]);
    }
    expect(await shop().database.journal('applied')).to.deep.equal(versionsOf(RELEASES.v2));
  });

  it('the hook waits for a password file that a native sidecar writes late, in its first pod', async () => {
    const { tag } = shop().node.images;
    const address = new URL(shop().database.address());
    const { password } = address;
    address.password = '';
    const mount = { name: 'secrets', mountPath: '/secrets' };
    const sidecar = {
      name: 'agent',
      image: `${MIGRATIONS}:${tag('v2')}`,
      restartPolicy: 'Always',
      command: [IS_BUN ? '/app/lockstep' : '/nodejs/bin/node', '-e', LATE_AGENT, decodeURIComponent(password)],
      env: [{ name: 'BUN_BE_BUN', value: '1' }],
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      volumeMounts: [mount],
    };
    const values = {
      image: { repository: MIGRATIONS, tag: tag('v2'), pullPolicy: 'IfNotPresent' },
      database: { url: address.href },
      extraEnv: [{ name: 'LOCKSTEP_PASSWORD_FILE', value: '/secrets/password' }],
      volumes: [{ name: 'secrets', emptyDir: {} }],
      volumeMounts: [mount],
      initContainers: [sidecar],
    };
    succeeds(
      await shop().helm([
        'install',
        'shop',
        CHART,
        ...Object.entries(values).flatMap(([name, value]) => ['--set-json', `${name}=${JSON.stringify(value)}`]),
      ]),
    );
    const [pod, ...more] = await shop().podsOfJob('shop-lockstep-migrate-1');
    expect(more).to.deep.equal([]);
    expect(toldBy(pod!)).to.include({ exit: 0, appliedCount: 3 });
    expect(await shop().kubectl('logs', 'job/shop-lockstep-migrate-1', '-c', 'lockstep')).to.include(
      '/secrets/password',
    );
  });
});
