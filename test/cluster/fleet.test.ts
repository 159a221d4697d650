/** Does an API server hold the addresses of a fleet, and does the chart see which are not there? */
import { join } from 'node:path';
import { expect } from 'chai';

import { CHART, render, runHelm, type Helm, type HelmResult } from '../../scripts/chart/helm.ts';
import { requireHelm } from '../chart/support/helms.ts';
import { createNamespace, ownApiServer, type ApiServer } from './support/api-server.ts';

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

  it('has its addresses in several Secrets, each as big as it may be', async () => {
    const secret = (name: string, bytes: number): object => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name },
      data: { [name]: Buffer.alloc(bytes, 'x').toString('base64') },
    });
    const values = join(CHART, 'ci/fleet-job-values.yaml');
    const manifests = await render(helm, { values, namespace });
    expect(await objections([...manifests, secret('shop-dbs', MIB), secret('stock-dbs', MIB)])).to.equal('');
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
