/** How many messages does a run over many schemas send? */
import { expect } from 'chai';

import { expectExit } from '../support/cli.ts';
import { useTenants } from '../support/tenants.ts';
import { WireProxy } from '../support/wire-proxy.ts';

describe('the messages of a run over many schemas', () => {
  const tenants = useTenants();

  /** The messages of one run that ends well. */
  async function count(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> {
    const proxy = await WireProxy.start(tenants().url);
    try {
      expectExit(await tenants().run([...args, '--schemas', 't*'], { ...env, DATABASE_URL: proxy.url }), 0);
      return proxy.queries.length;
    } finally {
      await proxy.stop();
    }
  }

  it('with nothing pending is the same however many they are, also in a new release', async function () {
    this.timeout(180_000);
    await tenants().make('t0001');
    expectExit(await tenants().run(['up', '--schemas', 't*']), 0);
    for (const [from, many] of [
      [2, 30],
      [31, 2_000],
    ] as const) {
      await tenants().copy(from, many);
      expect(await count(['up']), `up in ${many}`).to.equal(2);
      const release = { LOCKSTEP_RELEASE: `shop/${many}@1.0` };
      expect(await count(['up'], release), `the first up of a release in ${many}`).to.equal(3);
      expect(await count(['up'], release), `the second up of a release in ${many}`).to.equal(2);
      expect(await count(['wait']), `wait in ${many}`).to.equal(2);
      expect(await count(['status']), `status in ${many}`).to.equal(2);
    }
    const [row] = await tenants().query(
      `SELECT count(*)::int AS seen FROM t2000.schema_migrations_journal WHERE event = 'release seen' AND release = 'shop/2000@1.0'`,
    );
    expect(row).to.deep.equal({ seen: 1 });
  });
});
