import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import { waitUntilApplied } from '../../src/engine/commands/wait.ts';
import { commandFakes } from '../support/fakes/command.ts';
import { migration, migrations, source, stepOf } from '../support/fakes/files.ts';
import { failure, FakeRun, runner } from '../support/fakes/run.ts';

const FILES = migrations('001_a', '002_b');

describe('waitUntilApplied', () => {
  let { clock, server, database, recorder, controller } = commandFakes();
  beforeEach(() => {
    ({ clock, server, database, recorder, controller } = commandFakes());
  });

  function wait({ timeoutMs = 600_000, files = FILES, failOnFailure = false } = {}): Promise<readonly string[]> {
    return waitUntilApplied(
      { runner: runner('wait'), connectWaitMs: 60_000, timeoutMs, failOnFailure, signal: controller.signal },
      { database, source: source(files), clock, reporter: recorder },
    );
  }

  const apply = (...files: typeof FILES): Promise<unknown> => new FakeRun({ server, clock, files }).up();
  const messages = (): string[] => recorder.of('wait.pending').map(({ message }) => message);
  const calls = (): string[] => [...new Set(server.calls.map((call) => call.replace(/^\d+ /, '')))];

  it('returns the versions when nothing is pending', async () => {
    await apply(...FILES);
    server.calls.length = 0;
    expect(await wait()).to.deep.equal(['001_a', '002_b']);
    expect(calls()).to.deep.equal(['check', 'check history']);
    expect(database.opened.map(({ closed }) => closed)).to.deep.equal([true]);
  });

  it('returns when another run has applied everything, and only reads', async () => {
    const work = wait();
    await clock.advance(3_000);
    expect(calls()).to.deep.equal(['check', 'check history']);
    await apply(...FILES);
    expect(await clock.until(work)).to.have.length(2);
    expect(database.opened).to.have.length(1);
  });

  it('reports what it waits for, and again only when that changes', async () => {
    const work = wait();
    await clock.advance(5_000);
    await apply(FILES[0]!);
    await clock.advance(5_000);
    await apply(...FILES);
    await clock.until(work);
    expect(messages()).to.deep.equal(['waiting for 2 pending: 001_a, 002_b', 'waiting for 1 pending: 002_b']);
  });

  it('names five of many pending versions', async () => {
    const many = migrations(...Array.from({ length: 9 }, (_, index) => `${index + 1}_x`));
    await failure(wait({ timeoutMs: 0, files: many }));
    expect(await failure<MigratorError>(wait({ timeoutMs: 0, files: many }))).to.have.nested.property(
      'details.problems.length',
      9,
    );
    const work = wait({ files: many });
    await clock.advance(100);
    expect(messages().at(-1)).to.equal('waiting for 9 pending: 1_x, 2_x, 3_x, 4_x, 5_x, …');
    await apply(...many);
    await clock.until(work);
  });

  it('counts an out-of-order version as pending, and a changed or unknown version as applied', async () => {
    await apply(migration('002_b', 'SELECT 1'), migration('003_c'));
    const error = await failure<MigratorError>(wait({ timeoutMs: 0 }));
    expect(error.details.problems).to.deep.equal(['001_a is pending']);
  });

  it('gives up at the timeout and names the pending versions', async () => {
    const error = await failure<MigratorError>(clock.until(wait({ timeoutMs: 20_000 })));
    expect(error).to.include({ code: 'PENDING', exit: 33 });
    expect(error.summary).to.include('--timeout=20s').and.include('001_a, 002_b');
    expect(error.details.problems).to.deep.equal(['001_a is pending', '002_b is pending']);
    expect(clock.now()).to.be.within(20_000, 21_000);
    expect(database.opened.map(({ closed }) => closed)).to.deep.equal([true]);
  });

  it('checks once without a timeout', async () => {
    expect(await failure<MigratorError>(wait({ timeoutMs: 0 }))).to.include({ code: 'PENDING' });
    await apply(...FILES);
    expect(await wait({ timeoutMs: 0 })).to.have.length(2);
  });

  describe('a failure of what it waits for', () => {
    const words = `002_b.up.sql failed: division by zero (22012)`;
    const fail = async (file = FILES[1]!): Promise<void> => {
      const session = await database.open(runner('up', 'pod-a'), controller.signal);
      await session.history.ensureTables();
      const location = { file: '002_b.up.sql', line: 3, column: 1, text: 'SELECT 1/0' };
      const answer = { sqlstate: '22012', message: 'division by zero' };
      await session.journal.recordFailure(
        stepOf(file),
        new MigratorError('MIGRATION_FAILED', '002_b.up.sql failed', { server: answer, location }),
      );
      await session.close();
    };

    it('is reported once, and named at the end', async () => {
      const work = wait({ timeoutMs: 20_000 });
      await clock.advance(3_000);
      await fail();
      const error = await failure<MigratorError>(clock.until(work));
      expect(recorder.of('wait.failed').map(({ version, failure }) => [version, failure.line])).to.deep.equal([
        ['002_b', 3],
      ]);
      expect(error).to.include({ code: 'PENDING', exit: 33 });
      expect(error.details.version).to.equal('002_b');
      expect(error.details.recorded).to.deep.equal({
        error: words,
        at: { file: '002_b.up.sql', line: 3 },
        sqlstate: '22012',
      });
      expect(error.details.problems?.[0]).to.match(/^002_b failed at \S+ on pod-a \(line 3\): 002_b\.up\.sql failed: /);
    });

    it('ends it with --fail-on-failure, once nobody holds the lock', async () => {
      await fail();
      const holder = server.stranger('lockstep up 1.0.0 pod-z');
      server.holder = holder;
      const work = wait({ failOnFailure: true });
      await clock.advance(5_000);
      expect(recorder.of('wait.failed')).to.have.length(1);
      server.dismiss(holder);
      const error = await failure<MigratorError>(clock.until(work));
      expect(error).to.include({ code: 'PENDING', exit: 33 });
      expect(error.summary).to.equal('002_b failed, and no runner is at work (--fail-on-failure)');
      expect(clock.now()).to.be.lessThan(10_000);
    });

    it('of another text, or before the version was applied, does not count', async () => {
      await fail(migration('002_b', 'SELECT another text'));
      await fail();
      await apply(...FILES);
      await new FakeRun({ server, clock, files: FILES }).down({ kind: 'steps', count: 1 }, {}, { hold: false });
      const error = await failure<MigratorError>(clock.until(wait({ timeoutMs: 5_000, failOnFailure: true })));
      expect(error.summary).to.include('--timeout=5s');
      expect(recorder.of('wait.failed')).to.deep.equal([]);
    });
  });

  it('does not wait for an up that has applied everything', async () => {
    await apply(...FILES);
    server.holder = server.stranger('lockstep up 1.0.0 pod-z');
    expect(await wait({ timeoutMs: 0 })).to.have.length(2);
  });

  for (const name of ['lockstep down 1.0.0 pod-z', 'golang-migrate']) {
    it(`waits until ${name} is done, even when nothing is pending`, async () => {
      await apply(...FILES);
      const holder = server.stranger(name);
      server.holder = holder;
      const work = wait();
      await clock.advance(5_000);
      expect(messages()).to.deep.equal([`waiting until "${name}" (pid ${holder.pid}) is done`]);
      server.dismiss(holder);
      await clock.until(work);
    });
  }

  it('checks again when the lock was unavailable but has no holder', async () => {
    await apply(...FILES);
    const looks: boolean[] = [];
    const open = database.open.bind(database);
    database.open = async (...args) => {
      const session = await open(...args);
      const check = session.check.bind(session);
      session.check = async () => {
        looks.push(true);
        return { ...(await check()), free: looks.length > 1 };
      };
      return session;
    };
    await clock.until(wait());
    expect(looks).to.have.length(2);
  });

  it('works on a standby', async () => {
    await apply(...FILES);
    server.writesRefused = 'standby';
    expect(await wait()).to.have.length(2);
  });

  it('continues with a new session when the server restarts', async () => {
    const work = wait();
    await clock.advance(2_000);
    database.refusals.push(new MigratorError('DATABASE_UNAVAILABLE', 'starting up'));
    database.opened[0]!.lose();
    await clock.advance(2_000);
    await apply(...FILES);
    expect(await clock.until(work)).to.have.length(2);
    expect(database.opened).to.have.length(2);
  });

  it('ends with an error other than a lost session', async () => {
    const open = database.open.bind(database);
    const cause = new MigratorError('HISTORY_CONFLICT', 'of another tool');
    database.open = async (...args) => {
      const session = await open(...args);
      const check = session.check.bind(session);
      let looks = 0;
      session.check = () => {
        looks += 1;
        return looks === 1 ? check() : Promise.reject(cause);
      };
      return session;
    };
    expect(await failure(clock.until(wait()))).to.equal(cause);
    expect(database.opened).to.have.length(1);
  });

  it('does not reconnect forever when sessions are lost', async () => {
    server.turn = async (label) => {
      await clock.sleep(1_000);
      if (label.endsWith('check history')) database.opened.at(-1)?.lose();
    };
    const error = await failure<MigratorError>(clock.until(wait({ timeoutMs: 10_000 })));
    expect(error.code).to.be.oneOf(['DATABASE_UNAVAILABLE', 'PENDING']);
    expect(clock.now()).to.be.at.most(80_000);
  });

  it('ends at once when the signal aborts', async () => {
    const work = wait();
    await clock.advance(2_300);
    const reason = new MigratorError('INTERRUPTED', 'SIGTERM');
    controller.abort(reason);
    expect(await failure(work)).to.equal(reason);
    expect(clock.now()).to.equal(2_300);
    expect(database.opened.map(({ closed }) => closed)).to.deep.equal([true]);
  });
});
