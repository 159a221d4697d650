/** Facts about PostgreSQL that the lock relies on: locks, snapshots and sessions. */
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { blockOnKey, holdKey } from '../support/holder.ts';
import { useWorkspace } from '../support/workspace.ts';
import { useDatabase } from '../support/databases.ts';
import { createRole } from '../support/roles.ts';
import { activityOf, message, pidOf, sqlstateOf, waitsFor } from '../support/sessions.ts';

describe('PostgreSQL: locks and snapshots', () => {
  const workspace = useWorkspace();
  const key = (): string => workspace().lockKey;

  it('a session that blocks in pg_advisory_lock has a snapshot: a concurrent build by the holder deadlocks with it, and leaves an INVALID index', async () => {
    await workspace().query('CREATE TABLE t AS SELECT 1 AS x');
    const holder = await workspace().client();
    // The holder detects the deadlock, and is its victim.
    await holder.query(`SET deadlock_timeout = '50ms'`);
    await holder.query('SELECT pg_advisory_lock($1::bigint)', [key()]);
    const waiter = await blockOnKey(workspace().serverUrl, key());
    workspace().defer(() => waiter.close());
    expect((await activityOf(workspace(), waiter.pid))?.['xmin']).to.be.a('string');
    expect(await sqlstateOf(holder.query('CREATE INDEX CONCURRENTLY t_x ON t (x)'))).to.equal('40P01');
    expect(await workspace().invalidIndexes()).to.deep.equal(['t_x']);
    await holder.query('SELECT pg_advisory_unlock($1::bigint)', [key()]);
    expect(await waiter.ended).to.equal('acquired');
  });

  it('an idle session has no snapshot, not even after LISTEN or inside a READ COMMITTED transaction: a concurrent build does not wait for it', async () => {
    await workspace().query('CREATE TABLE t AS SELECT 1 AS x');
    const listening = await workspace().client();
    await listening.query('LISTEN somebody; SELECT count(*) FROM t');
    const inTransaction = await workspace().client();
    await inTransaction.query('BEGIN ISOLATION LEVEL READ COMMITTED; SELECT count(*) FROM pg_class');
    for (const client of [listening, inTransaction]) {
      const pid = await pidOf(client);
      await eventually('it to be idle', async () =>
        String((await activityOf(workspace(), pid))?.['state']).startsWith('idle'),
      );
      expect((await activityOf(workspace(), pid))?.['xmin']).to.equal(null);
    }
    expect(await sqlstateOf(workspace().query('CREATE INDEX CONCURRENTLY t_x ON t (x)'))).to.equal('ok');
  });

  it('shared and exclusive advisory locks conflict: any number of sessions may share, one excludes the others', async () => {
    const [a, b, c] = [await workspace().client(), await workspace().client(), await workspace().client()];
    const tried = async (client: typeof a, how: string): Promise<unknown> =>
      (await client.query(`SELECT pg_try_advisory_${how}(${key()}) AS got`)).rows[0].got;
    expect([await tried(a, 'lock_shared'), await tried(b, 'lock_shared'), await tried(c, 'lock')]).to.deep.equal([
      true,
      true,
      false,
    ]);
    for (const client of [a, b]) await client.query(`SELECT pg_advisory_unlock_shared(${key()})`);
    expect([await tried(c, 'lock'), await tried(a, 'xact_lock_shared'), await tried(b, 'lock')]).to.deep.equal([
      true,
      false,
      false,
    ]);
  });

  it('the result of pg_advisory_unlock shows whether the session holds the key; a transaction-level lock meanwhile keeps others out, queued ones too', async () => {
    const holder = await workspace().client();
    await holder.query(`SELECT pg_advisory_lock(${key()})`);
    const waiter = await blockOnKey(workspace().serverUrl, key());
    workspace().defer(() => waiter.close());
    const asked = async (how: string): Promise<unknown> =>
      (await holder.query(`SELECT pg_${how}(${key()}) AS it`)).rows[0].it;
    const holders = async (): Promise<number[]> =>
      (await workspace().lockSessions()).filter(({ granted }) => granted).map(({ pid }) => pid);
    for (const end of ['COMMIT', 'ROLLBACK']) {
      await holder.query('BEGIN');
      expect([await asked('try_advisory_xact_lock'), await asked('advisory_unlock'), await holders()]).to.deep.equal([
        true,
        true,
        [await pidOf(holder)],
      ]);
      expect(await asked('try_advisory_lock')).to.equal(true);
      await holder.query(end);
      expect(await holders()).to.deep.equal([await pidOf(holder)]);
    }
    // The waiter would get the key otherwise.
    await workspace().query('SELECT pg_terminate_backend($1, 5000)', [waiter.pid]);
    await holder.query('SELECT pg_advisory_unlock_all(); BEGIN');
    expect([await asked('try_advisory_xact_lock'), await asked('advisory_unlock')]).to.deep.equal([true, false]);
    await holder.query('ROLLBACK');
    expect(await holders()).to.deep.equal([]);
  });

  it('a queued, blocking, exclusive waiter makes shared tries fail too, although no session holds the key exclusively', async () => {
    const sharing = await workspace().client();
    await sharing.query(`SELECT pg_advisory_lock_shared(${key()})`);
    const waiter = await blockOnKey(workspace().serverUrl, key());
    workspace().defer(() => waiter.close());
    expect(await workspace().query(`SELECT pg_try_advisory_xact_lock_shared(${key()}) AS got`)).to.deep.equal([
      { got: false },
    ]);
    await sharing.query(`SELECT pg_advisory_unlock_shared(${key()})`);
    expect(await waiter.ended).to.equal('acquired');
  });

  it('each statement of a message has its own snapshot at READ COMMITTED; within one statement the snapshot is older than the lock', async () => {
    await workspace().query('CREATE TABLE history (version text)');
    const look = async (sql: string): Promise<unknown> => {
      const holder = await workspace().client();
      await holder.query(`SELECT pg_advisory_lock(${key()})`);
      const client = await workspace().client();
      const pid = await pidOf(client);
      const answer = message(client, sql);
      await waitsFor(workspace(), pid, 'advisory');
      await holder.query(`INSERT INTO history VALUES ('new')`);
      await holder.query(`SELECT pg_advisory_unlock(${key()})`);
      const rows = (await answer).flat().at(-1)!['count'];
      await workspace().query('TRUNCATE history');
      return rows;
    };
    const [lock, count] = [`pg_advisory_xact_lock_shared(${key()})`, 'SELECT count(*)::int FROM history'];
    expect(await look(`BEGIN ISOLATION LEVEL READ COMMITTED; SELECT ${lock}; ${count}; COMMIT`)).to.equal(1);
    expect(await look(`BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT ${lock}; ${count}; COMMIT`)).to.equal(0);
    expect(await look(`WITH l AS MATERIALIZED (SELECT ${lock}) SELECT (${count}) AS count FROM l`)).to.equal(0);
  });

  it('a message that unlocks and then notifies wakes a waiter that finds the lock free', async () => {
    const holder = await holdKey(workspace().serverUrl, key());
    await holder.release();
    const releasing = await workspace().client();
    await releasing.query(`SELECT pg_advisory_lock(${key()})`);
    const listener = await workspace().client();
    await listener.query('LISTEN released');
    const woken = new Promise((resolve) => listener.once('notification', resolve));
    await message(releasing, `SELECT pg_advisory_unlock(${key()}); NOTIFY released`);
    await woken;
    expect((await listener.query(`SELECT pg_try_advisory_lock(${key()}) AS got`)).rows).to.deep.equal([{ got: true }]);
  });

  it('lock_timeout ends the wait for an advisory lock, the snapshot wait of a concurrent build, and the wait for a row', async () => {
    await workspace().query('CREATE TABLE t AS SELECT 1 AS x');
    const other = await workspace().client();
    await other.query(`SELECT pg_advisory_lock(${key()})`);
    await other.query('BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE t SET x = 2');
    const client = await workspace().client();
    await client.query(`SET lock_timeout = '50ms'`);
    expect(await sqlstateOf(client.query(`SELECT pg_advisory_lock(${key()})`))).to.equal('55P03');
    expect(await sqlstateOf(client.query('UPDATE t SET x = 3'))).to.equal('55P03');
    await other.query('ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
    expect(await sqlstateOf(client.query('CREATE INDEX CONCURRENTLY t_x ON t (x)'))).to.equal('55P03');
  });
});

describe('PostgreSQL: keys belong to a database', () => {
  const database = useDatabase();
  const workspace = useWorkspace();

  it('a bigint key appears in pg_locks as two halves with objsubid 1, also a negative one; another database has its own', async () => {
    for (const key of [workspace().lockKey, `-${workspace().lockKey}`]) {
      const holder = await holdKey(workspace().serverUrl, key);
      workspace().defer(() => holder.release());
      const found = await workspace().query<{ pid: number }>(
        `SELECT pid, database = (SELECT oid FROM pg_database WHERE datname = current_database()) AS here FROM pg_locks
          WHERE locktype = 'advisory' AND objsubid = 1 AND ((classid::bigint << 32) | objid::bigint) = $1::bigint`,
        [key],
      );
      expect(found).to.deep.equal([{ pid: holder.pid, here: true }]);
      const elsewhere = await holdKey(database(), key);
      await elsewhere.release();
    }
  });
});

describe('PostgreSQL: sessions', () => {
  const workspace = useWorkspace();

  it('the pid in the start-up packet of a direct connection is that of the backend', async () => {
    const client = await workspace().client();
    expect((client as unknown as { processID: number }).processID).to.equal(await pidOf(client));
  });

  it('any role may SET the parameters that free the lock of a dead client', async () => {
    const role = await createRole(workspace());
    const client = await workspace().client({ connectionString: role.url });
    for (const setting of [
      "client_connection_check_interval = '1s'",
      "idle_session_timeout = '60s'",
      "idle_in_transaction_session_timeout = '60s'",
      'tcp_keepalives_idle = 10',
      'tcp_keepalives_interval = 5',
      'tcp_keepalives_count = 3',
      "tcp_user_timeout = '25s'",
      "lock_timeout = '5s'",
      'synchronous_commit = on',
    ]) {
      expect(await sqlstateOf(client.query(`SET ${setting}`)), setting).to.equal('ok');
    }
  });

  it('idle_session_timeout ends an idle session and frees its lock, but not one that is idle in a transaction', async () => {
    const { lockKey } = workspace();
    const [idle, inTransaction] = [await workspace().client(), await workspace().client()];
    await inTransaction.query(`SET idle_session_timeout = '100ms'; BEGIN`);
    const ended = new Promise<{ code?: string }>((resolve) => idle.once('error', resolve));
    await message(idle, `SET idle_session_timeout = '200ms'; SELECT pg_advisory_lock(${lockKey})`);
    expect((await ended).code).to.equal('57P05');
    const next = await eventually('the lock to be free', () =>
      holdKey(workspace().serverUrl, lockKey).catch(() => undefined),
    );
    await next.release();
    expect(await sqlstateOf(inTransaction.query('SELECT 1'))).to.equal('ok');
  });

  it('transaction_timeout ends the session and frees its lock; servers before 17 do not have it', async () => {
    const [row] = await workspace().query<{ version: number }>(
      `SELECT current_setting('server_version_num')::int AS version`,
    );
    const { lockKey } = workspace();
    const client = await workspace().client();
    if (row!.version < 170_000) {
      expect(await sqlstateOf(client.query(`SET transaction_timeout = '100ms'`))).to.equal('42704');
      return;
    }
    await message(client, `SET transaction_timeout = '100ms'; SELECT pg_advisory_lock(${lockKey})`);
    expect(await sqlstateOf(client.query('SELECT pg_sleep(20)'))).to.equal('25P04');
    const next = await eventually('the lock to be free', () =>
      holdKey(workspace().serverUrl, lockKey).catch(() => undefined),
    );
    await next.release();
  });
});
