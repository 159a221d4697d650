/** What does an API server accept of a fleet: 500 targets under the longest name, and Secrets as big as they may be? */
import { expect } from 'chai';

import {
  CHART,
  parseManifests,
  renderText,
  runHelm,
  type Helm,
  type HelmResult,
  type Manifest,
} from '../../scripts/chart/helm.ts';
import { requireHelm } from '../chart/support/helms.ts';
import { createNamespace, ownApiServer, type ApiServer } from './support/api-server.ts';

/** As long as Helm allows. */
const LONG = 'the-shop-of-the-far-north-with-a-name-that-is-long-a1';
const NAMES = Array.from({ length: 500 }, (_, index) => `t-${index}`);
const MIB = 2 ** 20;

describe('a fleet on a real API server', function () {
  this.timeout(120_000);
  let api: ApiServer;
  let helm: Helm;
  let namespace: string;

  before(async function () {
    api = await ownApiServer(this);
    helm = await requireHelm(this);
    namespace = await createNamespace(api);
  });

  /** Empty where the server accepts all of them. */
  async function objections(manifests: readonly object[]): Promise<string> {
    // `apply` would keep a copy in an annotation, which may have only 256 KiB.
    const args = ['create', '--dry-run=server', '--warnings-as-errors', '--namespace', namespace, '-f', '-'];
    return await api.kubectl(args, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests })).then(
      () => '',
      (error: unknown) => (error as Error).message,
    );
  }

  async function render(...set: string[]): Promise<Manifest[]> {
    const values = ['image.repository=registry.example.com/shop', 'fleet.secretName=shop-dbs', ...set];
    return parseManifests(
      await renderText(helm, { release: LONG, namespace, set: [`fleet.targets={${NAMES.join(',')}}`, ...values] }),
    );
  }

  for (const mode of ['hook', 'job']) {
    it(`has 500 targets under the longest name, with mode: ${mode}`, async () => {
      const manifests = await render(`mode=${mode}`);
      expect(await objections(manifests)).to.equal('');
      const job = manifests.find(({ kind }) => kind === 'Job')!;
      const longer = { ...job, metadata: { ...job.metadata, name: job.metadata.name.padEnd(60, 'x') } };
      expect(await objections([longer])).to.match(/invalid DNS label: \S+-499$/m);
    });
  }

  it('has a canary of a hundred among them', async () => {
    const canary = `fleet.canary={${NAMES.slice(0, 100).join(',')}}`;
    expect(await objections(await render(canary))).to.equal('');
  });

  it('has its addresses in several Secrets, each as big as it may be', async () => {
    const secret = (name: string, bytes: number): object => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name },
      data: { [name]: Buffer.alloc(bytes, 'x').toString('base64') },
    });
    const more = 'fleet.moreSecretNames={more-dbs,last-dbs}';
    expect(await objections([...(await render(more)), secret('shop-dbs', MIB), secret('more-dbs', MIB)])).to.equal('');
    expect(await objections([secret('last-dbs', MIB + 1)])).to.match(/may not be more than 1048576 bytes/);
  });

  it('is refused at once where a target has no address in any of the Secrets', async () => {
    for (const [name, target] of [
      ['shop-dbs', 'a'],
      ['more-dbs', 'b'],
    ] as const)
      await api.kubectl(['create', 'secret', 'generic', name, '-n', namespace, `--from-literal=${target}=address`]);
    const tried = (skip: string): Promise<HelmResult> => {
      const fleet = ['secretName=shop-dbs', 'moreSecretNames={more-dbs}', 'targets={a,b,c,d}', `skip={${skip}}`];
      const sets = ['image.repository=shop', ...fleet.map((each) => `fleet.${each}`)].flatMap((set) => ['--set', set]);
      const args = ['install', 'shop', CHART, '--dry-run=server', '--namespace', namespace, ...sets];
      return runHelm(helm, args, api.kubeconfig);
    };
    expect((await tried('d')).stderr).to.match(/fleet\.targets: no Secret of the fleet has the keys: c$/m);
    const { code, stderr } = await tried('c,d');
    expect(code, stderr).to.equal(0);
  });
});
