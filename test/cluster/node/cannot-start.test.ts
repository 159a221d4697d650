/** A hook whose pod can't start, on a real node: the release fails soon, and says why. */
import { expect } from 'chai';

import { CHART } from '../../../scripts/chart/helm.ts';
import type { HelmResult } from '../../../scripts/chart/helm.ts';
import { MIGRATIONS } from './support/images.ts';
import { useShop } from './support/shop.ts';

describe('a hook whose pod can not start, on a node', function () {
  this.timeout(180_000);
  const shop = useShop();

  function install(...settings: string[]): Promise<HelmResult> {
    const image = [`image.repository=${MIGRATIONS}`, `image.tag=${shop().node.images.tag('v1')}`];
    const sets = [...image, 'database.existingSecret=shop-db', ...settings].flatMap((setting) => ['--set', setting]);
    return shop().helm(['upgrade', '--install', 'shop', CHART, ...sets, '--timeout=3660s']);
  }

  it('is refused before anything is made where the Secret, the key or the ConfigMap is not there; all at once', async () => {
    const absent = await install('database.existingSecret=shop-dbs', 'migrations.configMap=files');
    expect(absent.code).not.to.equal(0);
    expect(absent.stderr)
      .to.include(`database: there is no Secret shop-dbs in the namespace ${shop().namespace}`)
      .and.include('migrations: there is no ConfigMap files');
    expect((await install('database.existingSecretKey=uri')).stderr).to.include(
      'database: the Secret shop-db has no key "uri"; it has: url',
    );
    expect(await shop().kubectl('get', 'jobs', '-o', 'name')).to.equal('');
  });

  it('fails the release within hook.startDeadlineSeconds where there is no such tag; the Events say so', async () => {
    const { code, stdout } = await install('hook.startDeadlineSeconds=20', 'image.tag=none');
    expect(code, stdout).not.to.equal(0);
    const job = await shop().ended('shop-lockstep-start-1');
    expect(job.status.conditions?.find(({ type }) => type === 'Failed')?.reason).to.equal('DeadlineExceeded');
    expect(await shop().kubectl('events', '--types=Warning')).to.match(
      /Failed +Pod\/shop-lockstep-start-1-\w+ +.*shop-migrations:none/,
    );
    expect(await shop().kubectl('get', 'jobs', '-o', 'name')).to.equal('job.batch/shop-lockstep-start-1\n');

    expect((await install('hook.startDeadlineSeconds=60')).code).to.equal(0);
    expect(await shop().kubectl('get', 'jobs', '-o', 'name'), 'one that succeeded is deleted').to.equal(
      'job.batch/shop-lockstep-migrate-2\njob.batch/shop-lockstep-start-1\n',
    );
  });
});
