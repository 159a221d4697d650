/**
 * A migration that waits for a table lock does not block other sessions for long, whatever statement takes the lock.
 */
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { Recorder } from '../support/recorder.ts';
import { done, failure, up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

const LIMIT_MS = 200;

describe('a migration that waits for a table lock', () => {
  const workspace = useWorkspace();

  beforeEach(() =>
    workspace().query('CREATE TABLE t AS SELECT 1 AS id; CREATE TABLE u (id int); CREATE INDEX t_id ON t (id)'),
  );

  /** A session that reads `t`, and stays open until released. */
  async function reading(): Promise<() => Promise<unknown>> {
    const reader = await workspace().client({ application_name: 'report' });
    await reader.query('BEGIN; SELECT * FROM t');
    return () => reader.query('COMMIT');
  }

  const start = (): { run: ReturnType<typeof up>; reporter: Recorder } => {
    const reporter = new Recorder();
    const run = up(workspace(), { reporter, lockTimeoutMs: LIMIT_MS });
    run.catch(() => undefined);
    return { run, reporter };
  };

  const SWALLOWS = `DO $$ BEGIN ALTER TABLE t ADD COLUMN v int; EXCEPTION WHEN OTHERS THEN NULL; END $$;`;
  const RETRIED: Readonly<Record<string, string>> = {
    'VACUUM FULL of one table': 'VACUUM FULL t;',
    'VACUUM FULL of one table, with options': 'VACUUM (FULL, ANALYZE) t;',
    'CLUSTER of one table outside a transaction': '-- lockstep: no-transaction\nCLUSTER t USING t_id;',
    'REINDEX of one table outside a transaction': '-- lockstep: no-transaction\nREINDEX TABLE t;',
    'REINDEX of one index outside a transaction': '-- lockstep: no-transaction\nREINDEX INDEX t_id;',
    'DDL in a transaction': 'ALTER TABLE t ADD COLUMN v int;',
    'DDL in a DO block that swallows every error': SWALLOWS,
    'DDL in a DO block beside other statements': `CREATE TABLE w ();\n${SWALLOWS}\nCREATE TABLE x ();`,
    'DDL in a DO block of a file that runs statement by statement': `CREATE INDEX CONCURRENTLY u_id ON u (id);\n${SWALLOWS}`,
    'DDL in a procedure': `CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE t ADD COLUMN v int; END $$;\nCALL p();`,
  };
  for (const [what, sql] of Object.entries(RETRIED)) {
    it(`leaves the lock queue, lets readers pass, retries, and succeeds: ${what}`, async () => {
      await workspace().write({ '001_a.up.sql': sql });
      const stop = await reading();
      const { run, reporter } = start();
      const { error } = await reporter.next('migration.retrying');
      expect(JSON.stringify(error.details.blockers)).to.include('report');
      // A new reader does not queue behind the waiting migration for longer than --lock-timeout.
      await workspace().query('SELECT * FROM t');
      await stop();
      expect(done(await run)).to.deep.equal(['001_a']);
      if (/ADD COLUMN v/.test(sql)) await workspace().query('SELECT v FROM t');
    });
  }

  const NOT_RETRIED: Readonly<Record<string, string>> = {
    'VACUUM FULL of two tables': 'VACUUM FULL u, t;',
    'REINDEX of a schema': 'REINDEX SCHEMA HERE;',
  };
  for (const [what, sql] of Object.entries(NOT_RETRIED)) {
    it(`leaves the lock queue and exits with 32 without a retry: ${what}`, async () => {
      await workspace().write({ '001_a.up.sql': sql.replace('HERE', workspace().schema) });
      const stop = await reading();
      const { run, reporter } = start();
      const error = await failure('CONTENTION', run);
      expect(error.details.server).to.include({ sqlstate: '55P03' });
      expect(reporter.of('migration.retrying')).to.deep.equal([]);
      await stop();
    });
  }

  it('is cancelled with exit 41 in a DO block outside a transaction, as its commits are unknown', async () => {
    await workspace().write({
      '001_a.up.sql': `-- lockstep: no-transaction\nDO $$ BEGIN INSERT INTO t VALUES (2); COMMIT; ALTER TABLE t ADD COLUMN v int; END $$;`,
    });
    const stop = await reading();
    const { run, reporter } = start();
    const error = await failure('MIGRATION_INCOMPLETE', run);
    expect(error.hint).to.include('--statement done');
    expect(reporter.of('migration.retrying')).to.deep.equal([]);
    await stop();
    expect(await workspace().query('SELECT count(*)::int AS n FROM t')).to.deep.equal([{ n: 2 }]);
  });

  const EXEMPT: Readonly<Record<string, string>> = {
    'plain VACUUM': 'VACUUM t;',
    'a DO block that waits for a row': 'DO $$ BEGIN UPDATE t SET id = 2; EXCEPTION WHEN OTHERS THEN NULL; END $$;',
    'an UPDATE': 'UPDATE t SET id = 2;',
  };
  for (const [what, sql] of Object.entries(EXEMPT)) {
    it(`keeps waiting without a limit: ${what}`, async () => {
      await workspace().write({ '001_a.up.sql': sql });
      const other = await workspace().client();
      await other.query(
        what === 'plain VACUUM' ? 'BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE' : 'BEGIN; UPDATE t SET id = 3',
      );
      const { run, reporter } = start();
      const waits = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND state_change < clock_timestamp() - interval '${LIMIT_MS * 4} ms' AND application_name LIKE 'lockstep up%'`;
      await eventually('it to wait for longer than the limit', async () => (await workspace().query(waits)).length > 0);
      await other.query('COMMIT');
      expect(done(await run)).to.deep.equal(['001_a']);
      expect(reporter.of('migration.retrying')).to.deep.equal([]);
    });
  }
});
