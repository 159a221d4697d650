/**
 * CREATE INDEX CONCURRENTLY is recognised without a directive, resumed, and never recorded while its index is INVALID.
 */
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { closeGate, openSnapshot } from '../support/gate.ts';
import { blockOnKey } from '../support/holder.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';
import { done, failure, up, type RunOptions } from '../support/running.ts';

const TABLE = { '001_t.up.sql': 'CREATE TABLE t (x int);\nINSERT INTO t VALUES (1), (2);' };
const DUPLICATES = { '001_t.up.sql': 'CREATE TABLE t (x int);\nINSERT INTO t VALUES (1), (1);' };

describe('a concurrent index', () => {
  const workspace = useWorkspace();

  const isValid = async (name = 't_x'): Promise<boolean | undefined> => {
    const [row] = await workspace().query<{ valid: boolean }>(
      `SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass($1)`,
      [name],
    );
    return row?.valid;
  };

  it('runs without a directive: its file runs statement by statement', async () => {
    await workspace().write({
      ...TABLE,
      '002_i.up.sql': 'INSERT INTO t VALUES (3);\nCREATE INDEX CONCURRENTLY t_x ON t (x);\nINSERT INTO t VALUES (4);',
    });
    const reporter = new Recorder();
    expect(done(await up(workspace(), { reporter }))).to.deep.equal(['001_t', '002_i']);
    expect(reporter.of('statement.finished').map(({ statement, of }) => `${statement}/${of}`)).to.deep.equal([
      '1/3',
      '2/3',
      '3/3',
    ]);
    expect(await isValid()).to.equal(true);
    expect(
      await workspace().query('SELECT count(*)::int AS rows, count(DISTINCT xmin::text)::int AS transactions FROM t'),
    ).to.deep.equal([{ rows: 4, transactions: 3 }]);
  });

  it('that violates uniqueness leaves no INVALID index, and builds once the rows are unique', async () => {
    await workspace().write({ ...DUPLICATES, '002_i.up.sql': 'CREATE UNIQUE INDEX CONCURRENTLY t_x ON t (x);' });
    const reporter = new Recorder();
    const error = await failure('MIGRATION_FAILED', up(workspace(), { reporter }));
    expect(error.details.server).to.include({ sqlstate: '23505' });
    expect(reporter.of('index.dropped').map(({ index }) => index)).to.deep.equal(['t_x']);
    expect(await workspace().invalidIndexes()).to.deep.equal([]);
    expect(await workspace().versions()).to.deep.equal(['001_t']);
    await workspace().query('DELETE FROM t WHERE ctid IN (SELECT min(ctid) FROM t)');
    expect(done(await up(workspace()))).to.deep.equal(['002_i']);
    expect(await isValid()).to.equal(true);
  });

  for (const ifNotExists of ['IF NOT EXISTS ', '']) {
    it(`rebuilds an index that an earlier, killed run left INVALID: ${ifNotExists}t_x`, async () => {
      await workspace().write(DUPLICATES);
      await up(workspace());
      await workspace()
        .query('CREATE UNIQUE INDEX CONCURRENTLY t_x ON t (x)')
        .catch(() => undefined);
      expect(await workspace().invalidIndexes()).to.deep.equal(['t_x']);
      await workspace().query('DELETE FROM t WHERE ctid IN (SELECT min(ctid) FROM t)');
      await workspace().write({ '002_i.up.sql': `CREATE UNIQUE INDEX CONCURRENTLY ${ifNotExists}t_x ON t (x);` });
      expect(done(await up(workspace()))).to.deep.equal(['002_i']);
      expect(await isValid()).to.equal(true);
    });
  }

  it('does not count as built when another table has an index of that name: IF NOT EXISTS', async () => {
    await workspace().write({
      '001_t.up.sql': 'CREATE TABLE t (x int); CREATE TABLE u (x int); CREATE INDEX t_x ON u (x);',
      '002_i.up.sql': 'CREATE INDEX CONCURRENTLY IF NOT EXISTS t_x ON t (x);',
    });
    const error = await failure('MIGRATION_FAILED', up(workspace()));
    expect(error.summary).to.include('t_x').and.include('absent');
    expect(await workspace().versions()).to.deep.equal(['001_t']);
    expect(
      await workspace().query(
        `SELECT indrelid::regclass::text AS "table" FROM pg_index WHERE indexrelid = 't_x'::regclass`,
      ),
    ).to.deep.equal([{ table: 'u' }]);
  });

  it("does not touch an index that is INVALID by design: ON ONLY a partitioned table, also under the build's name elsewhere", async () => {
    await workspace().write({
      '001_p.up.sql': `CREATE TABLE p (x int) PARTITION BY RANGE (x); CREATE TABLE p1 PARTITION OF p DEFAULT;
                       CREATE INDEX p_x ON ONLY p (x);`,
      '002_i.up.sql': 'CREATE INDEX CONCURRENTLY p1_x ON p1 (x);',
    });
    await up(workspace());
    expect(await workspace().invalidIndexes()).to.deep.equal(['p_x']);
    await workspace().write({ '003_attach.up.sql': 'ALTER INDEX p_x ATTACH PARTITION p1_x;' });
    await up(workspace());
    expect(await workspace().invalidIndexes()).to.deep.equal([]);
  });

  it('can be in a schema that the search path does not name', async () => {
    await workspace().write({
      ...TABLE,
      '002_i.up.sql': `SET search_path TO pg_catalog;\nCREATE INDEX CONCURRENTLY t_x ON ${workspace().schema}.t (x);`,
    });
    await up(workspace());
    expect(await isValid()).to.equal(true);
  });

  it('without a name is refused before anything runs', async () => {
    await workspace().write({ ...TABLE, '002_i.up.sql': 'SELECT 1;\nCREATE INDEX CONCURRENTLY ON t (x);' });
    const error = await failure('MIGRATIONS_INVALID', up(workspace()));
    expect(error.details.problems?.[0]).to.match(/^002_i\.up\.sql:2:1: .*needs a name/);
    expect(await workspace().query(`SELECT to_regclass('t') AS t`)).to.deep.equal([{ t: null }]);
  });

  it('may wait for an old snapshot for longer than the lock timeout', async () => {
    await workspace().write({ ...TABLE });
    await up(workspace());
    await workspace().write({
      '002_i.up.sql': '-- lockstep: lock-timeout=50ms\nCREATE INDEX CONCURRENTLY t_x ON t (x);',
    });
    const report = await openSnapshot(workspace());
    const run = up(workspace());
    const pid = await report.awaited();
    await eventually('the build to have waited for longer than that', async () => {
      const [row] = await workspace().query<{ waited: boolean }>(
        `SELECT now() - query_start > interval '100 ms' AS waited FROM pg_stat_activity WHERE pid = $1`,
        [pid],
      );
      return row?.waited;
    });
    await report.end();
    expect(done(await run)).to.deep.equal(['002_i']);
  });

  it('cancels a runner that blocks inside PostgreSQL on the key; without permission to cancel, it gives up and names that runner', async () => {
    await workspace().write(TABLE);
    await up(workspace());
    await workspace().write({ '003_i.up.sql': 'CREATE INDEX CONCURRENTLY t_x ON t (x);' });

    const refused = await besideBlockedRunner('002_a', { cancelBlockedWaiters: false });
    const error = await failure('CONTENTION', refused.run);
    expect(error.summary).to.include('older runner').and.include(String(refused.waiter.pid));
    expect(await refused.waiter.ended).to.equal('acquired');

    const cancelled = await besideBlockedRunner('002_b', {});
    expect(done(await cancelled.run)).to.deep.equal(['002_b', '003_i']);
    expect(await cancelled.waiter.ended).to.equal('57014');
    const pids = cancelled.reporter
      .of('lock.waiters-cancelled')
      .flatMap(({ waiters }) => waiters.map(({ pid }) => pid));
    expect(pids).to.deep.equal([cancelled.waiter.pid]);
  });

  /** A run whose first migration lasts until an older runner blocks on its key. */
  async function besideBlockedRunner(version: string, options: RunOptions) {
    const gate = await closeGate(workspace());
    await workspace().write({ [`${version}.up.sql`]: gate.sql });
    const reporter = new Recorder();
    const run = up(workspace(), { ...options, reporter });
    run.catch(() => undefined);
    await gate.arrived();
    const waiter = await blockOnKey(workspace().serverUrl, workspace().lockKey, 'older runner');
    workspace().defer(() => waiter.close());
    await gate.open();
    return { run, waiter, reporter };
  }
});
