import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import { migration, stepOf } from '../support/fakes/files.ts';
import { failure } from '../support/fakes/run.ts';
import { within } from '../support/bounded.ts';
import { contractOf } from './contract.ts';

contractOf('AdvisoryLock', (given) => {
  it('is had by one session at a time', async () => {
    const [a, b] = [await given.open(), await given.open()];
    expect(a.lock.key).to.equal(b.lock.key);
    expect(await a.lock.tryAcquire()).to.equal(true);
    expect(await b.lock.tryAcquire()).to.equal(false);
    await a.lock.release();
    expect(await b.lock.tryAcquire()).to.equal(true);
    expect(await a.lock.tryAcquire()).to.equal(false);
  });

  it('is had by one of many who try at once', async () => {
    const sessions = await Promise.all(Array.from({ length: 5 }, () => given.open()));
    const had = await Promise.all(sessions.map(({ lock }) => lock.tryAcquire()));
    expect(had.filter(Boolean)).to.have.length(1);
  });

  it('is free again when its session ends, in order or not', async () => {
    const [a, b, c] = [await given.open(), await given.open(), await given.open()];
    await a.lock.tryAcquire();
    await a.close();
    expect(await b.lock.tryAcquire()).to.equal(true);
    await given.place.kill(b);
    expect(await c.lock.tryAcquire()).to.equal(true);
  });

  it('is not had by a check, which tells who has it', async () => {
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
    it('is woken by a release', async () => {
      const [a, b, c] = [await given.open(), await given.open(), await given.open()];
      await a.lock.tryAcquire();
      await b.lock.joinQueue();
      await c.lock.joinQueue();
      const woken = Promise.all([b.lock.nextRelease(), c.lock.nextRelease()]);
      await a.lock.release();
      await within(woken, 'both waiters to be woken');
      expect(await b.lock.tryAcquire()).to.equal(true);
    });

    it('does not miss a release that comes before anybody asks', async () => {
      const [a, b] = [await given.open(), await given.open()];
      await a.lock.tryAcquire();
      await b.lock.joinQueue();
      await a.lock.release();
      await b.check();
      await within(b.lock.nextRelease(), 'the waiter to be woken');
    });

    it('is woken by each release anew', async () => {
      const [a, b] = [await given.open(), await given.open()];
      await b.lock.joinQueue();
      for (let release = 1; release <= 3; release += 1) {
        await a.lock.tryAcquire();
        const woken = b.lock.nextRelease();
        await a.lock.release();
        await within(woken, `release ${release}`);
      }
    });

    it('lists who waits in it, and who blocks on the key, by pid', async () => {
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

    it('forgets sessions that end', async () => {
      const [a, b] = [await given.open(), await given.open()];
      await b.lock.joinQueue();
      await given.place.kill(b);
      expect(await a.lock.waiters()).to.deep.equal([]);
    });

    it('is empty for somebody who only looks', async () => {
      const a = await given.open();
      await a.check();
      expect(await a.lock.waiters()).to.deep.equal([]);
    });
  });

  it('cancels those who block on the key, and nobody else', async () => {
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

    it('is nobody while it is free', async () => {
      const session = await given.open();
      expect(await session.lock.holder()).to.equal(undefined);
    });

    it('is told by application name and pid', async () => {
      const stranger = await given.place.holdLock('golang-migrate');
      const session = await given.open();
      expect(await session.lock.holder()).to.deep.equal({ pid: stranger.pid, applicationName: 'golang-migrate' });
      await stranger.end();
    });

    it('is told with what the journal knows of its run', async () => {
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

    it('is not told with what the journal knows of a run that died before', async () => {
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

    it('is not told with what the journal knows of others, when it is a stranger', async () => {
      const dead = await given.holder('pod-a');
      await dead.journal.startRun();
      await given.place.kill(dead);
      const stranger = await given.place.holdLock('psql');
      const observer = await given.open();
      expect(await observer.lock.holder()).to.deep.equal({ pid: stranger.pid, applicationName: 'psql' });
      await stranger.end();
    });

    it('is told also where there is no journal yet, and the session goes on', async () => {
      const holder = await given.open('up', 'pod-a');
      await holder.lock.tryAcquire();
      const observer = await given.open();
      expect(await observer.lock.holder()).to.include({ pid: holder.pid });
      expect(await observer.check()).to.deep.include({ free: false });
    });

    it('can be ended, which frees the lock', async () => {
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

  it('is nothing for a lost session, whose calls all fail', async () => {
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
