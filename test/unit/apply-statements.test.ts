import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import { checksum, type Migration } from '../../src/core/migration.ts';
import type { IndexState, StepScript } from '../../src/core/ports.ts';
import type { Unit } from '../../src/core/sql/script-plan.ts';
import { analyze } from '../../src/engine/apply/analyze.ts';
import { runUnits } from '../../src/engine/apply/apply-statements.ts';
import { resume, withProgress } from '../../src/engine/apply/resume.ts';
import { FakeClock } from '../support/fakes/clock.ts';
import { FakeDatabase, type FakeSession } from '../support/fakes/database.ts';
import { FakeHooks, fakeParser, migration, stepOf } from '../support/fakes/files.ts';
import { failure, runner } from '../support/fakes/run.ts';
import { FakeServer, Refusal } from '../support/fakes/server.ts';
import { Recorder } from '../support/recorder.ts';

const INDEX = 'CREATE INDEX CONCURRENTLY i ON t';

describe('runUnits', () => {
  let clock: FakeClock;
  let server: FakeServer;
  let recorder: Recorder;
  let session: FakeSession;
  /** All SQL that took effect, in order. */
  let executed: string[];

  beforeEach(async () => {
    clock = new FakeClock();
    server = new FakeServer({ now: () => clock.now() });
    recorder = new Recorder();
    executed = [];
    await reconnect();
  });

  /** A new run that holds the lock. */
  async function reconnect(): Promise<void> {
    session = await new FakeDatabase(server).open(runner(), new AbortController().signal);
    await session.lock.tryAcquire();
    await session.history.ensureTables();
    const execute = server.execute.bind(server);
    server.execute = (sql, peer) => {
      execute(sql, peer);
      executed.push(sql);
    };
  }

  interface More {
    readonly cancelBlockedWaiters?: boolean;
    readonly signal?: AbortSignal;
  }

  async function run(file: Migration, more: More = {}): Promise<void> {
    await runThese(await unitsOf(file), file, more);
  }

  async function runThese(
    units: readonly Unit[],
    file: Migration,
    { cancelBlockedWaiters = true, signal = new AbortController().signal }: More = {},
  ): Promise<void> {
    const limits = { lockTimeoutMs: 5_000, statementTimeoutMs: 0 };
    const step = stepOf(file);
    const inPart = server.inPart().find(({ version }) => version === file.version);
    const ports = { clock, reporter: recorder, hooks: new FakeHooks() };
    const [planned] = await withProgress(
      [{ step, plan: { mode: 'statements', units }, losses: [] }],
      inPart ? [inPart] : [],
      fakeParser,
    );
    const done = await resume(planned!, { session, ports });
    await runUnits(units, done.length, {
      session,
      step,
      limits,
      signal,
      options: { limits, hookTimeoutMs: 0, cancelBlockedWaiters },
      ports,
    });
  }

  async function unitsOf(file: Migration): Promise<readonly Unit[]> {
    const { plan } = await analyze(file.up, 'up', fakeParser);
    if (plan.mode !== 'statements') throw new Error('this file runs in one transaction');
    return plan.units;
  }

  /** A file's only statement, which runs outside a transaction and waits for snapshots. */
  function alone(file: Migration, more: Pick<Unit, 'kind'> & Partial<Unit>): Unit {
    const how = { blocking: false, relations: [], transactional: false, waitsForSnapshots: true, sessionOnly: false };
    return { sql: file.up.text, offset: 0, index: 1, concurrentIndexes: [], ...how, ...more };
  }

  /** Records an earlier run in the journal: `done` finished statements, and optionally one that was started. */
  async function leave(file: Migration, done: number, started?: number, override?: readonly Unit[]): Promise<void> {
    const step: StepScript = stepOf(file);
    const units = override ?? (await unitsOf(file));
    const facts = { run: 'before', version: step.version, direction: step.direction } as const;
    for (const { index, sql } of units.slice(0, done))
      server.write({ ...facts, event: 'statement done', statement: index, checksum: checksum(sql) });
    if (started !== undefined) {
      server.write({
        ...facts,
        event: 'statement started',
        statement: started,
        checksum: checksum(units[started - 1]!.sql),
      });
    }
  }

  const journal = (): string[] => server.contents.journal.map(({ event, statement }) => `${event} ${statement}`);
  const finished = (): string[] =>
    recorder.of('statement.finished').map(({ statement, of }) => `${statement} of ${of}`);

  const THREE = migration('001_a', `INSERT INTO t; ${INDEX}; INSERT INTO u`);

  it('runs each statement and records it in the journal', async () => {
    await run(THREE);
    expect(executed).to.deep.equal(['INSERT INTO t', INDEX, 'INSERT INTO u']);
    expect(journal()).to.deep.equal([
      'statement done 1',
      'statement started 2',
      'statement done 2',
      'statement done 3',
    ]);
    expect(finished()).to.deep.equal(['1 of 3', '2 of 3', '3 of 3']);
  });

  it('starts no statement after the signal aborts', async () => {
    const controller = new AbortController();
    server.beforeSql = () => {
      controller.abort(new MigratorError('INTERRUPTED', 'SIGTERM'));
    };
    expect(await failure<MigratorError>(run(THREE, { signal: controller.signal }))).to.include({ code: 'INTERRUPTED' });
    expect(executed).to.deep.equal(['INSERT INTO t']);
  });

  describe('after a run that stopped', () => {
    for (const [done, left] of [
      [0, 3],
      [1, 2],
      [2, 1],
      [3, 0],
    ] as const) {
      it(`runs ${left} statements when ${done} are done`, async () => {
        if (done >= 2) server.setIndex('i', 'valid');
        await leave(THREE, done);
        await run(THREE);
        expect(executed).to.deep.equal(['INSERT INTO t', INDEX, 'INSERT INTO u'].slice(done));
      });
    }

    const states: [state: IndexState, runsAgain: boolean, dropped: boolean][] = [
      ['valid', false, false],
      ['invalid', true, true],
      ['absent', true, false],
    ];
    for (const [state, runsAgain, dropped] of states) {
      it(`${runsAgain ? 'builds' : 'does not build'} an index whose build was started and that is ${state}`, async () => {
        server.setIndex('i', state);
        await leave(THREE, 1, 2);
        await run(THREE);
        expect(executed).to.deep.equal(runsAgain ? [INDEX, 'INSERT INTO u'] : ['INSERT INTO u']);
        expect(recorder.of('index.dropped')).to.have.length(dropped ? 1 : 0);
        expect(server.contents.indexes.get('i')).to.equal('valid');
        expect(journal().slice(-2)).to.deep.equal(['statement done 2', 'statement done 3']);
      });
    }

    it('leaves an index that another session is building to the next try', async () => {
      server.setIndex('i', 'being built');
      await leave(THREE, 1, 2);
      expect(await failure<MigratorError>(run(THREE))).to.include({ code: 'CONTENTION' });
      expect(recorder.of('index.dropped')).to.deep.equal([]);
      expect(server.contents.indexes.get('i')).to.equal('being built');
    });

    it('refuses a file whose finished statements changed', async () => {
      await leave(THREE, 2);
      const error = await failure<MigratorError>(run(migration('001_a', `INSERT INTO other; ${INDEX}; INSERT INTO u`)));
      expect(error).to.include({ code: 'HISTORY_CONFLICT', exit: 22 });
      expect(error.summary).to.include('001_a.up.sql').and.include('statement 1');
      expect(error.details.version).to.equal('001_a');
      expect(executed).to.deep.equal([]);
    });

    it('refuses a file with fewer statements than are done', async () => {
      await leave(THREE, 3);
      const error = await failure<MigratorError>(run(migration('001_a', `INSERT INTO t; ${INDEX}`)));
      expect(error.code).to.equal('HISTORY_CONFLICT');
      expect(error.summary).to.include('statement 3');
    });

    it('accepts changed statements after the finished ones', async () => {
      server.setIndex('i', 'valid');
      await leave(THREE, 2);
      await run(migration('001_a', `INSERT INTO t; ${INDEX}; INSERT INTO v; INSERT INTO w`));
      expect(executed).to.deep.equal(['INSERT INTO v', 'INSERT INTO w']);
    });

    it('runs session-only statements again', async () => {
      const file = migration('001_a', `SET a = 1; INSERT INTO t; SET b = 2; ${INDEX}`);
      await leave(file, 3, 4);
      await run(file);
      expect(executed).to.deep.equal(['SET a = 1', 'SET b = 2', INDEX]);
    });

    it('keeps the started statement after it repeats the session statements and stops again', async () => {
      const file = migration('001_a', 'SET a = 1; CREATE DATABASE d');
      await leave(file, 1, 2);
      expect(await failure<MigratorError>(run(file))).to.include({ code: 'MIGRATION_INCOMPLETE' });
      await session.close();
      await reconnect();
      expect(await failure<MigratorError>(run(file))).to.include({ code: 'MIGRATION_INCOMPLETE' });
    });

    it('stops at a statement whose outcome is unknown', async () => {
      const file = migration('001_a', 'CREATE DATABASE d; INSERT INTO t');
      await leave(file, 0, 1);
      const error = await failure<MigratorError>(run(file));
      expect(error).to.include({ code: 'MIGRATION_INCOMPLETE', exit: 41 });
      expect(error.summary).to.include('001_a.up.sql').and.include('statement 1');
      expect(error.hint).to.include('001_a');
      expect(executed).to.deep.equal([]);
    });

    it('repeats a statement that is safe to repeat', async () => {
      const file = migration('001_a', 'VACUUM; INSERT INTO t');
      await leave(file, 0, 1);
      await run(file);
      expect(executed).to.deep.equal(['VACUUM', 'INSERT INTO t']);
    });

    it('drops the leftovers of a REINDEX and repeats it', async () => {
      const file = migration('001_a', 'REINDEX INDEX CONCURRENTLY i');
      const unit = alone(file, { kind: 'ReindexStmt', reindexes: { index: { name: 'i' } } });
      server.setIndex('i', 'valid');
      server.setIndex('i_ccnew', 'invalid');
      await leave(file, 0, 1, [unit]);
      await runThese([unit], file);
      expect(executed).to.deep.equal(['REINDEX INDEX CONCURRENTLY i']);
      expect(recorder.of('index.dropped')).to.deep.equal([
        { type: 'index.dropped', version: '001_a', index: 'i_ccnew' },
      ]);
      expect([...server.contents.indexes.keys()]).to.deep.equal(['i']);
    });

    for (const [state, runsAgain] of [
      ['attached', true],
      ['pending', false],
      ['detached', false],
    ] as const) {
      it(`${runsAgain ? 'repeats' : 'does not repeat'} the DETACH of a partition that is ${state}`, async () => {
        const file = migration('001_a', 'ALTER TABLE t DETACH PARTITION p CONCURRENTLY');
        const unit = alone(file, {
          kind: 'AlterTableStmt',
          detaches: { parent: { name: 't' }, partition: { name: 'p' } },
        });
        server.partitions.set('p', state);
        await leave(file, 0, 1, [unit]);
        await runThese([unit], file);
        expect(executed).to.have.length(runsAgain ? 1 : 0);
        if (state === 'pending') expect(server.partitions.get('p')).to.equal('detached');
      });
    }
  });

  it('finishes a DETACH that was cancelled half-way', async () => {
    const file = migration('001_a', 'ALTER TABLE t DETACH PARTITION p CONCURRENTLY');
    const unit = alone(file, { kind: 'AlterTableStmt', detaches: { parent: { name: 't' }, partition: { name: 'p' } } });
    server.partitions.set('p', 'attached');
    server.beforeSql = () => {
      server.partitions.set('p', 'pending');
      throw new Refusal('57014', 'canceling statement due to user request');
    };
    await failure(runThese([unit], file));
    await runThese([unit], file);
    expect(server.partitions.get('p')).to.equal('detached');
  });

  describe('an INVALID index', () => {
    const file = migration('001_a', INDEX);
    const deadlock = new Refusal('40P01', 'deadlock detected');
    const duplicate = new Refusal('23503', 'could not create unique index "i"');

    /** The next builds fail with `errors`, first to last, and leave an INVALID index. */
    function failBuilds(...errors: readonly Refusal[]): void {
      const left = [...errors];
      server.beforeSql = (sql) => {
        const error = sql === INDEX ? left.shift() : undefined;
        if (!error) return;
        server.setIndex('i', 'invalid');
        throw error;
      };
    }

    it('is dropped before the build', async () => {
      server.setIndex('i', 'invalid');
      await run(file);
      expect(recorder.of('index.dropped')).to.deep.equal([{ type: 'index.dropped', version: '001_a', index: 'i' }]);
      expect(executed).to.deep.equal([INDEX]);
    });

    it('is dropped after a build that failed', async () => {
      failBuilds(duplicate);
      const error = await failure<MigratorError>(run(file));
      expect(error).to.include({ code: 'MIGRATION_FAILED' });
      expect(error.details.server?.sqlstate).to.equal('23503');
      expect(server.contents.indexes.size).to.equal(0);
      expect(recorder.of('index.dropped')).to.have.length(1);
      expect(journal()).to.deep.equal(['statement started 1', 'statement failed 1']);
    });

    it('is dropped and built again while the table lock is unavailable', async () => {
      failBuilds(deadlock, deadlock);
      await clock.until(run(file));
      expect(recorder.of('migration.retrying')).to.have.length(2);
      expect(recorder.of('index.dropped')).to.have.length(2);
      expect(server.contents.indexes.get('i')).to.equal('valid');
      expect(journal().filter((entry) => entry === 'statement done 1')).to.have.length(1);
    });

    it('does not hide the build error when the drop fails', async () => {
      failBuilds(duplicate);
      session.executor.dropIndex = () => Promise.reject(new Error('cannot drop'));
      const error = await failure<MigratorError>(run(file));
      expect(error.details.server?.sqlstate).to.equal('23503');
    });

    it('is left to the next run when the session is lost', async () => {
      server.beforeSql = () => {
        server.setIndex('i', 'invalid');
        session.lose();
      };
      await failure(run(file));
      expect(server.contents.indexes.get('i')).to.equal('invalid');
      server.beforeSql = () => undefined;
      await reconnect();
      await run(file);
      expect(server.contents.indexes.get('i')).to.equal('valid');
    });

    it('is not recorded as built', async () => {
      const build = session.executor.statementAlone.bind(session.executor);
      session.executor.statementAlone = async (...args) => {
        await build(...args);
        server.setIndex('i', 'invalid');
      };
      const error = await failure<MigratorError>(run(file));
      expect(error.code).to.equal('MIGRATION_FAILED');
      expect(error.summary).to.include('its index i is invalid');
      expect(journal()).to.deep.equal(['statement started 1']);
    });

    it('of another statement of the file stays', async () => {
      server.setIndex('other', 'invalid');
      await run(file);
      expect(server.contents.indexes.get('other')).to.equal('invalid');
    });
  });

  describe('runners blocked inside PostgreSQL on our lock key', () => {
    const file = migration('001_a', INDEX);

    it('are cancelled before a concurrent build', async () => {
      const older = server.stranger('older runner');
      server.blocked.add(older);
      await run(file);
      expect(recorder.of('lock.waiters-cancelled')).to.deep.equal([
        { type: 'lock.waiters-cancelled', waiters: [{ pid: older.pid, applicationName: 'older runner' }] },
      ]);
    });

    it('are named in the error if they must not be cancelled', async () => {
      const older = server.stranger('older runner');
      server.blocked.add(older);
      const error = await failure<MigratorError>(run(file, { cancelBlockedWaiters: false }));
      expect(error).to.include({ code: 'CONTENTION', exit: 32 });
      expect(error.summary).to.include(`"older runner" (pid ${older.pid})`);
      expect(server.blocked.size).to.equal(1);
      expect(executed).to.deep.equal([]);
    });

    it('are ignored by other statements, as are idle waiters', async () => {
      server.blocked.add(server.stranger('older runner'));
      await run(migration('001_a', 'VACUUM'));
      server.blocked.clear();
      server.queue.add(server.stranger('lockstep up 1.0.0 pod-b'));
      await run(migration('002_b', INDEX), { cancelBlockedWaiters: false });
      expect(recorder.of('lock.waiters-cancelled')).to.deep.equal([]);
    });
  });

  it('fails when the lock is lost and does not record the statement as done', async () => {
    server.beforeSql = (sql) => {
      if (sql === INDEX) server.holder = undefined;
    };
    expect(await failure<MigratorError>(run(migration('001_a', INDEX)))).to.include({ code: 'MIGRATION_FAILED' });
    expect(journal()).to.deep.equal(['statement started 1']);
  });
});
