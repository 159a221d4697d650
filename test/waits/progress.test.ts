/** A long-running statement is reported after 10 s and then every 30 s, with its progress and its blockers. */
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { expectExit, startCli } from '../support/cli.ts';
import { closeGate, openSnapshot } from '../support/gate.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';
import { hurried, upByEngine } from '../support/in-process.ts';

/** 10 s are 100 ms. */
const FACTOR = 100;

describe('a long-running statement', () => {
  const workspace = useWorkspace();

  const start = (): { run: Promise<unknown>; reporter: Recorder } => {
    const reporter = new Recorder();
    return {
      run: upByEngine(workspace(), { clock: hurried(FACTOR), reporter, limits: { lockTimeoutMs: 0 } }),
      reporter,
    };
  };

  it('reports its blockers after 10 s and then every 30 s', async () => {
    await workspace().query('CREATE TABLE orders (id int)');
    const reader = await workspace().client({ application_name: 'long report' });
    await reader.query('BEGIN; SELECT * FROM orders');
    await workspace().write({ '001_alter.up.sql': 'ALTER TABLE orders ADD COLUMN total int;' });
    const { run, reporter } = start();
    const first = await reporter.next('statement.running');
    expect(first.version).to.equal('001_alter');
    expect(first.elapsedMs).to.be.at.least(10_000);
    const [blocker] = first.blockers;
    expect(blocker).to.include({
      applicationName: 'long report',
      state: 'idle in transaction',
      query: 'BEGIN; SELECT * FROM orders',
    });
    expect(blocker!.since).to.be.instanceOf(Date);
    const second = await reporter.next('statement.running');
    expect(second.elapsedMs - first.elapsedMs).to.be.at.least(30_000);
    await reader.query('COMMIT');
    await run;
  });

  it('reports how much of an index is built', async () => {
    await workspace().query(
      `CREATE FUNCTION slowly(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.005); RETURN n; END'`,
    );
    await workspace().query('CREATE TABLE wide (n int, filler text)');
    await workspace().query('ALTER TABLE wide ALTER COLUMN filler SET STORAGE PLAIN');
    await workspace().query(`INSERT INTO wide SELECT n, repeat('x', 3000) FROM generate_series(1, 600) n`);
    await workspace().write({ '001_index.up.sql': 'CREATE INDEX wide_n ON wide (slowly(n));' });
    const { run, reporter } = start();
    await run;
    // The last check may come when the index is complete.
    const seen = reporter.of('statement.running').flatMap(({ progress }) => progress ?? []);
    expect(seen.length).to.be.greaterThan(1);
    for (const { phase } of seen) expect(phase).to.match(/^building index/);
    const percents = seen.map(({ percent }) => percent ?? -1);
    expect(percents, 'percentages').to.deep.equal(percents.toSorted((a, b) => a - b));
    expect(percents[0]).to.be.within(0, 99);
    expect(percents.at(-1)).to.be.within(1, 100);
  });

  it('reports which sessions a concurrent build waits for', async () => {
    await workspace().query('CREATE TABLE orders (id int)');
    const snapshot = await openSnapshot(workspace());
    await workspace().write({ '001_index.up.sql': 'CREATE INDEX CONCURRENTLY orders_id ON orders (id);' });
    const { run, reporter } = start();
    const { progress, blockers } = await reporter.next('statement.running', (event) => event.blockers.length > 0);
    expect(progress?.phase).to.match(/^waiting for old snapshots/);
    expect(blockers.map(({ applicationName }) => applicationName)).to.deep.equal(['long report']);
    await snapshot.end();
    await run;
  });

  it('reports only the duration when the server has no progress for that kind of statement', async () => {
    await workspace().write({ '001_sleep.up.sql': 'SELECT pg_sleep(0.3);' });
    const { run, reporter } = start();
    const { progress, blockers, elapsedMs } = await reporter.next('statement.running');
    expect({ progress, blockers }).to.deep.equal({ progress: undefined, blockers: [] });
    expect(elapsedMs).to.be.at.least(10_000);
    await run;
  });

  it('is observed by a second session only after 10 s, and that session closes again', async () => {
    const watchers = (): Promise<object[]> =>
      workspace().query(`SELECT FROM pg_stat_activity WHERE application_name = 'lockstep-watch'`);
    const gate = await closeGate(workspace());
    await workspace().write({ '001_quick.up.sql': 'CREATE TABLE quick ();', '002_gate.up.sql': gate.sql });
    const reporter = new Recorder();
    const run = upByEngine(workspace(), { clock: hurried(1), reporter });
    await gate.arrived();
    expect(await watchers()).to.deep.equal([]);
    await gate.open();
    await run;
    await workspace().write({ '003_sleep.up.sql': 'SELECT pg_sleep(0.3);' });
    const { run: next, reporter: nextReporter } = start();
    await nextReporter.next('statement.running');
    await next;
    await eventually('the second session to be gone', async () => (await watchers()).length === 0);
  });

  it('is reported by the command line after 10 s, in the log, with the blocker', async () => {
    const gate = await closeGate(workspace());
    await workspace().write({ '001_gate.up.sql': gate.sql });
    const startedAt = performance.now();
    const run = startCli(['up'], workspace());
    await gate.arrived();
    const line = await run.waitForLog('statement.running');
    expect(performance.now() - startedAt).to.be.within(10_000, 20_000);
    expect(line).to.include({ version: '001_gate', msg: 'a statement is still running' });
    expect(line['elapsedMs']).to.be.within(10_000, 20_000);
    expect(
      (line['blockers'] as { applicationName: string }[]).map(({ applicationName }) => applicationName),
    ).to.deep.equal(['gate']);
    await gate.open();
    expectExit(await run.exited, 0);
  });
});
