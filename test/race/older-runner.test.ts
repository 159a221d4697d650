/** Another tool's runner blocks inside PostgreSQL on our key: a concurrent build would wait for it, and it for us. */
import { expect } from 'chai';

import { runMigrations } from '../../src/index.ts';
import { MigratorError } from '../../src/core/errors.ts';
import { eventually } from '../support/bounded.ts';
import { expectExit, startCli } from '../support/cli.ts';
import { closeGate, type Gate } from '../support/gate.ts';
import { blockOnKey, type BlockedWaiter } from '../support/holder.ts';
import { CONCURRENT_FILES, file } from '../support/migrations.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('an older runner that blocks inside PostgreSQL on the key', () => {
  const workspace = useWorkspace();
  let gate: Gate;

  /** A table, a gate at which the holder waits while the others arrive, then a concurrent build. */
  beforeEach(async () => {
    gate = await closeGate(workspace());
    await workspace().write({
      '001_events.up.sql': CONCURRENT_FILES['001_events.up.sql']!,
      ...file(2, 'gate', gate.sql),
      ...file(3, 'events_kind', 'CREATE INDEX CONCURRENTLY events_kind ON events (kind);'),
    });
  });

  async function block(count: number): Promise<BlockedWaiter[]> {
    const { serverUrl, lockKey } = workspace();
    const waiters = await Promise.all(Array.from({ length: count }, () => blockOnKey(serverUrl, lockKey)));
    for (const waiter of waiters) workspace().defer(() => waiter.close());
    return waiters;
  }

  for (const count of [1, 4]) {
    it(`${count} of them: cancelled, and the build succeeds`, async () => {
      const { url: connectionString, lockKey, dir } = workspace();
      const reporter = new Recorder();
      const run = runMigrations({ connectionString, lockKey, dir, direction: 'up', reporter });
      await gate.arrived();
      const waiters = await block(count);
      await gate.open();
      const { done } = await run;
      expect(done).to.have.lengthOf(3);
      expect(await Promise.all(waiters.map(({ ended }) => ended))).to.deep.equal(waiters.map(() => '57014'));
      const told = reporter.of('lock.waiters-cancelled').flatMap((event) => event.waiters);
      expect(told.map(({ pid }) => pid).sort()).to.deep.equal(waiters.map(({ pid }) => pid).sort());
      expect(told[0]!.applicationName).to.equal('older runner');
      expect(await workspace().invalidIndexes()).to.deep.equal([]);
      expect(reporter.of('migration.retrying')).to.deep.equal([]);
    });
  }

  it('one that arrives in the middle of a long build: the build succeeds, possibly on a second try', async () => {
    await workspace().write({
      // Longer than deadlock_timeout, so that the build is the session that detects the deadlock.
      '001_events.up.sql': `CREATE TABLE events (id int);
INSERT INTO events SELECT generate_series(1, 12);
CREATE FUNCTION slowly(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.15); RETURN $1; END';`,
      ...file(3, 'events_kind', 'CREATE INDEX CONCURRENTLY events_kind ON events (slowly(id));'),
    });
    await gate.open();
    const { url: connectionString, lockKey, dir, schema } = workspace();
    const run = runMigrations({ connectionString, lockKey, dir, direction: 'up' });
    run.catch(() => undefined);
    await eventually('the build to begin', async () => {
      const { length } = await workspace().query(
        'SELECT FROM pg_stat_progress_create_index JOIN pg_class ON oid = relid WHERE relnamespace = $1::regnamespace',
        [schema],
      );
      return length > 0;
    });
    const [waiter] = await block(1);
    expect((await run).done).to.have.lengthOf(3);
    expect(await waiter!.ended).to.equal('57014');
    expect(await workspace().invalidIndexes()).to.deep.equal([]);
  });

  it('by the command line, with cancelling switched off: exit 32, and the error names it', async () => {
    const runner = startCli(['up', '--no-cancel-blocked-waiters'], workspace());
    await gate.arrived();
    const [waiter] = await block(1);
    await gate.open();
    const result = await runner.exited;
    expectExit(result, 32);
    const failed = result.logs.find(({ event }) => event === 'run.failed');
    expect(JSON.stringify(failed)).to.include('older runner').and.to.include(String(waiter!.pid));
    expect(await waiter!.ended).to.equal('acquired');
    expect(await workspace().versions()).to.deep.equal(['001_events', '002_gate']);
    expect(await workspace().invalidIndexes()).to.deep.equal([]);
  });

  it('by the library, with cancelling switched off: CONTENTION', async () => {
    const { url: connectionString, lockKey, dir } = workspace();
    const run = runMigrations({ connectionString, lockKey, dir, direction: 'up', cancelBlockedWaiters: false }).catch(
      (error: unknown) => error,
    );
    await gate.arrived();
    await block(1);
    await gate.open();
    const error = await run;
    expect(error).to.be.instanceOf(MigratorError).with.property('code', 'CONTENTION');
    expect((error as MigratorError).details.outcome?.done.map(({ version }) => version)).to.deep.equal([
      '001_events',
      '002_gate',
    ]);
  });
});
