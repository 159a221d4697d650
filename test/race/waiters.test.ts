/** Waiters sleep outside PostgreSQL, exit as soon as the holder is done, and take over when it is killed. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';

import { runMigrations } from '../../src/index.ts';
import { type CliProcess, expectExit, startCli } from '../support/cli.ts';
import { closeGate, type Gate } from '../support/gate.ts';
import { file, FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS } from '../support/migrations.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';

const WAITERS = 15;

describe('runners that wait', () => {
  const workspace = useWorkspace();
  let gate: Gate;
  beforeEach(async () => {
    gate = await closeGate(workspace());
    await workspace().write({ ...FIVE_FILES, ...file(6, 'gate', gate.sql) });
  });

  function startRunner(name: string): CliProcess {
    return startCli(['up'], { env: { ...workspace().env, LOCKSTEP_POD: name } });
  }

  it('are idle and without a snapshot', async () => {
    const { url: connectionString, lockKey, dir, schema } = workspace();
    const start = (runnerName: string, reporter = new Recorder()): Promise<unknown> =>
      runMigrations({ connectionString, lockKey, dir, direction: 'up', runnerName, reporter });
    const holder = start('holder');
    await gate.arrived();
    const recorders = Array.from({ length: WAITERS }, () => new Recorder());
    const waiters = recorders.map((recorder) => start(schema, recorder));
    const all = Promise.all([holder, ...waiters]);
    all.catch(() => undefined);
    await Promise.all(recorders.map((recorder) => recorder.next('lock.waiting')));
    let idle = 0;
    let looks = 0;
    // Long enough for each of them to poll.
    const end = Date.now() + 1_500;
    while (Date.now() < end) {
      await pause(20);
      const sessions = await workspace().query<{ state: string; snapshot: boolean; wait: string | null }>(
        `SELECT state, backend_xmin IS NOT NULL AS snapshot, wait_event_type AS wait FROM pg_stat_activity WHERE application_name LIKE '%' || $1`,
        [schema],
      );
      expect(sessions).to.have.lengthOf(WAITERS);
      for (const session of sessions) {
        expect(session.wait, 'what a waiter waits for').to.not.equal('Lock');
        looks += 1;
        if (session.state !== 'idle') continue;
        idle += 1;
        expect(session.snapshot, 'an idle waiter has a snapshot').to.equal(false);
      }
    }
    expect(idle / looks, 'how much of the time they are idle').to.be.greaterThan(0.8);
    await gate.open();
    await all;
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
  });

  it('exit when the holder is done: in one process, by the library', async () => {
    const { url: connectionString, lockKey, dir } = workspace();
    const start = (reporter: Recorder): Promise<number> =>
      runMigrations({ connectionString, lockKey, dir, direction: 'up', reporter }).then(() => performance.now());
    let releasedAt = 0;
    const holder = new Recorder();
    const report = holder.report.bind(holder);
    holder.report = (event) => {
      if (event.type === 'lock.released') releasedAt = performance.now();
      report(event);
    };
    const held = start(holder);
    await gate.arrived();
    const recorders = Array.from({ length: WAITERS }, () => new Recorder());
    const waiters = recorders.map(start);
    await Promise.all(recorders.map((recorder) => recorder.next('lock.waiting')));
    await gate.open();
    const left = await Promise.all(waiters);
    await held;
    for (const recorder of recorders) expect(recorder.of('lock.acquired')).to.deep.equal([]);
    tell(
      'the lock was released',
      left.map((at) => at - releasedAt),
    );
  });

  it('exit when the holder is done: as processes', async () => {
    const holder = startRunner('holder');
    await gate.arrived();
    const waiters = Array.from({ length: WAITERS }, (_, index) => startRunner(`waiter-${index}`));
    await Promise.all(waiters.map(({ waitForLog }) => waitForLog('lock.waiting')));
    await gate.open();
    const [held, ...left] = await Promise.all([holder, ...waiters].map(({ exited }) => exited));
    for (const result of [held!, ...left]) {
      expectExit(result, 0);
      if (result !== held) expect(result.logs.map(({ event }) => event)).to.not.include('lock.acquired');
    }
    tell(
      "the holder's exit",
      left.map(({ exitedAt }) => exitedAt - held!.exitedAt),
    );
    const [row] = await workspace().query<{ at: Date }>(
      `SELECT max(at) AS at FROM schema_migrations_journal WHERE event = 'applied'`,
    );
    const epoch = performance.timeOrigin;
    tell(
      'the last COMMIT',
      left.map(({ exitedAt }) => epoch + exitedAt - row!.at.getTime()),
    );
  });

  it('take over when the holder is killed', async () => {
    const holder = startRunner('holder');
    const orphan = await gate.arrived();
    const waiters = [startRunner('waiter-1'), startRunner('waiter-2')];
    await Promise.all(waiters.map(({ waitForLog }) => waitForLog('lock.waiting')));
    holder.kill('SIGKILL');
    expect((await holder.exited).signal).to.equal('SIGKILL');
    await Promise.any(waiters.map(({ waitForLog }) => waitForLog('lock.acquired')));
    // The successor is at the gate, in a session of its own.
    expect(await gate.arrived()).to.not.equal(orphan);
    await gate.open();
    const results = await Promise.all(waiters.map(({ exited }) => exited));
    for (const result of results) expectExit(result, 0);
    const lost = results.flatMap(({ logs }) => logs).filter(({ event }) => event === 'run.lost');
    expect(lost.map(({ runner, version }) => ({ runner, version }))).to.deep.equal([
      { runner: 'holder', version: '006_gate' },
    ]);
    expect(await workspace().journalCounts('applied')).to.deep.include({ '006_gate': 1 });
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
  });
});

/** Prints a figure for people to read; no test depends on the speed of the machine. */
function tell(since: string, milliseconds: readonly number[]): void {
  const sorted = milliseconds.map((ms) => Math.round(ms)).sort((a, b) => a - b);
  console.log(
    `      ${sorted.length} waiters left after ${since}: first ${sorted[0]} ms, median ${sorted[sorted.length >> 1]} ms, last ${sorted.at(-1)} ms`,
  );
}
