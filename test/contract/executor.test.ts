import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import { checksum } from '../../src/core/migration.ts';
import type { Session } from '../../src/core/ports.ts';
import type { ConcurrentIndex, SqlPiece, Unit } from '../../src/core/sql/script-plan.ts';
import { migration, stepOf } from '../support/fakes/files.ts';
import { failure } from '../support/fakes/run.ts';
import { contractOf } from './contract.ts';

const LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 0 };
const A = migration('001_a', 'CREATE TABLE a (a int)', 'DROP TABLE a');
const UP = stepOf(A);
const DOWN = stepOf(A, 'down');
const NEXT = stepOf(migration('002_b', 'CREATE TABLE b (b int)'));
const UNLOCK = 'SELECT pg_advisory_unlock_all()';

function piece(sql: string): SqlPiece {
  return { sql, offset: 0, blocking: false, relations: [] };
}

function unit(index: number, sql: string, more: Partial<Unit> = {}): Unit {
  const how = { transactional: true, waitsForSnapshots: false, sessionOnly: false };
  return { ...piece(sql), index, kind: 'SelectStmt', concurrentIndexes: [], ...how, ...more };
}

contractOf('Executor', (given) => {
  let session: Session;

  beforeEach(async () => {
    session = await given.holder('pod-a');
  });

  const versions = async (): Promise<string[]> => (await given.applied()).map(({ version }) => version);
  const transaction = (...sql: readonly string[]): Promise<void> =>
    session.executor.transaction(UP, sql.map(piece), LIMITS);

  it('journals which migration starts', async () => {
    await session.executor.begin(UP);
    expect((await given.journal()).at(-1)).to.deep.include({
      event: 'started',
      version: '001_a',
      direction: 'up',
      command: 'up',
      runner: 'pod-a',
      checksum: A.up.checksum,
    });
  });

  describe('a transaction', () => {
    it('runs the script, and records it', async () => {
      await transaction('CREATE TABLE a (a int)', 'CREATE TABLE b (a int)');
      expect([await given.place.hasTable('a'), await given.place.hasTable('b')]).to.deep.equal([true, true]);
      const [row] = await given.applied();
      expect(row).to.include({ version: '001_a', checksum: A.up.checksum });
      const [started, entry] = await given.journal();
      expect(started).to.deep.include({ event: 'started', version: '001_a', direction: 'up' });
      expect(entry).to.deep.include({ event: 'applied', version: '001_a', direction: 'up', checksum: A.up.checksum });
      expect(entry!.durationMs).to.be.within(0, 60_000);
    });

    it('of a rollback deletes the record', async () => {
      await transaction('CREATE TABLE a (a int)');
      await session.executor.transaction(DOWN, [piece('DROP TABLE a')], LIMITS);
      expect(await given.place.hasTable('a')).to.equal(false);
      expect(await versions()).to.deep.equal([]);
      const entry = (await given.journal()).at(-1);
      expect(entry).to.deep.include({
        event: 'rolled back',
        version: '001_a',
        direction: 'down',
        checksum: A.down!.checksum,
      });
    });

    it('stores the down SQL', async () => {
      await transaction();
      expect(await session.journal.storedDowns()).to.deep.equal([
        { version: '001_a', checksum: A.down!.checksum, irreversible: false },
      ]);
    });

    it('records a script without statements', async () => {
      await transaction();
      expect(await versions()).to.deep.equal(['001_a']);
    });

    it('that fails leaves nothing, and the session stays usable', async () => {
      const error = await failure<MigratorError>(transaction('CREATE TABLE a (a int)', 'SELECT 1/0'));
      expect(error).to.include({ code: 'MIGRATION_FAILED', exit: 40 });
      expect(error.details).to.include({ version: '001_a' });
      expect(error.details.server).to.include({ sqlstate: '22012', message: 'division by zero' });
      expect(error.summary).to.include('001_a.up.sql');
      expect(await given.place.hasTable('a')).to.equal(false);
      expect(await versions()).to.deep.equal([]);
      expect(await given.events()).to.deep.equal(['started 001_a']);
      await transaction('CREATE TABLE a (a int)');
      expect(await given.events()).to.deep.equal(['started 001_a', 'applied 001_a']);
      expect(await versions()).to.deep.equal(['001_a']);
    });

    it('journals which migration starts next, once', async () => {
      const { executor } = session;
      await executor.transaction(UP, [], LIMITS, NEXT);
      expect(await given.events()).to.deep.equal(['started 001_a', 'applied 001_a', 'started 002_b']);
      await executor.begin(NEXT);
      await executor.transaction(NEXT, [piece('CREATE TABLE b (b int)')], LIMITS);
      expect(await given.events()).to.deep.equal(['started 001_a', 'applied 001_a', 'started 002_b', 'applied 002_b']);
    });

    it('journals that the announced migration will not run', async () => {
      const { executor } = session;
      await executor.withdraw(new MigratorError('INTERRUPTED', 'interrupted by SIGTERM'));
      await executor.transaction(UP, [], LIMITS, NEXT);
      await executor.withdraw(new MigratorError('INTERRUPTED', 'interrupted by SIGTERM'));
      expect(await given.events()).to.deep.equal(['started 001_a', 'applied 001_a', 'started 002_b', 'failed 002_b']);
      expect((await given.journal()).at(-1)).to.include({ code: 'INTERRUPTED', error: 'interrupted by SIGTERM' });
    });

    it('that fails does not journal the next start before a retry succeeds', async () => {
      const { executor } = session;
      await failure(executor.transaction(UP, [piece('SELECT 1/0')], LIMITS, NEXT));
      expect(await given.events()).to.deep.equal(['started 001_a']);
      await executor.transaction(UP, [], LIMITS, NEXT);
      await executor.transaction(NEXT, [], LIMITS);
      expect(await given.events()).to.deep.equal(['started 001_a', 'applied 001_a', 'started 002_b', 'applied 002_b']);
    });

    it('of a rollback that fails changes nothing', async () => {
      await transaction('CREATE TABLE a (a int)');
      const error = await failure<MigratorError>(
        session.executor.transaction(DOWN, [piece('DROP TABLE a'), piece('SELECT 1/0')], LIMITS),
      );
      expect(error.code).to.equal('MIGRATION_FAILED');
      expect(error.summary).to.include('001_a.down.sql');
      expect(await given.place.hasTable('a')).to.equal(true);
      expect(await versions()).to.deep.equal(['001_a']);
    });

    it('of a version that is already recorded does not run', async () => {
      await given.place.applyAsOriginal('001_a');
      const error = await failure<MigratorError>(transaction('CREATE TABLE a (a int)'));
      expect(error).to.include({ code: 'HISTORY_CONFLICT', exit: 22 });
      expect(await given.place.hasTable('a')).to.equal(false);
    });

    it('that gives up the lock is rolled back', async () => {
      const error = await failure<MigratorError>(transaction('CREATE TABLE a (a int)', UNLOCK));
      expect(error.code).to.equal('MIGRATION_FAILED');
      expect(error.summary).to.include('gave up the lock');
      expect(await given.place.hasTable('a')).to.equal(false);
      expect(await versions()).to.deep.equal([]);
    });

    it('of a session without the lock is rolled back', async () => {
      const intruder = await given.open('up', 'pod-b');
      await failure(intruder.executor.transaction(UP, [piece('CREATE TABLE a (a int)')], LIMITS));
      expect(await given.place.hasTable('a')).to.equal(false);
      expect(await versions()).to.deep.equal([]);
    });
  });

  describe('statement by statement', () => {
    const first = unit(1, 'CREATE TABLE a (a int)');
    const alone = unit(2, 'SELECT 2', { transactional: false });

    it('journals each statement, and records the version at the end', async () => {
      await session.executor.statement(UP, first, LIMITS);
      expect(await versions()).to.deep.equal([]);
      await session.executor.statementAlone(UP, alone, LIMITS);
      await session.executor.statementDone(UP, alone, 7);
      await session.executor.finish(UP, 9);
      expect(await given.events()).to.deep.equal([
        'statement done 001_a 1',
        'statement started 001_a 2',
        'statement done 001_a 2',
        'applied 001_a',
      ]);
      const [one, , two, end] = await given.journal();
      expect(one!.checksum).to.equal(checksum(first.sql));
      expect(two).to.deep.include({ checksum: checksum(alone.sql), durationMs: 7, direction: 'up' });
      expect(end).to.deep.include({ checksum: A.up.checksum, durationMs: 9 });
      expect((await given.applied())[0]).to.include({ version: '001_a', checksum: A.up.checksum });
    });

    it('of a rollback deletes the record at the end', async () => {
      await session.history.baseline([A]);
      await session.executor.statementAlone(DOWN, unit(1, 'SELECT 1', { transactional: false }), LIMITS);
      expect(await versions()).to.deep.equal(['001_a']);
      await session.executor.finish(DOWN, 1);
      expect(await versions()).to.deep.equal([]);
      expect((await given.events()).at(-1)).to.equal('rolled back 001_a');
    });

    it('leaves nothing of a statement that fails in its transaction', async () => {
      const error = await failure<MigratorError>(
        session.executor.statement(UP, unit(1, 'CREATE TABLE a (a int); SELECT 1/0'), LIMITS),
      );
      expect(error).to.include({ code: 'MIGRATION_FAILED' });
      expect(error.details.server?.sqlstate).to.equal('22012');
      expect(await given.place.hasTable('a')).to.equal(false);
      expect(await given.events()).to.deep.equal([]);
    });

    it('journals that a statement outside a transaction started, and that it failed', async () => {
      const failing = unit(1, 'SELECT 1/0', { transactional: false });
      const error = await failure<MigratorError>(session.executor.statementAlone(UP, failing, LIMITS));
      expect(error).to.include({ code: 'MIGRATION_FAILED' });
      expect(error.details).to.include({ version: '001_a' });
      expect(await given.events()).to.deep.equal(['statement started 001_a 1']);
      await session.executor.statementFailed(UP, failing);
      expect(await given.events()).to.deep.equal(['statement started 001_a 1', 'statement failed 001_a 1']);
    });

    it('does not run without the lock', async () => {
      await session.executor.statementAlone(UP, unit(1, UNLOCK, { transactional: false }), LIMITS);
      for (const call of [
        () => session.executor.statementDone(UP, unit(1, UNLOCK), 1),
        () => session.executor.statement(UP, first, LIMITS),
        () => session.executor.finish(UP, 1),
      ]) {
        expect(await failure<MigratorError>(call())).to.include({ code: 'MIGRATION_FAILED' });
      }
      expect(await given.place.hasTable('a')).to.equal(false);
      expect(await versions()).to.deep.equal([]);
      expect(await given.events()).to.deep.equal(['statement started 001_a 1']);
    });

    it('does not record a version that is already recorded', async () => {
      await given.place.applyAsOriginal('001_a');
      expect(await failure<MigratorError>(session.executor.finish(UP, 1))).to.include({ code: 'HISTORY_CONFLICT' });
    });
  });

  describe('a concurrent index', () => {
    const index = (name: string, table: string): ConcurrentIndex => ({
      action: 'create',
      name,
      table: { name: table },
      ifNotExists: false,
    });
    const build = (table: string): Promise<void> =>
      session.executor.statementAlone(
        UP,
        unit(1, `CREATE INDEX CONCURRENTLY ${table}_a ON ${table} (a)`, {
          transactional: false,
          concurrentIndexes: [index(`${table}_a`, table)],
        }),
        LIMITS,
      );

    it('is absent, then valid', async () => {
      await session.executor.statement(UP, unit(1, 'CREATE TABLE a (a int)'), LIMITS);
      expect(await session.executor.indexState(index('a_a', 'a'))).to.equal('absent');
      await build('a');
      expect(await session.executor.indexState(index('a_a', 'a'))).to.equal('valid');
    });

    it('is invalid after a build that failed, and can be dropped', async () => {
      await given.place.makeInvalidIndex('b');
      expect(await session.executor.indexState(index('b_a', 'b'))).to.equal('invalid');
      await session.executor.dropIndex(index('b_a', 'b'));
      expect(await session.executor.indexState(index('b_a', 'b'))).to.equal('absent');
      await build('b');
      expect(await session.executor.indexState(index('b_a', 'b'))).to.equal('valid');
    });

    it('of a table that does not exist is absent', async () => {
      expect(await session.executor.indexState(index('x_a', 'x'))).to.equal('absent');
      await session.executor.dropIndex(index('x_a', 'x'));
    });

    it('drops no index after a REINDEX that left nothing', async () => {
      expect(await session.executor.dropReindexLeftovers({ table: { name: 'x' } })).to.deep.equal([]);
      expect(await session.executor.dropReindexLeftovers({ index: { name: 'x_a' } })).to.deep.equal([]);
      expect(await session.executor.dropReindexLeftovers({ schema: 'x' })).to.deep.equal([]);
    });
  });

  it('finds no blockers of tables that no session locks', async () => {
    expect(await session.executor.blockersOf([{ relations: [{ name: 'a' }] }])).to.deep.equal([]);
    expect(await session.executor.blockersOf([])).to.deep.equal([]);
  });

  it('reports an unknown outcome when the connection is lost in a migration', async () => {
    const sent = failure<MigratorError>(transaction('CREATE TABLE a (a int)', 'SELECT pg_sleep(60)'));
    await given.place.kill(session);
    const error = await sent;
    // A server that sends the reason when it ends the session has rolled back.
    expect(error.code).to.be.oneOf(['OUTCOME_UNKNOWN', 'DATABASE_UNAVAILABLE']);
    expect(error.details.version).to.equal('001_a');
    expect(await versions()).to.deep.equal([]);
    expect(await given.place.hasTable('a')).to.equal(false);
  });
});
