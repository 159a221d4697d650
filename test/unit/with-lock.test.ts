import { expect } from 'chai';
import fc from 'fast-check';

import { MigratorError } from '../../src/core/errors.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import { withLock, type WithLockOptions } from '../../src/engine/session/with-lock.ts';
import { clockOf, FakeClock, settle } from '../support/fakes/clock.ts';
import { FakeDatabase, type FakeSession } from '../support/fakes/database.ts';
import { migration } from '../support/fakes/files.ts';
import { failure, FakeRun, runner } from '../support/fakes/run.ts';
import { FakeServer, type Peer } from '../support/fakes/server.ts';
import { Recorder } from '../support/recorder.ts';

const HOLDER_RUN = { run: 'r', command: 'down', runner: 'pod-z' };

describe('holdLock', () => {
  let clock: FakeClock;
  let server: FakeServer;
  let recorder: Recorder;

  beforeEach(() => {
    clock = new FakeClock();
    server = new FakeServer({ now: () => clock.now() });
    recorder = new Recorder();
  });

  async function open(name = 'pod-a'): Promise<FakeSession> {
    return await new FakeDatabase(server).open(runner('up', name), new AbortController().signal);
  }

  type Options = Partial<Omit<WithLockOptions<string>, 'session'>>;

  async function hold(session: FakeSession, options: Options = {}): Promise<string> {
    const check = await session.check();
    return await withLock<string>(
      {
        session,
        check,
        settled: () => undefined,
        body: async () => 'done',
        lockWaitMs: 600_000,
        signal: new AbortController().signal,
        ...options,
      },
      { clock, reporter: recorder },
    );
  }

  /** Another session holds the lock. */
  function occupy(applicationName = 'lockstep down 1.0.0 pod-z'): Peer {
    server.holder = server.stranger(applicationName);
    return server.holder;
  }

  const calls = (): string[] => server.calls.map((call) => call.replace(/^\d+ /, ''));
  const reportsAt = (): number[] => recorder.of('lock.waiting').map(({ waitedMs }) => waitedMs);

  it('holds a free lock while the body runs, then releases it', async () => {
    const session = await open();
    const body = async (waitedMs: number): Promise<string> => {
      expect(server.holder?.pid).to.equal(session.pid);
      return `waited ${waitedMs}`;
    };
    expect(await hold(session, { body })).to.equal('waited 0');
    expect(server.holder).to.equal(undefined);
    expect(recorder.events).to.deep.equal([
      { type: 'lock.acquired', key: '42', waitedMs: 0 },
      { type: 'lock.released', key: '42' },
    ]);
    expect(calls().slice(2)).to.deep.equal(['configure', 'lock.tryAcquire', 'lock.release']);
  });

  it('neither configures the session nor tries the lock when the first check returns a result', async () => {
    expect(await hold(await open(), { settled: () => 'nothing to do' })).to.equal('nothing to do');
    expect(calls()).to.deep.equal(['check', 'check history']);
    expect(recorder.events).to.deep.equal([]);
  });

  it('releases when the body fails', async () => {
    const cause = new Error('the body failed');
    const body = (): Promise<string> => Promise.reject(cause);
    expect(await failure(hold(await open(), { body }))).to.equal(cause);
    expect(server.holder).to.equal(undefined);
  });

  it('keeps the error of the body when the release fails too', async () => {
    const cause = new Error('the body failed');
    const session = await open();
    session.lock.release = () => Promise.reject(new Error('the release failed'));
    expect(await failure(hold(session, { body: () => Promise.reject(cause) }))).to.equal(cause);
  });

  it('keeps the result of the body when the release fails, because the lock ends with the session', async () => {
    const session = await open();
    session.lock.release = () => Promise.reject(new Error('the release failed'));
    expect(await hold(session)).to.equal('done');
    expect(recorder.of('lock.released')).to.deep.equal([]);
  });

  it('does not release the lock of a lost session', async () => {
    const session = await open();
    let released = false;
    session.lock.release = async () => {
      released = true;
    };
    const body = async (): Promise<string> => {
      session.lose();
      throw new Error('the body failed');
    };
    await failure(hold(session, { body }));
    expect(released).to.equal(false);
  });

  it('wakes up when the holder releases, not a polling interval later', async () => {
    const [first, second] = [await open('pod-a'), await open('pod-b')];
    const work = Promise.withResolvers<string>();
    const holding = hold(first, { body: () => work.promise });
    await settle();
    const waiting = hold(second, { body: async (waitedMs) => `waited ${waitedMs}` });
    await clock.advance(300);
    expect(server.queue.size).to.equal(1);
    work.resolve('done');
    await holding;
    await settle();
    expect(await waiting).to.equal('waited 300');
    expect(server.queue.size).to.equal(0);
    expect(server.listeners.size).to.equal(0);
  });

  it('does not miss a release before it has joined the queue', async () => {
    const holder = occupy();
    const session = await open();
    const joinQueue = session.lock.joinQueue.bind(session.lock);
    session.lock.joinQueue = async () => {
      server.dismiss(holder);
      await joinQueue();
    };
    const waiting = hold(session);
    await settle();
    expect(await waiting).to.equal('done');
    expect(clock.now()).to.equal(0);
  });

  it('polls, because a killed holder announces no release', async () => {
    const holder = occupy();
    const waiting = hold(await open(), { body: async (waitedMs) => String(waitedMs) });
    await clock.advance(2_500);
    server.dismiss(holder);
    expect(await clock.until(waiting)).to.equal('3000');
  });

  it('leaves a waiter idle between two checks', async () => {
    occupy();
    const waiting = hold(await open());
    await clock.advance(10_000);
    const looks = calls().filter((call) => call === 'check').length;
    expect(looks).to.be.within(10, 13);
    expect(calls()).to.not.include('lock.tryAcquire');
    server.holder = undefined;
    await clock.until(waiting);
  });

  it('polls every 0.5 to 1 s, with jitter', async () => {
    for (const [random, looks] of [
      [0, 20],
      [0.999, 10],
    ] as const) {
      clock = new FakeClock(() => random);
      server = new FakeServer();
      occupy();
      const waiting = hold(await open());
      await clock.advance(10_000);
      expect(calls().filter((call) => call === 'check').length).to.be.within(looks, looks + 3);
      server.holder = undefined;
      await clock.until(waiting);
    }
  });

  it('retries at once when the try failed although the lock has no holder', async () => {
    const looker = server.stranger('another runner that looks');
    server.lookers.add(looker);
    const waiting = hold(await open());
    await clock.advance(10);
    server.lookers.clear();
    expect(await clock.until(waiting)).to.equal('done');
    expect(clock.now()).to.be.at.most(50);
    expect(recorder.of('lock.waiting')).to.deep.equal([]);
  });

  it('reports the lock holder at first, after 5 s, and every 30 s', async () => {
    const holder = occupy();
    server.write({ ...HOLDER_RUN, event: 'run started' });
    server.write({ ...HOLDER_RUN, event: 'started', direction: 'down', version: '007_x' });
    const waiting = hold(await open());
    await clock.advance(100_000);
    expect(reportsAt()).to.deep.equal([0, 5_000, 35_000, 65_000, 95_000]);
    const [first, second] = recorder.of('lock.waiting');
    expect(first).to.deep.include({
      key: '42',
      holder: { pid: holder.pid, applicationName: 'lockstep down 1.0.0 pod-z' },
    });
    expect(second!.holder).to.deep.equal({
      pid: holder.pid,
      applicationName: 'lockstep down 1.0.0 pod-z',
      since: new Date(0),
      doing: 'down 007_x',
    });
    server.dismiss(holder);
    await clock.until(waiting);
  });

  it('gives up after the lock wait and names the holder', async () => {
    const holder = occupy();
    server.write({ ...HOLDER_RUN, event: 'run started' });
    const error = await failure<MigratorError>(clock.until(hold(await open(), { lockWaitMs: 20_500 })));
    expect(error).to.include({ code: 'LOCK_TIMEOUT', exit: 31 });
    expect(error.summary)
      .to.include('--lock-wait=20.5s')
      .and.include(`"lockstep down 1.0.0 pod-z" (pid ${holder.pid})`);
    expect(error.details.holder).to.deep.include({ pid: holder.pid, since: new Date(0) });
    expect(error.hint).to.include(`pg_terminate_backend(${holder.pid})`);
    expect(clock.now()).to.equal(20_500);
    expect(calls()).to.not.include('lock.tryAcquire').and.not.include('lock.release');
    expect(recorder.of('lock.released')).to.deep.equal([]);
    expect([...server.queue]).to.deep.equal([]);
  });

  it('tries once without a lock wait', async () => {
    const holder = occupy('psql');
    const error = await failure<MigratorError>(hold(await open(), { lockWaitMs: 0 }));
    expect(error.code).to.equal('LOCK_TIMEOUT');
    expect(error.summary).to.include(`"psql" (pid ${holder.pid})`);
    server.dismiss(holder);
    expect(await hold(await open(), { lockWaitMs: 0 })).to.equal('done');
  });

  it('gives up after the lock wait when others keep trying and the lock has no holder', async () => {
    server.lookers.add(server.stranger());
    const error = await failure<MigratorError>(clock.until(hold(await open(), { lockWaitMs: 1_000 })));
    expect(error.code).to.equal('LOCK_TIMEOUT');
    expect(error.summary).to.include('other sessions keep trying');
  });

  it('returns as soon as a check returns a result, without the lock', async () => {
    occupy();
    const settled = (): string | undefined => (server.contents.tables.has('there') ? 'somebody did it' : undefined);
    const waiting = hold(await open(), { settled });
    await clock.advance(1_500);
    server.execute('CREATE TABLE there', server.holder!);
    expect(await clock.until(waiting)).to.equal('somebody did it');
    expect(calls()).to.not.include('lock.tryAcquire');
    expect([...server.queue]).to.deep.equal([]);
  });

  it('ends at once when the session is lost', async () => {
    occupy();
    const session = await open();
    const waiting = hold(session);
    await clock.advance(1_200);
    session.lose();
    expect(await failure(waiting)).to.equal(session.lost.reason);
    expect(clock.now()).to.equal(1_200);
    expect(calls()).to.not.include('lock.release');
  });

  it('ends at once when the signal aborts', async () => {
    occupy();
    const controller = new AbortController();
    const waiting = hold(await open(), { signal: controller.signal });
    await clock.advance(1_200);
    const reason = new MigratorError('INTERRUPTED', 'SIGTERM');
    controller.abort(reason);
    expect(await failure(waiting)).to.equal(reason);
    expect(clock.now()).to.equal(1_200);
    expect(calls()).to.not.include('lock.release');
    expect([...server.queue]).to.deep.equal([]);
  });

  it('does nothing when the signal was aborted before', async () => {
    const reason = new MigratorError('INTERRUPTED', 'SIGTERM');
    expect(await failure(hold(await open(), { signal: AbortSignal.abort(reason) }))).to.equal(reason);
    expect(calls()).to.deep.equal(['check', 'check history']);
  });

  it('does not leave the queue explicitly when the session ends with it', async () => {
    occupy();
    const session = await open();
    session.outlivesUs = false;
    expect(await failure<MigratorError>(clock.until(hold(session, { lockWaitMs: 2_000 })))).to.include({
      code: 'LOCK_TIMEOUT',
    });
    expect(calls()).to.include('lock.joinQueue').and.not.include('lock.leaveQueue');
    await session.close();
    expect([...server.queue]).to.deep.equal([]);
  });

  it('ends with the original reason even when it cannot leave the queue', async () => {
    occupy();
    const session = await open();
    session.lock.leaveQueue = () => Promise.reject(new Error('cannot leave'));
    expect(await failure<MigratorError>(clock.until(hold(session, { lockWaitMs: 2_000 })))).to.include({
      code: 'LOCK_TIMEOUT',
    });
  });

  it('releases the lock that it got when it cannot leave the queue', async () => {
    const holder = occupy();
    const session = await open();
    const cause = new Error('cannot leave');
    session.lock.leaveQueue = () => Promise.reject(cause);
    const waiting = hold(session);
    await clock.advance(100);
    server.dismiss(holder);
    expect(await failure(clock.until(waiting))).to.equal(cause);
    expect(server.holder).to.equal(undefined);
  });
});

describe('several runners in any order', () => {
  const INDEX = 'CREATE INDEX CONCURRENTLY i ON t_001_a';
  const FILES = [
    migration('001_a'),
    migration('002_b', `SET x = 1; ${INDEX}; INSERT INTO t_001_a`, 'DROP INDEX CONCURRENTLY i'),
    migration('003_c'),
  ];
  /** The scheduler advances time at random. */
  const PATIENT = { lockWaitMs: Number.MAX_SAFE_INTEGER };
  const VERSIONS = FILES.map(({ version }) => version);

  interface Crash {
    readonly pid: number;
    /** Loses the connection before this call takes effect. */
    readonly call: number;
  }

  interface Race {
    readonly server: FakeServer;
    readonly runs: FakeRun[];
  }

  function race(scheduler: fc.Scheduler, runners: number, crashes: readonly Crash[] = []): Race {
    const clock = clockOf((label) => scheduler.schedule(Promise.resolve(), label));
    const server = new FakeServer({ now: () => clock.now() });
    const calls = new Map<string, number>();
    server.turn = async (label) => {
      await scheduler.schedule(Promise.resolve(), label);
      const [pid = ''] = label.split(' ');
      calls.set(pid, (calls.get(pid) ?? 0) + 1);
      if (!crashes.some((crash) => String(crash.pid) === pid && crash.call === calls.get(pid))) return;
      // An interrupted build leaves an INVALID index.
      if (label.endsWith('executor.statementAlone') && !server.contents.indexes.has('i'))
        server.setIndex('i', 'invalid');
      server.peers.get(Number(pid))?.lose();
    };
    const runs = Array.from(
      { length: runners },
      (_, index) => new FakeRun({ server, clock, files: FILES, name: `pod-${index}` }),
    );
    return { server, runs };
  }

  const times = (server: FakeServer, event: string): (string | undefined)[] =>
    server.contents.journal.filter((entry) => entry.event === event).map(({ version }) => version);

  async function eachOnce(scheduler: fc.Scheduler, { server, runs }: Race): Promise<void> {
    const outcomes = await scheduler.waitFor(Promise.all(runs.map((run) => run.up(PATIENT))));
    expect(times(server, 'applied')).to.deep.equal(VERSIONS);
    expect(outcomes.flatMap(({ done }) => done.map(({ version }) => version)).sort()).to.deep.equal(VERSIONS);
    for (const { done, skipped, pending } of outcomes) {
      expect([...done.map(({ version }) => version), ...skipped].sort()).to.deep.equal(VERSIONS);
      expect(pending).to.deep.equal([]);
    }
    expect(server.holder).to.equal(undefined);
    expect(server.peers.size).to.equal(0);
  }

  it('apply each migration exactly once, and every run succeeds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 5 }), async (scheduler, runners) => {
        await eachOnce(scheduler, race(scheduler, runners));
      }),
      { numRuns: 40 },
    );
  });

  it('finish the work of runners that are killed at any moment', async () => {
    const crash = fc.record({ pid: fc.integer({ min: 1, max: 3 }), call: fc.integer({ min: 1, max: 40 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.uniqueArray(crash, { selector: ({ pid }) => pid, maxLength: 3 }),
        async (scheduler, crashes) => {
          const { server, runs } = race(scheduler, 4, crashes);
          const ends = await scheduler.waitFor(Promise.allSettled(runs.map((run) => run.up(PATIENT))));
          expect(times(server, 'applied')).to.deep.equal(VERSIONS);
          expect(server.contents.indexes.get('i')).to.equal('valid');
          const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as MigratorError] : []));
          expect(failures.length).to.be.at.most(crashes.length);
          for (const { code } of failures) expect(code).to.be.oneOf(['DATABASE_UNAVAILABLE', 'OUTCOME_UNKNOWN']);
          expect(server.holder).to.equal(undefined);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('leave a history that matches all runs when some roll back', async () => {
    const command = fc.constantFrom('up', 'down --steps 2', 'down --to 001_a', 'up --dry-run');
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(command, { minLength: 2, maxLength: 5 }),
        async (scheduler, commands) => {
          const { server, runs } = race(scheduler, commands.length + 1);
          const first = await scheduler.waitFor(runs.pop()!.up(PATIENT));
          const work = commands.map((command, index) => {
            const run = runs[index]!;
            if (command === 'down --to 001_a')
              return orNothing(run.down({ kind: 'version', version: '001_a' }, PATIENT));
            if (command === 'down --steps 2') return orNothing(run.down({ kind: 'steps', count: 2 }, PATIENT));
            return run.up({ ...PATIENT, dryRun: command === 'up --dry-run' });
          });
          const outcomes = await scheduler.waitFor(Promise.all(work));
          const applied = new Set<string>();
          for (const { event, version = '' } of server.contents.journal) {
            if (event === 'applied') expect(applied.has(version), `${version} applied twice`).to.equal(false);
            if (event === 'rolled back') expect(applied.has(version), `${version} rolled back twice`).to.equal(true);
            if (event === 'applied') applied.add(version);
            if (event === 'rolled back') applied.delete(version);
          }
          expect([...(server.contents.history?.keys() ?? [])].sort()).to.deep.equal([...applied].sort());
          const steps = [first, ...outcomes].reduce((sum, { done }) => sum + done.length, 0);
          expect(times(server, 'applied').length + times(server, 'rolled back').length).to.equal(steps);
        },
      ),
      { numRuns: 40 },
    );
  });

  /**
   * Another runner may come first and change the meaning of the steps or remove the target: the run is then refused and
   * does nothing.
   */
  function orNothing(work: Promise<Outcome>): Promise<Outcome> {
    return work.catch((error: unknown) => {
      if (!(error instanceof MigratorError) || error.code !== 'ROLLBACK_REFUSED') throw error;
      expect(error.details.outcome?.done).to.deep.equal([]);
      return error.details.outcome!;
    });
  }

  it('fail this test without a lock', async () => {
    const result = await fc.check(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const { server, runs } = race(scheduler, 3);
        for (const { database } of runs) {
          const open = database.open.bind(database);
          database.open = async (...args) => {
            const session = await open(...args);
            session.lock.tryAcquire = async () => {
              server.holder = server.peers.get(session.pid);
              return true;
            };
            return session;
          };
        }
        await eachOnce(scheduler, { server, runs });
      }),
      { numRuns: 30, endOnFailure: true },
    );
    expect(result.failed).to.equal(true);
  });
});
