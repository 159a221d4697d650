import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import { migration, stepOf } from '../support/fakes/files.ts';
import { failure } from '../support/fakes/run.ts';
import { within } from '../support/bounded.ts';
import { contractOf } from './contract.ts';

contractOf('AdvisoryLock', (given) => {
  it('belongs to one session at a time', async () => {
    const [a, b] = [await given.open(), await given.open()];
    expect(a.lock.key).to.equal(b.lock.key);
    expect(await a.lock.tryAcquire()).to.equal(true);
    expect(await b.lock.tryAcquire()).to.equal(false);
    await a.lock.release();
    expect(await b.lock.tryAcquire()).to.equal(true);
    expect(await a.lock.tryAcquire()).to.equal(false);
  });

  it('goes to exactly one of many sessions that try at once', async () => {
    const sessions = await Promise.all(Array.from({ length: 5 }, () => given.open()));
    const had = await Promise.all(sessions.map(({ lock }) => lock.tryAcquire()));
    expect(had.filter(Boolean)).to.have.length(1);
  });

  it('is free again when its session ends, cleanly or not', async () => {
    const [a, b, c] = [await given.open(), await given.open(), await given.open()];
    await a.lock.tryAcquire();
    await a.close();
    expect(await b.lock.tryAcquire()).to.equal(true);
    await given.place.kill(b);
    expect(await c.lock.tryAcquire()).to.equal(true);
  });

  it('is not taken by a check, which returns its holder', async () => {
    const [a, b] = [await given.open('down', 'pod-a'), await given.open()];
    expect(await b.check()).to.deep.include({ free: true, holder: undefined });
    expect(await a.lock.tryAcquire()).to.equal(true);
    expect(await b.check()).to.deep.include({
      free: false,
      holder: { pid: a.pid, applicationName: 'lockstep down 1.0.0 pod-a' },
    });
    await a.lock.release();
    expect(await b.check()).to.deep.include({ free: true, holder: undefined });
  });

  describe('its queue', () => {
    it('wakes all waiters on a release', async () => {
      const [a, b, c] = [await given.open(), await given.open(), await given.open()];
      await a.lock.tryAcquire();
      await b.lock.joinQueue();
      await c.lock.joinQueue();
      const woken = Promise.all([b.lock.nextRelease(), c.lock.nextRelease()]);
      await a.lock.release();
      await within(woken, 'both waiters to be woken');
      expect(await b.lock.tryAcquire()).to.equal(true);
    });

    it('does not miss a release that comes before nextRelease is called', async () => {
      const [a, b] = [await given.open(), await given.open()];
      await a.lock.tryAcquire();
      await b.lock.joinQueue();
      await a.lock.release();
      await b.check();
      await within(b.lock.nextRelease(), 'the waiter to be woken');
    });

    it('wakes a waiter on each release', async () => {
      const [a, b] = [await given.open(), await given.open()];
      await b.lock.joinQueue();
      for (let release = 1; release <= 3; release += 1) {
        await a.lock.tryAcquire();
        const woken = b.lock.nextRelease();
        await a.lock.release();
        await within(woken, `release ${release}`);
      }
    });

    it('lists the sessions that wait in it or block on the key, with their pids', async () => {
      const a = await given.open('up', 'pod-a');
      await a.lock.tryAcquire();
      const b = await given.open('up', 'pod-b');
      await b.lock.joinQueue();
      const older = await given.place.blockOnLock('older runner');
      expect(await a.lock.waiters()).to.deep.equal(
        [
          { pid: b.pid, applicationName: 'lockstep up 1.0.0 pod-b', blocked: false },
          { pid: older.pid, applicationName: 'older runner', blocked: true },
        ].sort((one, other) => one.pid - other.pid),
      );
      await b.lock.leaveQueue();
      expect((await a.lock.waiters()).map(({ pid }) => pid)).to.deep.equal([older.pid]);
    });

    it('drops sessions that end', async () => {
      const [a, b] = [await given.open(), await given.open()];
      await b.lock.joinQueue();
      await given.place.kill(b);
      expect(await a.lock.waiters()).to.deep.equal([]);
    });

    it('is empty when a session only checks', async () => {
      const a = await given.open();
      await a.check();
      expect(await a.lock.waiters()).to.deep.equal([]);
    });
  });

  it('cancels sessions that block on the key, and no others', async () => {
    const a = await given.open();
    await a.lock.tryAcquire();
    const b = await given.open();
    await b.lock.joinQueue();
    expect(await a.lock.cancelBlockedWaiters()).to.deep.equal([]);
    const older = await given.place.blockOnLock('older runner');
    expect(await a.lock.cancelBlockedWaiters()).to.deep.equal([{ pid: older.pid, applicationName: 'older runner' }]);
    expect(await older.ended).to.equal('57014');
    expect((await b.lock.waiters()).map(({ pid }) => pid)).to.deep.equal([b.pid]);
  });

  describe('its holder', () => {
    const step = stepOf(migration('007_x'));

    it('is undefined while the lock is free', async () => {
      const session = await given.open();
      expect(await session.lock.holder()).to.equal(undefined);
    });

    it('has an application name and a pid', async () => {
      const stranger = await given.place.holdLock('golang-migrate');
      const session = await given.open();
      expect(await session.lock.holder()).to.deep.equal({ pid: stranger.pid, applicationName: 'golang-migrate' });
      await stranger.end();
    });

    it('includes what the journal records about its run', async () => {
      const holder = await given.holder('pod-a');
      await holder.journal.startRun();
      const observer = await given.open();
      const before = await observer.lock.holder();
      expect(before).to.deep.include({ pid: holder.pid, applicationName: 'lockstep up 1.0.0 pod-a', doing: undefined });
      expect(Math.abs(Date.now() - before!.since!.getTime())).to.be.lessThan(60_000);
      await holder.executor.begin(step);
      expect(await observer.lock.holder()).to.deep.include({ since: before!.since, doing: 'up 007_x' });
      await holder.journal.endRun(undefined);
      expect(await observer.lock.holder()).to.deep.include({ since: undefined, doing: undefined });
    });

    it('does not include what the journal records about a run that died before', async () => {
      const dead = await given.holder('pod-a');
      await dead.journal.startRun();
      await dead.executor.begin(step);
      await given.place.kill(dead);
      await given.holder('pod-b');
      const observer = await given.open();
      const holder = await observer.lock.holder();
      expect(holder?.applicationName).to.equal('lockstep up 1.0.0 pod-b');
      expect([holder?.since, holder?.doing]).to.deep.equal([undefined, undefined]);
    });

    it('does not include what the journal records about other runs, when it is not a Lockstep session', async () => {
      const dead = await given.holder('pod-a');
      await dead.journal.startRun();
      await given.place.kill(dead);
      const stranger = await given.place.holdLock('psql');
      const observer = await given.open();
      expect(await observer.lock.holder()).to.deep.equal({ pid: stranger.pid, applicationName: 'psql' });
      await stranger.end();
    });

    it('is returned also where there is no journal yet, and the session can continue', async () => {
      const holder = await given.open('up', 'pod-a');
      await holder.lock.tryAcquire();
      const observer = await given.open();
      expect(await observer.lock.holder()).to.include({ pid: holder.pid });
      expect(await observer.check()).to.deep.include({ free: false });
    });

    it('can be terminated, which frees the lock', async () => {
      const [a, b] = [await given.open(), await given.open()];
      await a.lock.tryAcquire();
      const holder = await b.lock.holder();
      expect(await b.lock.terminate(holder!)).to.equal(true);
      expect(await b.lock.tryAcquire()).to.equal(true);
      expect(await b.lock.terminate(holder!)).to.equal(false);
      const error = await failure(a.check());
      expect(error).to.be.instanceOf(MigratorError).and.include({ code: 'DATABASE_UNAVAILABLE' });
      expect(a.lost.aborted).to.equal(true);
    });
  });

  it('fails every call of a lost session', async () => {
    const session = await given.holder();
    await given.place.kill(session);
    expect(session.lost.reason).to.be.instanceOf(MigratorError).and.include({ code: 'DATABASE_UNAVAILABLE' });
    const calls = [
      session.check(),
      session.lock.tryAcquire(),
      session.lock.release(),
      session.history.read(),
      session.executor.begin(stepOf(migration('1_a'))),
    ];
    for (const call of calls) expect(await failure(call)).to.include({ code: 'DATABASE_UNAVAILABLE' });
  });
});
