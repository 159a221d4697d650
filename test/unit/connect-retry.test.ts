import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import type { Check, Session } from '../../src/core/ports.ts';
import { connect } from '../../src/engine/session/connect.ts';
import { jitter } from '../../src/engine/session/jitter.ts';
import { FakeClock } from '../support/fakes/clock.ts';
import { FakeDatabase } from '../support/fakes/database.ts';
import { failure, runner } from '../support/fakes/run.ts';
import { FakeServer } from '../support/fakes/server.ts';
import { Recorder } from '../support/recorder.ts';

const REFUSED = new MigratorError('DATABASE_UNAVAILABLE', 'connection refused');

describe('connect', () => {
  let clock: FakeClock;
  let server: FakeServer;
  let database: FakeDatabase;
  let recorder: Recorder;

  beforeEach(() => {
    clock = new FakeClock();
    server = new FakeServer();
    database = new FakeDatabase(server);
    recorder = new Recorder();
  });

  interface Options {
    readonly connectWaitMs?: number;
    readonly writes?: boolean;
    readonly signal?: AbortSignal;
  }

  function run({ connectWaitMs = 60_000, writes = true, signal = new AbortController().signal }: Options = {}) {
    return connect({ runner: runner(), connectWaitMs, writes }, { database, reporter: recorder, clock }, signal);
  }

  /** The same, while the clock advances. */
  function soon(options?: Options): Promise<{ session: Session; check: Check }> {
    return clock.until(run(options));
  }

  const refuse = (times: number, error = REFUSED): void => {
    database.refusals.push(...Array.from({ length: times }, () => error));
  };
  const pauses = (): number[] => recorder.of('database.waiting').map(({ retryInMs }) => retryInMs);

  it('returns the session with its first check', async () => {
    const { session, check } = await run();
    expect(check).to.deep.equal({
      free: true,
      holder: undefined,
      writesRefused: undefined,
      history: { exists: false, applied: [] },
      journal: undefined,
    });
    expect(recorder.events).to.deep.equal([
      { type: 'session.opened', address: 'memory', database: 'shop', pid: session.pid },
    ]);
  });

  it('retries after growing pauses of at most 5 s', async () => {
    refuse(9);
    await soon();
    expect(pauses()).to.deep.equal([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
    expect(recorder.of('database.waiting').map(({ attempt }) => attempt)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(recorder.of('database.waiting')[0]!.error).to.equal(REFUSED);
    expect(database.opened).to.have.length(1);
  });

  it('shortens pauses by jitter to half at the least', async () => {
    clock = new FakeClock(() => 0);
    refuse(3);
    await soon();
    expect(pauses()).to.deep.equal([50, 100, 200]);
  });

  it('gives up at the deadline after a last try and throws the last error', async () => {
    refuse(999);
    const error = await failure<MigratorError>(soon({ connectWaitMs: 12_000 }));
    expect(error).to.include({ code: 'DATABASE_UNAVAILABLE', exit: 30 });
    expect(error.summary).to.equal('connection refused (gave up after --connect-wait=12s)');
    expect(error.hint).to.include('--connect-wait');
    expect(error.cause).to.equal(REFUSED);
    expect(clock.now()).to.equal(12_000);
    expect(pauses().reduce((sum, pause) => sum + pause, 0)).to.equal(12_000);
  });

  it('tries once without a connect wait', async () => {
    refuse(999);
    expect(await failure<MigratorError>(soon({ connectWaitMs: 0 }))).to.include({ code: 'DATABASE_UNAVAILABLE' });
    expect(database.attempts).to.equal(1);
    expect(clock.now()).to.equal(0);
  });

  for (const code of ['ACCESS_REFUSED', 'CONFIG_INVALID', 'HISTORY_CONFLICT'] as const) {
    it(`does not try again after ${code}`, async () => {
      const refused = new MigratorError(code, 'no');
      refuse(1, refused);
      expect(await failure(soon())).to.equal(refused);
      expect(database.attempts).to.equal(1);
    });
  }

  it('stops trying when the error becomes permanent', async () => {
    refuse(2);
    const refused = new MigratorError('ACCESS_REFUSED', 'password authentication failed');
    refuse(1, refused);
    expect(await failure(soon())).to.equal(refused);
    expect(database.attempts).to.equal(3);
  });

  it('reports an unknown error as a bug', async () => {
    database.open = () => Promise.reject(new TypeError('oops'));
    expect(await failure<MigratorError>(soon())).to.include({ code: 'INTERNAL', exit: 1 });
  });

  for (const why of ['standby', 'read-only'] as const) {
    it(`waits until a ${why} server accepts writes`, async () => {
      server.writesRefused = why;
      const work = run();
      await clock.advance(1_000);
      server.writesRefused = undefined;
      const { session } = await clock.until(work);
      expect(database.opened.filter(({ closed }) => !closed)).to.deep.equal([session]);
      expect(database.opened.length).to.be.greaterThan(1);
    });

    it(`gives up on a ${why} server at the deadline`, async () => {
      server.writesRefused = why;
      const error = await failure<MigratorError>(soon());
      expect(error.code).to.equal('DATABASE_UNAVAILABLE');
      expect(error.summary).to.include(why).and.include('--connect-wait=60s');
      expect(database.opened.every(({ closed }) => closed)).to.equal(true);
    });

    it(`accepts a ${why} server for reading`, async () => {
      server.writesRefused = why;
      const { check } = await run({ writes: false });
      expect(check.writesRefused).to.equal(why);
    });
  }

  it('closes the session when its check fails', async () => {
    const open = database.open.bind(database);
    database.open = async (...args) => {
      const session = await open(...args);
      session.check = () => Promise.reject(new MigratorError('HISTORY_CONFLICT', 'of another tool'));
      return session;
    };
    expect(await failure<MigratorError>(soon())).to.include({ code: 'HISTORY_CONFLICT' });
    expect(database.opened.map(({ closed }) => closed)).to.deep.equal([true]);
  });

  it('does not wait longer than the connect wait for a server that never answers', async () => {
    server.turn = () => new Promise(() => undefined);
    const error = await failure<MigratorError>(soon({ connectWaitMs: 30_000 }));
    expect(error.code).to.equal('DATABASE_UNAVAILABLE');
    expect(error.summary).to.include('did not answer');
    expect(clock.now()).to.equal(30_000);
  });

  for (const connectWaitMs of [0, 1_000]) {
    it(`gives one attempt 3 s with a connect wait of ${connectWaitMs} ms`, async () => {
      server.turn = () => new Promise(() => undefined);
      const error = await failure<MigratorError>(soon({ connectWaitMs }));
      expect(error.summary).to.equal(
        `the database did not answer within 3 s (gave up after --connect-wait=${connectWaitMs / 1000}s)`,
      );
      expect(clock.now()).to.equal(3_000);
      expect(database.attempts).to.equal(1);
    });
  }

  describe('a secret that may still change', () => {
    const late = (code: 'DATABASE_UNAVAILABLE' | 'ACCESS_REFUSED'): MigratorError =>
      new MigratorError(code, 'the password file', { awaitsSecret: true, hint: 'look at what writes it' });

    for (const [code, exit] of [
      ['DATABASE_UNAVAILABLE', 30],
      ['ACCESS_REFUSED', 23],
    ] as const) {
      it(`${code}: is retried until the deadline, then reported with exit code ${exit}`, async () => {
        refuse(999, late(code));
        const error = await failure<MigratorError>(soon({ connectWaitMs: 12_000 }));
        expect(error).to.include({ code, exit, hint: 'look at what writes it' });
        expect(error.summary).to.equal('the password file (gave up after --connect-wait=12s)');
        expect(clock.now()).to.equal(12_000);
      });

      it(`${code}: is tried once without a connect wait`, async () => {
        refuse(999, late(code));
        expect(await failure(soon({ connectWaitMs: 0 }))).to.include({ code });
        expect(database.attempts).to.equal(1);
      });

      it(`${code}: is retried at once after it changes`, async () => {
        refuse(7, late(code));
        const work = run();
        await clock.advance(4_000);
        const now = clock.now();
        expect(database.attempts).to.equal(6);
        database.changeSecret();
        database.refusals.length = 0;
        await work;
        expect(clock.now()).to.equal(now);
      });
    }

    it('that is still missing at the deadline is reported instead of the database', async () => {
      database.open = (_runner, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(late('DATABASE_UNAVAILABLE'))));
      expect((await failure<MigratorError>(soon({ connectWaitMs: 5_000 }))).summary).to.include('the password file');
    });
  });

  it('ends at once when the signal aborts, during a try and during a pause', async () => {
    const reason = new MigratorError('INTERRUPTED', 'SIGTERM');
    for (const block of [true, false]) {
      if (block) server.turn = () => new Promise(() => undefined);
      else server.turn = () => Promise.resolve();
      refuse(999);
      const controller = new AbortController();
      const work = run({ signal: controller.signal });
      await clock.advance(1_000);
      const now = clock.now();
      controller.abort(reason);
      expect(await failure(work)).to.equal(reason);
      expect(clock.now()).to.equal(now);
    }
  });
});

describe('jitter', () => {
  it('is between half and all of the pause, and never exceeds the limit', () => {
    expect(jitter(new FakeClock(() => 0), 1_000)).to.equal(500);
    expect(jitter(new FakeClock(), 1_000)).to.equal(1_000);
    expect(jitter(new FakeClock(), 9_000, 5_000)).to.equal(5_000);
    expect(jitter(new FakeClock(() => 0), 9_000, 5_000)).to.equal(2_500);
  });
});
