/** Does a run over many schemas notice a pooler, and work through one that pools by session? */
import { expect } from 'chai';

import { expectExit } from '../support/cli.ts';
import { requirePgBouncer, startPgBouncer, type PgBouncer } from '../support/pgbouncer.ts';
import { useTenants } from '../support/tenants.ts';

describe('a run over many schemas through a pooler', () => {
  const tenants = useTenants();

  before(function () {
    requirePgBouncer(this);
  });

  async function through(mode: 'session' | 'transaction', body: (pooler: PgBouncer) => Promise<void>): Promise<void> {
    const pooler = await startPgBouncer(tenants().url, { mode });
    try {
      await tenants().make('a', 'b', 'c');
      await body(pooler);
    } finally {
      await pooler.stop();
    }
  }

  it('is refused, also with --allow-pooler where it pools by transaction, and nothing is made', async () => {
    await through('transaction', async ({ url }) => {
      for (const more of [[], ['--allow-pooler']]) {
        const result = await tenants().run(['up', '--schemas', '?', ...more], { DATABASE_URL: url });
        expect(result.code, result.stderr).to.equal(20);
        expect(result.stderr).to.include('pooler');
      }
      expect(await tenants().query(`SELECT FROM pg_locks WHERE locktype = 'advisory'`)).to.have.length(0);
      expect(await tenants().query(`SELECT FROM pg_tables WHERE schemaname IN ('a', 'b', 'c')`)).to.have.length(0);
    });
  });

  it('works with --allow-pooler where it pools by session', async () => {
    await through('session', async ({ url }) => {
      const args = ['up', '--schemas', '?', '--allow-pooler', '--schemas-parallel', '2'];
      expectExit(await tenants().run(args, { DATABASE_URL: url }), 0);
      const again = await tenants().run(args, { DATABASE_URL: url });
      expect(again.stdout).to.equal('  skip 3 schemas (already applied)\nDone.\n');
      expect(await tenants().appliedTimes(['a', 'b', 'c'])).to.deep.equal(
        ['a', 'b', 'c'].map(() => ({ '001_users': 1, '002_orders': 1 })),
      );
    });
  });
});
