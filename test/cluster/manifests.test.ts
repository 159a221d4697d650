import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect } from 'chai';

import { ciValues, exampleValues } from '../../scripts/chart/generated.ts';
import { CHART, parseManifests, render, type Helm, type Manifest } from '../../scripts/chart/helm.ts';
import { renderExample } from '../../scripts/chart/plain-manifests.ts';
import { requireHelm } from '../chart/support/helms.ts';
import { ciName, jobSpec, jobsIn, podsIn } from '../chart/support/manifests.ts';
import { atEnd } from '../support/cleanup.ts';
import { createNamespace, ownApiServer, type ApiServer } from './support/api-server.ts';
import { blockOf } from './support/person.ts';

const root = resolve(import.meta.dirname, '../..');

/** Pod Security rejects pods, and only warns about their controllers: so the pods themselves. */
function podsOf(manifests: readonly Manifest[]): Manifest[] {
  return podsIn(manifests).map(({ of, spec, labels, annotations }, index) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${of.split('/')[1]!.slice(0, 50)}-${index}`, labels, annotations },
    spec,
  }));
}

describe('a real API server', () => {
  let api: ApiServer;
  let helm: Helm;
  let namespace: string;

  before(async function () {
    // Which fields and pods a cluster accepts also depends on its feature gates and admission plugins.
    api = await ownApiServer(this);
    helm = await requireHelm(this);
    namespace = await createNamespace(api);
    await api.kubectl([
      'label',
      'namespace',
      namespace,
      'pod-security.kubernetes.io/enforce=restricted',
      'pod-security.kubernetes.io/warn=restricted',
    ]);
    // The server would reject a pod whose class does not exist.
    const { metadata } = { metadata: { name: 'migrations' } };
    await api.kubectl(
      ['apply', '-f', '-'],
      JSON.stringify({ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata, value: 1000 }),
    );
    atEnd(() => api.kubectl(['delete', 'priorityclass', metadata.name]));
  });

  /**
   * The server's errors and warnings for these manifests, in a dry run with full validation. Empty when there are none.
   */
  async function objections(manifests: readonly Manifest[]): Promise<string> {
    if (manifests.length === 0) return '';
    const stream = manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n');
    const args = ['apply', '--dry-run=server', '--warnings-as-errors', '--namespace', namespace, '-f', '-'];
    return api.kubectl(args, stream).then(
      () => '',
      (error: unknown) => (error as Error).message,
    );
  }

  async function acceptsAll(manifests: readonly Manifest[], what: string): Promise<void> {
    expect(await objections(manifests), what).to.equal('');
    expect(await objections(podsOf(manifests)), `pods of ${what}`).to.equal('');
  }

  it('accepts all manifests of the chart, and each pod under Pod Security "restricted"', async function () {
    this.timeout(300_000);
    for (const values of [...(await ciValues()), ...(await exampleValues())])
      await acceptsAll(await render(helm, { values, namespace }), ciName(values));
  });

  it('accepts the example in every mode', async function () {
    this.timeout(300_000);
    for (const set of [
      [],
      ['lockstep.mode=job'],
      ['lockstep.mode=hook', 'proxyImage=registry.example.com/proxy:1'],
      ['lockstep.migrations.configMap=files'],
    ]) {
      const manifests = await renderExample(helm, { set, namespace });
      expect(manifests.map(({ kind }) => kind)).to.include('Deployment');
      await acceptsAll(manifests, set.join());
    }
    await acceptsAll(await renderExample(helm, { namespace }, 'two-databases'), 'two databases');
  });

  it('accepts the manifests without Helm', async () => {
    const names = (await readdir(join(root, 'k8s'))).filter((name) => name.endsWith('.yaml'));
    expect(names).to.have.length(6);
    for (const name of names) {
      const text = await readFile(join(root, 'k8s', name), 'utf8');
      expect(text).to.include('\n  namespace: shop\n');
      await acceptsAll(parseManifests(text.replaceAll('namespace: shop\n', `namespace: ${namespace}\n`)), name);
    }
  });

  it('accepts the objects that the pages show', async () => {
    for (const [page, words] of [
      ['docs/operations.md', 'kind: NetworkPolicy'],
      ['docs/kubernetes.md', 'name: lockstep-events'],
      ['docs/kubernetes.md', 'pods/log'],
    ] as const)
      expect(await objections(parseManifests(await blockOf(join(root, page), 'yaml', words))), page).to.equal('');
  });

  it('accepts the longest names', async () => {
    const release = 'the-shop-of-the-far-north-with-a-name-that-is-long-a1';
    for (const ci of ['url', 'job-url'])
      await acceptsAll(await render(helm, { values: join(CHART, `ci/${ci}-values.yaml`), release, namespace }), ci);
  });

  it('accepts a fleet of 500 with the longest names, and would reject names that leave no room for an index', async () => {
    const release = 'the-shop-of-the-far-north-with-a-name-that-is-long-a1';
    const names = Array.from({ length: 500 }, (_, index) => `customer-${index}`);
    const set = [`fleet.targets={${names.join(',')}}`, 'fleet.canary={customer-7}', 'fleet.skip={customer-9}'];
    for (const ci of ['fleet', 'argocd-fleet']) {
      const manifests = await render(helm, { values: join(CHART, `ci/${ci}-values.yaml`), release, set, namespace });
      await acceptsAll(manifests, ci);
      const job = manifests.findLast(({ kind }) => kind === 'Job')!;
      expect(jobSpec(job).completions).to.equal(498);
      const metadata = { ...job.metadata, name: 'j'.repeat(60) };
      expect(await objections([{ ...job, metadata }])).to.match(/pod with invalid DNS label: j+-497/);
    }
  });

  it('would reject a pod that is not restricted, a policy that needs another pod, and an unknown field', async () => {
    const manifests = await render(helm, { values: join(CHART, 'ci/minimal-values.yaml'), namespace });
    const [pod] = podsOf(manifests);
    expect(await objections([{ ...pod!, spec: { ...podsIn(manifests)[0]!.spec, securityContext: {} } }])).to.match(
      /violates PodSecurity "restricted/,
    );
    const job = jobsIn(manifests).find(({ kind }) => kind === 'Job')!;
    const spec = jobSpec(job);
    expect(
      await objections([
        {
          ...job,
          spec: { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, securityContext: {} } } },
        },
      ]),
    ).to.match(/would violate PodSecurity/);
    expect(
      await objections([
        {
          ...job,
          spec: {
            ...spec,
            template: { ...spec.template, spec: { ...spec.template.spec, restartPolicy: 'OnFailure' } },
          },
        },
      ]),
    ).to.include('podFailurePolicy');
    expect(await objections([{ ...job, spec: { ...spec, backofLimit: 1 } }])).to.include('backofLimit');
  });
});
