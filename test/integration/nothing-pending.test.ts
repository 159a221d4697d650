/** What a runner that has nothing to do sends to the server: one message, and no exclusive lock. */
import { expect } from 'chai';

import { runMigrations } from '../../src/index.ts';
import { eventually } from '../support/bounded.ts';
import { closeGate } from '../support/gate.ts';
import { holdKey } from '../support/holder.ts';
import { FIVE_FILES, file, versionsOf } from '../support/migrations.ts';
import { Recorder } from '../support/recorder.ts';
import type { WireProxy } from '../support/wire-proxy.ts';
import { useWorkspace } from '../support/workspace.ts';
import { createRole } from '../support/roles.ts';
import { done, down, proxyOf, up } from '../support/running.ts';

const VERSIONS = versionsOf(FIVE_FILES);

/** What an exclusive try, a wait for the lock, and session settings look like on the wire. */
const MORE_THAN_A_LOOK = /pg_try_advisory_lock\(|pg_advisory_lock|client_connection_check_interval|CREATE|LISTEN/;

function expectOneLook(proxy: WireProxy): void {
  expect(proxy.queries.map(({ type }) => type)).to.deep.equal(['Q']);
  expect(proxy.queries[0]!.text).to.include('pg_try_advisory_xact_lock_shared').and.not.match(MORE_THAN_A_LOOK);
}

describe('the nothing-pending message', () => {
  const workspace = useWorkspace();

  it('is the only message when everything is applied', async () => {
    await workspace().write(FIVE_FILES);
    await up(workspace());
    const proxy = await proxyOf(workspace());
    expect((await up(workspace(), { connectionString: proxy.url })).skipped).to.deep.equal(VERSIONS);
    expectOneLook(proxy);
  });

  it('accepts a missing table as an answer, and is the only message when there are no files', async () => {
    const proxy = await proxyOf(workspace());
    expect((await up(workspace(), { connectionString: proxy.url, allowEmpty: true })).skipped).to.deep.equal([]);
    expectOneLook(proxy);
    expect(await workspace().query(`SELECT to_regclass('schema_migrations') AS found`)).to.deep.equal([
      { found: null },
    ]);
  });

  it('accepts a missing table as an answer, and the same session applies the pending files', async () => {
    await workspace().write(FIVE_FILES);
    const proxy = await proxyOf(workspace());
    expect(done(await up(workspace(), { connectionString: proxy.url }))).to.deep.equal(VERSIONS);
    expect(new Set(proxy.queries.map(({ connection }) => connection))).to.deep.equal(new Set([1]));
  });

  it("reads the original Go runner's table of two columns as it is", async () => {
    await workspace().query(
      'CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    for (const version of VERSIONS)
      await workspace().query('INSERT INTO schema_migrations (version) VALUES ($1)', [version]);
    await workspace().write(FIVE_FILES);
    const proxy = await proxyOf(workspace());
    expect((await up(workspace(), { connectionString: proxy.url })).skipped).to.deep.equal(VERSIONS);
    expectOneLook(proxy);
  });

  it('takes no exclusive lock: the server answers while another session holds the key in shared mode', async () => {
    await workspace().write(FIVE_FILES);
    await up(workspace());
    const other = await workspace().client();
    await other.query('SELECT pg_advisory_lock_shared($1::bigint)', [workspace().lockKey]);
    const proxy = await proxyOf(workspace());
    await up(workspace(), { connectionString: proxy.url });
    expectOneLook(proxy);
  });

  for (const isolation of ['repeatable read', 'serializable']) {
    it(`sees what was committed after its check of the lock, also when sessions default to ${isolation}`, async () => {
      const role = await createRole(workspace(), { settings: { default_transaction_isolation: isolation } });
      await workspace().write(FIVE_FILES);
      await up(workspace(), { to: '004_bonus' });
      await workspace().query(`GRANT SELECT ON schema_migrations TO ${role.name}`);
      // The message reads the history only after this has ended; it checks the lock before.
      const writer = await workspace().client();
      await writer.query('BEGIN; LOCK TABLE schema_migrations');
      await writer.query(`INSERT INTO schema_migrations (version) VALUES ('005_order_notes')`);
      const proxy = await proxyOf(workspace(), role.url);
      const run = up(workspace(), { connectionString: proxy.url });
      run.catch(() => undefined);
      await eventually('the message to wait for the table', async () => {
        const [waiting] = await workspace().query<{ count: number }>(
          `SELECT count(*)::int FROM pg_locks WHERE NOT granted AND relation = 'schema_migrations'::regclass`,
        );
        return waiting!.count === 1;
      });
      await writer.query('COMMIT');
      expect((await run).skipped).to.deep.equal(VERSIONS);
      expectOneLook(proxy);
    });
  }
});

describe('the nothing-pending message while another session holds the lock', () => {
  const workspace = useWorkspace();

  beforeEach(async () => {
    await workspace().write(FIVE_FILES);
    await up(workspace());
  });

  it('ends with success beside a runner that applies, which only adds versions', async () => {
    const gate = await closeGate(workspace());
    const files = Object.keys(FIVE_FILES).map((name) => `${workspace().dir}/${name}`);
    await workspace().write(file(6, 'slow', gate.sql));
    const holder = up(workspace());
    await gate.arrived();
    const proxy = await proxyOf(workspace());
    const { lockKey } = workspace();
    const outcome = await runMigrations({ connectionString: proxy.url, lockKey, files, direction: 'up' });
    expect(outcome.skipped).to.deep.equal(VERSIONS);
    expectOneLook(proxy);
    await gate.open();
    expect(done(await holder)).to.deep.equal(['006_slow']);
  });

  it('waits beside a runner that rolls back, and then applies what that removed', async () => {
    const gate = await closeGate(workspace());
    await workspace().write({ '005_order_notes.down.sql': `${gate.sql}\n${FIVE_FILES['005_order_notes.down.sql']}` });
    const rollback = down(workspace(), { steps: 1, from: 'files' });
    await gate.arrived();
    const reporter = new Recorder();
    const run = up(workspace(), { reporter });
    const { holder } = await reporter.next('lock.waiting');
    expect(holder?.applicationName).to.match(/^lockstep down /);
    await gate.open();
    expect(done(await rollback)).to.deep.equal(['005_order_notes']);
    expect(done(await run)).to.deep.equal(['005_order_notes']);
    expect(await workspace().journalCounts('applied')).to.include({ '005_order_notes': 2, '004_bonus': 1 });
  });

  for (const name of ['lockstep import 0.1.0 a', 'migrate', '']) {
    it(`waits beside a holder named "${name}", and ends without trying for the lock`, async () => {
      const holder = await holdKey(workspace().serverUrl, workspace().lockKey, name);
      workspace().defer(() => holder.release());
      const proxy = await proxyOf(workspace());
      const reporter = new Recorder();
      const run = up(workspace(), { connectionString: proxy.url, reporter });
      expect((await reporter.next('lock.waiting')).holder).to.include({ pid: holder.pid, applicationName: name });
      await holder.release();
      expect((await run).skipped).to.deep.equal(VERSIONS);
      expect(proxy.queries.filter(({ text }) => text.includes('pg_try_advisory_lock('))).to.deep.equal([]);
    });
  }

  it('does not take a failed try without a holder for a held lock', async () => {
    await workspace().write(file(6, 'late', 'SELECT 1;'));
    const other = await workspace().client();
    await other.query('SELECT pg_advisory_lock_shared($1::bigint)', [workspace().lockKey]);
    const proxy = await proxyOf(workspace());
    const reporter = new Recorder();
    const run = up(workspace(), { connectionString: proxy.url, reporter });
    const tries = (): number => proxy.queries.filter(({ text }) => text.includes('pg_try_advisory_lock(')).length;
    await proxy.nextMessage('a third try', () => tries() >= 3);
    await other.query('SELECT pg_advisory_unlock_shared($1::bigint)', [workspace().lockKey]);
    expect(done(await run)).to.deep.equal(['006_late']);
    expect(reporter.of('lock.waiting')).to.deep.equal([]);
  });
});
