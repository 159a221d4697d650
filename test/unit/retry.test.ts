import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import { retrying } from '../../src/engine/apply/retry.ts';
import { FakeClock } from '../support/fakes/clock.ts';
import { FakeDatabase, type FakeSession } from '../support/fakes/database.ts';
import { failure, runner } from '../support/fakes/run.ts';
import { FakeServer } from '../support/fakes/server.ts';
import { Recorder } from '../support/recorder.ts';

function contention(sqlstate: string): MigratorError {
  return new MigratorError('CONTENTION', '001_a.up.sql failed', { server: { sqlstate, message: 'no lock' } });
}

describe('retrying', () => {
  let clock: FakeClock;
  let recorder: Recorder;
  let server: FakeServer;
  let session: FakeSession;

  beforeEach(async () => {
    clock = new FakeClock();
    recorder = new Recorder();
    server = new FakeServer();
    session = await new FakeDatabase(server).open(runner(), new AbortController().signal);
  });

  interface Options {
    readonly retry?: boolean;
    readonly signal?: AbortSignal;
    /** Duration of each try. */
    readonly takesMs?: number;
  }

  /** The first tries fail with `errors` in order; later ones succeed. */
  function run(
    errors: readonly (Error | undefined)[],
    { retry = true, signal = new AbortController().signal, takesMs = 0 }: Options = {},
  ) {
    let tries = 0;
    const attempt = async (): Promise<void> => {
      const error = errors[tries];
      tries += 1;
      await clock.sleep(takesMs);
      if (error !== undefined) throw error;
    };
    const work = retrying(
      { session, version: '001_a', pieces: [], retry, signal },
      { clock, reporter: recorder },
      attempt,
    );
    return { work: clock.until(work), tries: () => tries };
  }

  const again = <E>(error: E, times = 99): E[] => Array.from({ length: times }, () => error);
  const pauses = (): number[] => recorder.of('migration.retrying').map(({ retryInMs }) => retryInMs);

  it('stops after a first try that succeeds', async () => {
    const { work, tries } = run([]);
    await work;
    expect(tries()).to.equal(1);
    expect(recorder.events).to.deep.equal([]);
  });

  for (const sqlstate of ['55P03', '40P01', '40001']) {
    it(`tries again after ${sqlstate}`, async () => {
      const error = contention(sqlstate);
      const { work, tries } = run(again(error, 2));
      await work;
      expect(tries()).to.equal(3);
      expect(recorder.events).to.deep.equal([
        { type: 'migration.retrying', version: '001_a', attempt: 1, retryInMs: 200, error },
        { type: 'migration.retrying', version: '001_a', attempt: 2, retryInMs: 400, error },
      ]);
    });
  }

  const final: [name: string, error: Error][] = [
    ['a cancel or the statement timeout (57014)', contention('57014')],
    ['contention that the server did not report', new MigratorError('CONTENTION', 'waiters in the way')],
    ['invalid SQL', new MigratorError('MIGRATION_FAILED', 'f', { server: { sqlstate: '42601', message: 'syntax' } })],
    ['a lost connection', new MigratorError('OUTCOME_UNKNOWN', 'lost')],
    ['a bug', new TypeError('oops')],
  ];
  for (const [name, error] of final) {
    it(`does not try again after ${name}`, async () => {
      const { work, tries } = run([error]);
      expect(await failure(work)).to.equal(error);
      expect(tries()).to.equal(1);
    });
  }

  it('does not retry work that takes no blocking locks', async () => {
    const error = contention('55P03');
    const { work, tries } = run([error], { retry: false });
    expect(await failure(work)).to.equal(error);
    expect(tries()).to.equal(1);
  });

  it('tries at most 10 times, after growing pauses of at most 30 s, and throws the last error', async () => {
    const errors = again(undefined, 10).map(() => contention('55P03'));
    const { work, tries } = run(errors);
    expect(await failure(work)).to.equal(errors[9]);
    expect(tries()).to.equal(10);
    expect(pauses()).to.deep.equal([200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]);
  });

  it('starts no try after 5 minutes', async () => {
    const { work, tries } = run(again(contention('55P03')), { takesMs: 60_000 });
    await failure(work);
    expect(tries()).to.equal(5);
    expect(clock.now()).to.be.at.least(300_000).and.at.most(310_000);
  });

  it('shortens pauses by jitter to half at the least', async () => {
    clock = new FakeClock(() => 0);
    await run(again(contention('40001'), 3)).work;
    expect(pauses()).to.deep.equal([100, 200, 400]);
  });

  it('names the sessions that block the lock', async () => {
    server.observation = { blockers: [{ pid: 7, applicationName: 'report', state: 'idle in transaction' }] };
    const { work } = run(again(contention('55P03')));
    const error = await failure<MigratorError>(work);
    expect(error.details.blockers).to.deep.equal(server.observation.blockers);
    expect(error.details.problems).to.deep.equal(['blocked by "report" (pid 7) idle in transaction']);
    expect(error.details.server?.sqlstate).to.equal('55P03');
    expect(recorder.of('migration.retrying')[0]!.error.details.blockers).to.have.length(1);
  });

  it('keeps the error when no blocking session is found', async () => {
    const error = contention('55P03');
    session.lose();
    expect(await failure(run(again(error), { retry: false }).work)).to.equal(error);
  });

  it('ends at once when the signal aborts during a pause', async () => {
    const controller = new AbortController();
    let tries = 0;
    const attempt = (): Promise<void> => {
      tries += 1;
      return Promise.reject(contention('55P03'));
    };
    const work = retrying(
      { session, version: '001_a', pieces: [], retry: true, signal: controller.signal },
      { clock, reporter: recorder },
      attempt,
    );
    await clock.advance(100);
    const reason = new MigratorError('INTERRUPTED', 'SIGTERM');
    controller.abort(reason);
    expect(await failure(work)).to.equal(reason);
    expect(tries).to.equal(1);
  });
});
