import { expect } from 'chai';

import { exitsOf } from '../../scripts/docs.ts';
import { ciValues } from '../../scripts/chart/generated.ts';
import type { Helm, Manifest } from '../../scripts/chart/helm.ts';
import { envOf, OPTION_KEYS } from '../../src/config/options.ts';
import { ERRORS, type ErrorCode } from '../../src/core/errors.ts';
import { requireHelm } from './support/helms.ts';
import {
  ciName,
  envValue,
  idOf,
  jobsIn,
  jobSpec,
  lockstepIn,
  podsIn,
  renderCi,
  type Container,
  type Pod,
} from './support/manifests.ts';

const TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The variables that identify the pod, for Events. */

function containersOf({ spec }: Pod): Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

function mebibytes(text = ''): number {
  const [, number = '', unit = ''] = /^(\d+)(Mi|Gi)$/.exec(text) ?? [];
  return Number(number) * (unit === 'Gi' ? 1024 : 1);
}

describe('the pods of the chart', () => {
  let helm: Helm;
  const all = new Map<string, Manifest[]>();

  before(async function () {
    helm = await requireHelm(this);
    for (const path of await ciValues()) all.set(ciName(path), await renderCi(helm, ciName(path)));
  });

  function each(check: (pod: Pod, where: string) => void): void {
    let seen = 0;
    for (const [name, manifests] of all) {
      for (const pod of podsIn(manifests)) {
        check(pod, `${name} ${pod.of}`);
        seen += 1;
      }
    }
    expect(seen, 'pods looked at').to.be.greaterThan(25);
  }

  const container = (ci: string, kind: string): Container =>
    lockstepIn(podsIn(all.get(ci)!).find(({ of }) => of.startsWith(`${kind}/`))!);

  it('send metrics, traces and notices where the values say, and start without the Secret of the notices', () => {
    const job = container('watch', 'Job');
    expect(envValue(job, 'LOCKSTEP_METRICS_PUSH')).to.equal('http://pushgateway.monitoring:9091');
    expect(envValue(job, 'OTEL_EXPORTER_OTLP_ENDPOINT')).to.equal('http://otel-collector.monitoring:4318');
    expect(envValue(job, 'LOCKSTEP_NOTIFY_FILE')).to.equal('/etc/lockstep/notify/webhook');
    const pod = podsIn(all.get('watch')!).find(({ of }) => of.startsWith('Job/'))!;
    expect(JSON.stringify(pod.spec)).to.include('"secret":{"secretName":"shop-chat","optional":true');
    expect(JSON.stringify(all.get('minimal'))).to.not.match(/METRICS|OTEL|NOTIFY/);
  });

  it('have every field that Pod Security "restricted" requires', () => {
    each((pod, where) => {
      expect(pod.spec.securityContext, where).to.deep.equal({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const { name, securityContext } of containersOf(pod)) {
        expect(securityContext, `${where} ${name}`).to.include({ allowPrivilegeEscalation: false });
        expect(securityContext?.['capabilities']).to.deep.equal({ drop: ['ALL'] });
      }
      expect(lockstepIn(pod).securityContext, where).to.include({ readOnlyRootFilesystem: true });
    });
  });

  it('have memory for the parser, and a termination message', () => {
    each((pod, where) => {
      expect(mebibytes(lockstepIn(pod).resources?.limits?.memory), where).to.be.at.least(256);
      expect(lockstepIn(pod).terminationMessagePolicy, where).to.equal('FallbackToLogsOnError');
    });
  });

  it('are not evicted, get no service mesh sidecar, and have labels for a NetworkPolicy to select', () => {
    each((pod, where) => {
      expect(pod.annotations, where).to.include({
        'karpenter.sh/do-not-disrupt': 'true',
        'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
      });
      if (!where.startsWith('everything'))
        expect(pod.annotations, where).to.include({
          'sidecar.istio.io/inject': 'false',
          'linkerd.io/inject': 'disabled',
        });
      expect(pod.labels, where).to.include.keys(
        'app.kubernetes.io/name',
        'app.kubernetes.io/instance',
        'app.kubernetes.io/component',
      );
    });
    const changed = podsIn(all.get('everything')!);
    expect(changed.some(({ annotations }) => Object.keys(annotations).includes('sidecar.istio.io/inject'))).to.be.false;
    expect(
      changed.every(
        ({ annotations, labels }) =>
          annotations['example.com/scrape'] === 'false' && labels['example.com/network'] === 'database',
      ),
    ).to.be.true;
  });

  it('mount a token in the one container that posts Events, and in no other', () => {
    each((pod, where) => {
      const posts = envValue(lockstepIn(pod), 'LOCKSTEP_EVENTS') === 'auto';
      const mounts = (one: Container): boolean =>
        one.volumeMounts?.some(({ mountPath }) => mountPath === TOKEN) ?? false;
      expect(pod.spec.automountServiceAccountToken, where).to.equal(false);
      expect(
        containersOf(pod)
          .filter(mounts)
          .map(({ name }) => name),
        where,
      ).to.deep.equal(posts ? ['lockstep'] : []);
    });
    expect(podsIn(all.get('no-events')!).every((pod) => envValue(lockstepIn(pod), 'LOCKSTEP_EVENTS') === 'off')).to.be
      .true;
  });

  it('may create Events and nothing else', () => {
    for (const [name, manifests] of all) {
      const roles = manifests.filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole');
      for (const role of roles)
        expect(role['rules'], name).to.deep.equal([
          { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create'] },
        ]);
      if (name === 'no-events') expect(manifests.filter(({ kind }) => /Role/.test(kind))).to.deep.equal([]);
    }
  });

  it('mount every volume, and no volume that does not exist', () => {
    each((pod, where) => {
      const volumes = pod.spec.volumes?.map(({ name }) => name) ?? [];
      const mounted = containersOf(pod).flatMap(({ volumeMounts }) => volumeMounts?.map(({ name }) => name) ?? []);
      expect(new Set(volumes), where).to.deep.equal(new Set(mounted));
    });
  });

  it('set only variables that Lockstep reads, each once', () => {
    const known = [...OPTION_KEYS.map(envOf), 'DATABASE_URL', 'OTEL_EXPORTER_OTLP_ENDPOINT'];
    each((pod, where) => {
      const names = lockstepIn(pod).env!.map(({ name }) => name);
      expect(
        names.filter((name, index) => names.indexOf(name) !== index),
        where,
      ).to.deep.equal([]);
      expect(
        names.filter((name) => !known.includes(name) && !name.startsWith('PG')),
        where,
      ).to.deep.equal([]);
    });
  });

  it('identify themselves: release, image, pod, container, Job', () => {
    const job = container('minimal', 'Job');
    const expected = {
      LOCKSTEP_RELEASE: 'shop/1@1.4.0',
      LOCKSTEP_IMAGE: 'registry.example.com/shop/migrations:1.4.0',
      LOCKSTEP_POD: 'metadata.name',
      LOCKSTEP_POD_NAMESPACE: 'metadata.namespace',
      LOCKSTEP_POD_UID: 'metadata.uid',
      LOCKSTEP_CONTAINER: job.name,
      LOCKSTEP_INIT_CONTAINER: undefined,
      LOCKSTEP_JOB: "metadata.labels['batch.kubernetes.io/job-name']",
      LOCKSTEP_JOB_UID: "metadata.labels['batch.kubernetes.io/controller-uid']",
      LOCKSTEP_LOCK_WAIT: '4m',
    };
    for (const [name, value] of Object.entries(expected)) expect(envValue(job, name), name).to.equal(value);
    expect(job.args).to.deep.equal(['up']);
    expect(envValue(container('job', 'Job'), 'LOCKSTEP_LOCK_WAIT'), 'nobody gives up on an ordinary Job').to.equal(
      undefined,
    );
  });

  it("let the user's variables override their own, and expand templates", () => {
    expect(envValue(container('everything', 'Job'), 'LOCKSTEP_LOCK_WAIT')).to.equal('3m');
    expect(envValue(container('account', 'Job'), 'PGHOST')).to.equal('postgres.web.svc');
    expect(envValue(container('account', 'Job'), 'DATABASE_URL')).to.equal(undefined);
  });

  it('get the connection URL from the configured Secret and key', () => {
    const variable = (ci: string): unknown =>
      container(ci, 'Job').env!.find(({ name }) => name === 'DATABASE_URL')!.valueFrom!.secretKeyRef;
    expect(variable('minimal')).to.deep.equal({ name: 'shop-db', key: 'url' });
    expect(variable('job')).to.deep.equal({ name: 'shop-db', key: 'DATABASE_URL' });
    expect(variable('job-url')).to.deep.equal({ name: 'shop-lockstep', key: 'url' });
  });

  it('run the configured image', () => {
    expect(container('configmap', 'Job').image).to.match(/^registry\.example\.com\/lockstep:\d+\.\d+\.\d+$/);
    expect(container('volume', 'Job').image).to.match(/^registry\.example\.com:5000\/lockstep@sha256:0{64}$/);
    expect(envValue(container('volume', 'Job'), 'LOCKSTEP_RELEASE')).to.match(/^shop\/1@sha256:0{64}$/);
    expect(container('account', 'Job').image).to.match(/:1\.4\.0-bun$/);
    expect(envValue(container('account', 'Job'), 'LOCKSTEP_RELEASE')).to.match(/^shop\/1@1\.4\.0-bun$/);
  });

  it('have another release for another digest, also under the same tag', async () => {
    const digests = ['0', '1'].map((digit) => `image.digest=sha256:${digit.repeat(64)}`);
    const releases = async (...set: string[]): Promise<(string | undefined)[]> =>
      podsIn(await renderCi(helm, 'minimal', { set })).map((pod) => envValue(lockstepIn(pod), 'LOCKSTEP_RELEASE'));
    expect(await releases('image.tag=1.4.0')).to.include('shop/1@1.4.0');
    for (const tag of ['', '1.4.0']) {
      const [first, second] = [
        await releases(`image.tag=${tag}`, digests[0]!),
        await releases(`image.tag=${tag}`, digests[1]!),
      ];
      expect(first).to.include(`shop/1@${tag === '' ? '' : `${tag}@`}sha256:${'0'.repeat(64)}`);
      expect(
        first.filter((release) => second.includes(release)),
        tag,
      ).to.deep.equal([]);
    }
  });

  for (const [ci, volume, dir] of [
    ['configmap', { configMap: { name: 'shop-migrations' } }, '/migrations'],
    ['volume', { persistentVolumeClaim: { claimName: 'shop-migrations', readOnly: true } }, '/srv/migrations'],
    [
      'image-volume',
      { image: { reference: 'registry.example.com/shop/migrations:1.4.0', pullPolicy: 'IfNotPresent' } },
      '/migrations',
    ],
  ] as const) {
    it(`read the files at the configured path: ${ci}`, () => {
      for (const pod of podsIn(all.get(ci)!)) {
        expect(pod.spec.volumes, pod.of).to.deep.include({ name: 'lockstep-migrations', ...volume });
        expect(lockstepIn(pod).volumeMounts, pod.of).to.deep.include({
          name: 'lockstep-migrations',
          mountPath: dir,
          readOnly: true,
        });
        expect(envValue(lockstepIn(pod), 'LOCKSTEP_DIR'), pod.of).to.equal(dir);
      }
    });
  }

  it('start a database proxy before Lockstep, as a native sidecar, and other containers beside it', () => {
    for (const { spec } of podsIn(all.get('everything')!)) {
      expect(
        spec.initContainers?.map(({ name, restartPolicy, args }) => ({ name, restartPolicy, args })),
      ).to.deep.equal([{ name: 'proxy', restartPolicy: 'Always', args: ['--instance=shop'] }]);
      expect(spec.containers.map(({ name }) => name)).to.deep.equal(['lockstep', 'clock']);
    }
  });
});

describe('the Jobs of the chart', () => {
  let jobs: { name: string; job: Manifest }[];

  before(async function () {
    const helm = await requireHelm(this);
    jobs = [];
    for (const path of await ciValues())
      for (const job of jobsIn(await renderCi(helm, ciName(path)))) {
        // It only tries whether the pod starts.
        if (lockstepIn(podsIn([job])[0]!).args?.[0] === '--version') continue;
        jobs.push({ name: `${ciName(path)} ${idOf(job)}`, job });
      }
    expect(jobs.length).to.be.greaterThan(20);
  });

  it('fail at once for exactly the exit codes that src/core/errors.ts names', () => {
    const codes = Object.keys(ERRORS) as ErrorCode[];
    const final = codes.filter((code) => ERRORS[code].job === 'FailJob').flatMap(exitsOf);
    expect(final)
      .to.deep.equal(final.toSorted((a, b) => a - b))
      .and.to.include(40);
    const rule = (action: string, values: readonly number[]): object => ({
      action,
      onExitCodes: { containerName: 'lockstep', operator: 'In', values },
    });
    const files = [ERRORS.MIGRATIONS_INVALID.exit];
    for (const { name, job } of jobs) {
      const { podFailurePolicy, completionMode } = jobSpec(job);
      expect(podFailurePolicy.rules, name).to.deep.equal([
        { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        ...(completionMode === 'Indexed'
          ? [
              rule('FailJob', files),
              rule(
                'FailIndex',
                final.filter((code) => !files.some((one) => one === code)),
              ),
            ]
          : [rule('FailJob', final)]),
      ]);
    }
  });

  it('never restart a container in its pod, as the podFailurePolicy requires, and end in time', () => {
    for (const { name, job } of jobs) {
      const { template, podReplacementPolicy, ttlSecondsAfterFinished, ...spec } = jobSpec(job);
      const { activeDeadlineSeconds, backoffLimit } =
        spec.completionMode === 'Indexed'
          ? { activeDeadlineSeconds: template.spec.activeDeadlineSeconds, backoffLimit: spec.backoffLimitPerIndex }
          : spec;
      expect([template.spec.restartPolicy, podReplacementPolicy], name).to.deep.equal(['Never', 'Failed']);
      expect(activeDeadlineSeconds, name).to.equal(name.startsWith('everything') ? 240 : 3600);
      if (name.startsWith('argocd-job ')) expect(ttlSecondsAfterFinished).to.equal(undefined);
      else expect(ttlSecondsAfterFinished).to.be.at.least(3600);
      const [ofRollback, ofMigrate] = name.startsWith('everything') ? [2, 1] : [0, 3];
      expect(backoffLimit, name).to.equal(
        name.endsWith('rollback') ? ofRollback : name.endsWith('fleet-status') ? 0 : ofMigrate,
      );
    }
  });
});
