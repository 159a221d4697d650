/** Does a run over 2,000 schemas leave room in a lock table of the default size? */
import { expect } from 'chai';
import pg from 'pg';

import type { Postgres } from '../../scripts/postgres/server.ts';
import { expectExit } from '../support/cli.ts';
import { ownServer } from '../support/server.ts';
import { useTenants } from '../support/tenants.ts';

describe('the lock table at its default size', () => {
  let server: Postgres;
  before(async () => {
    server = await ownServer({ settings: { max_connections: '100' } });
  });
  after(() => server.stop());
  const tenants = useTenants(() => server.url);

  it('has room for eight runs over 2,000 schemas and an application that holds 2,000 locks', async function () {
    this.timeout(240_000);
    const [settings] = await tenants().query(
      `SELECT current_setting('max_locks_per_transaction') AS locks, current_setting('max_connections') AS sessions`,
    );
    expect(settings).to.deep.equal({ locks: '64', sessions: '100' });
    await tenants().make('t0001');
    expectExit(await tenants().run(['up', '--schemas', 't*']), 0);
    await tenants().copy(2, 2_000);
    const pending = Array.from({ length: 40 }, (_, index) => `t${String(50 * index + 7).padStart(4, '0')}`);
    await tenants().query(
      pending
        .map((name) => `DELETE FROM ${name}.schema_migrations; DELETE FROM ${name}.schema_migrations_journal`)
        .join(';'),
    );

    const application = new pg.Client({ connectionString: tenants().url });
    await application.connect();
    try {
      await application.query('BEGIN');
      const { rows } = await application.query<{ name: string }>(
        `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE tablename = 'schema_migrations_journal' AND schemaname <= 't1000'`,
      );
      // With its index each: twice as many locks.
      await application.query(rows.map(({ name }) => `SELECT FROM ${name} LIMIT 0`).join(';'));
      const held = await application.query<{ locks: number }>(
        'SELECT count(*)::int AS locks FROM pg_locks WHERE pid = pg_backend_pid()',
      );
      expect(held.rows[0]?.locks).to.be.greaterThan(2_000);

      const release = { LOCKSTEP_RELEASE: 'shop/2@2.0' };
      const runs = Array.from({ length: 8 }, () => tenants().start(['up', '--schemas', 't*', '--json'], release));
      for (const { exited } of runs) {
        const result = await exited;
        expectExit(result, 0);
        expect(result.stdout + result.stderr).not.to.include('53200');
      }
    } finally {
      await application.end();
    }
    expect(await tenants().appliedTimes(pending)).to.deep.equal(
      pending.map(() => ({ '001_users': 1, '002_orders': 1 })),
    );
  });
});
