/**
 * Another session locks the history or the journal: a waiting run names that session after some seconds, and does not
 * wait forever.
 */
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { expectExit, startCli } from '../support/cli.ts';
import { file } from '../support/migrations.ts';
import { up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

const TABLES = ['schema_migrations', 'schema_migrations_journal'];
/** The second mode blocks only writing. */
const MODES = ['ACCESS EXCLUSIVE', 'EXCLUSIVE'];

describe('a run whose history or journal is locked by another session', () => {
  const workspace = useWorkspace();

  for (const table of TABLES) {
    for (const mode of MODES) {
      it(`names that session and exits with 32 when ${table} is locked in ${mode} mode; the next run succeeds`, async function () {
        this.timeout(120_000);
        await workspace().write(file(1, 'a', 'CREATE TABLE a ();'));
        await up(workspace());
        await workspace().write(file(2, 'b', 'CREATE TABLE b ();'));
        const other = await workspace().client({ application_name: 'a nightly job' });
        await other.query(`BEGIN; LOCK TABLE ${table} IN ${mode} MODE`);
        const run = startCli(['up', '--connect-wait', '6s', '--lock-wait', '10s'], {
          ...workspace(),
          env: workspace().env,
          timeoutMs: 60_000,
        });
        const result = await run.exited;
        expectExit(result, 32);
        const error = result.logs.at(-1)!['error'] as { problems: string[]; summary: string };
        expect(error.summary).to.match(/could not lock .*schema_migrations/);
        expect(error.problems.join()).to.include('a nightly job');
        await other.query('ROLLBACK');
        expectExit(await startCli(['up'], workspace()).exited, 0);
        expect(await workspace().versions()).to.deep.equal(['001_a', '002_b']);
      });
    }
  }

  it('reports that session when the lock is taken in the middle of the run, and the next run finds the applied versions', async function () {
    this.timeout(120_000);
    await workspace().write(file(1, 'a', 'CREATE TABLE a (id int);'));
    await up(workspace());
    await workspace().write({ '002_b.up.sql': 'CREATE INDEX CONCURRENTLY a_id ON a (id);\nCREATE TABLE b ();' });
    const holding = await workspace().client({ application_name: 'a report' });
    await holding.query('BEGIN; SELECT * FROM a; LOCK TABLE a IN ROW EXCLUSIVE MODE');
    const run = startCli(['up'], workspace());
    await run.waitForLog('migration.started');
    const other = await workspace().client({ application_name: 'a nightly job' });
    await eventually('the build to wait', async () => {
      const waiting = await workspace().query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%a_id%'
            AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND ((classid::bigint << 32) | objid::bigint) = $1::bigint)`,
        [workspace().lockKey],
      );
      return waiting.length > 0;
    });
    await other.query('BEGIN; LOCK TABLE schema_migrations_journal IN EXCLUSIVE MODE');
    await holding.query('COMMIT');
    const result = await run.exited;
    expectExit(result, 32);
    expect(result.stderr).to.include('a nightly job');
    await other.query('ROLLBACK');
    expectExit(await startCli(['up'], workspace()).exited, 0);
    expect(
      await workspace().query(`SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass`),
    ).to.deep.equal([{ indisvalid: true }]);
  });
});
