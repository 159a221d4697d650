/** Where the address comes from, and how many there are, on a real node. */
import { expect } from 'chai';

import { CHART } from '../../../scripts/chart/helm.ts';
import { withExample } from '../../../scripts/chart/plain-manifests.ts';
import { versionsOf } from '../../support/migrations.ts';
import { MIGRATIONS, WEB } from './support/images.ts';
import { RELEASES } from './support/releases.ts';
import { succeeds, useShop } from './support/shop.ts';

describe('the addresses on a node', function () {
  this.timeout(180_000);
  const shop = useShop();
  const sets = (settings: readonly string[]): string[] => settings.flatMap((setting) => ['--set', setting]);
  const image = (): string[] => [
    `image.repository=${MIGRATIONS}`,
    `image.tag=${shop().node.images.tag('v1')}`,
    'image.pullPolicy=IfNotPresent',
  ];

  it('come from keys of their own, as operators write them; the Job waits for a Secret that comes late', async () => {
    const { hostname, port, username, password, pathname } = new URL(shop().database.address());
    const settings = ['host=host', 'port=port', 'user=username', 'password=password', 'dbname=dbname'].map(
      (pair) => `database.secretKeys.${pair}`,
    );
    const late = ['database.existingSecret=shop-pg-app', 'hook.checkInputs=false', ...settings, ...image()];
    const done = shop().helm(['install', 'shop', CHART, ...sets(late), '--timeout=100s']);
    // The code that awaits it sees the failure.
    done.catch(() => undefined);
    await shop().podWaits('shop-lockstep-migrate-1', 'CreateContainerConfigError');
    const parts = { host: hostname, port, username, password, dbname: pathname.slice(1) };
    await shop().kubectl(
      'create',
      'secret',
      'generic',
      'shop-pg-app',
      ...Object.entries(parts).map(([key, value]) => `--from-literal=${key}=${value}`),
    );
    succeeds(await done);
    expect(await shop().database.versions()).to.deep.equal(versionsOf(RELEASES.v1));
    succeeds(
      await shop().helm([
        'upgrade',
        'shop',
        CHART,
        ...sets([...image(), 'database.existingSecret=shop-pg-app', ...settings]),
      ]),
    );
  });

  it('are two in one application: each init container migrates its own', async () => {
    const stock = await shop().node.postgres.createDatabase();
    const { tag } = shop().node.images;
    const secret = (name: string, url: string): Promise<string> =>
      shop().kubectl('create', 'secret', 'generic', name, `--from-literal=url=${url}`);
    await secret('orders-db', shop().database.address());
    await secret('stock-db', stock.address());
    const settings = [
      `image.repository=${WEB}`,
      `image.tag=${tag('web')}`,
      ...['orders', 'stock'].map((alias) => `${alias}.image.repository=${MIGRATIONS}`),
      `orders.image.tag=${tag('v1')}`,
      `stock.image.tag=${tag('v2')}`,
    ];
    await withExample(
      shop().node.helm,
      async (chart) => succeeds(await shop().helm(['install', 'shop', chart, ...sets(settings)])),
      'two-databases',
    );
    await shop().readyPods(1);
    expect(await shop().database.versions()).to.deep.equal(versionsOf(RELEASES.v1));
    expect(await stock.versions()).to.deep.equal(versionsOf(RELEASES.v2));
    await stock.close();
  });
});
