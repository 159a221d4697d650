import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import { checksum } from '../../src/core/migration.ts';
import type { Session, StepScript } from '../../src/core/ports.ts';
import type { Unit } from '../../src/core/sql/script-plan.ts';
import { migration, migrations, stepOf } from '../support/fakes/files.ts';
import { contractOf } from './contract.ts';

const [A, B, C] = migrations('001_a', '002_b', '003_c') as [
  ReturnType<typeof migration>,
  ReturnType<typeof migration>,
  ReturnType<typeof migration>,
];

const LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 0 };

function unit(index: number, sql: string, more: Partial<Unit> = {}): Unit {
  const how = { blocking: false, relations: [], transactional: true, waitsForSnapshots: false, sessionOnly: false };
  return { index, sql, offset: 0, kind: 'SelectStmt', concurrentIndexes: [], ...how, ...more };
}

contractOf('Journal', (given) => {
  const versions = async (): Promise<string[]> => (await given.applied()).map(({ version }) => version).sort();

  describe('a run', () => {
    it('is recorded with its runner', async () => {
      const session = await given.holder('pod-a', { release: 'shop/3@1.0', image: 'shop:1.0' });
      await session.journal.startRun();
      await session.journal.endRun(undefined);
      const [start, end] = await given.journal();
      const who = { command: 'up', runner: 'pod-a', release: 'shop/3@1.0', image: 'shop:1.0' };
      expect(start).to.deep.include({ ...who, event: 'run started', version: undefined, error: undefined });
      expect(end).to.deep.include({ ...who, event: 'run ended', run: start!.run, error: undefined, code: undefined });
      expect(BigInt(end!.id) > BigInt(start!.id)).to.equal(true);
      expect(Math.abs(Date.now() - start!.at.getTime())).to.be.lessThan(60_000);
    });

    it("is recorded with its error, with the server's message but without rows", async () => {
      const session = await given.holder();
      await session.journal.startRun();
      const server = {
        sqlstate: '23505',
        message: 'duplicate key',
        detail: 'Key (email)=(secret@example.com) already exists.',
      };
      const error = new MigratorError('MIGRATION_FAILED', '001_a.up.sql failed', { server });
      await session.journal.recordFailure(stepOf(A), error);
      await session.journal.endRun(error);
      const [, failed, ended] = await given.journal();
      const words = { code: 'MIGRATION_FAILED', error: '001_a.up.sql failed: duplicate key (23505)' };
      expect(failed).to.deep.include({
        ...words,
        event: 'failed',
        version: '001_a',
        direction: 'up',
        checksum: A.up.checksum,
      });
      expect(ended).to.deep.include({ ...words, event: 'run ended', version: undefined });
    });

    it('that ended without a record is reported to the next run, once', async () => {
      const dead = await given.holder('pod-a');
      await dead.journal.startRun();
      await dead.executor.begin(stepOf(A));
      await dead.executor.begin(stepOf(B));
      await given.place.kill(dead);
      const next = await given.holder('pod-b');
      const lost = await next.journal.startRun();
      expect(lost.map(({ event, runner, version }) => ({ event, runner, version }))).to.deep.equal([
        { event: 'run started', runner: 'pod-a', version: '002_b' },
      ]);
      const entries = await given.journal();
      const row = entries.find(({ event }) => event === 'run lost');
      expect(row).to.deep.include({ run: lost[0]!.run, runner: 'pod-b' });
      await given.place.kill(next);
      const last = await given.holder('pod-c');
      expect((await last.journal.startRun()).map(({ runner }) => runner)).to.deep.equal(['pod-b']);
    });

    it('that ended, with success or failure, is not reported', async () => {
      const first = await given.holder();
      await first.journal.startRun();
      await first.journal.endRun(undefined);
      await first.close();
      const second = await given.holder();
      expect(await second.journal.startRun()).to.deep.equal([]);
      await second.journal.endRun(new MigratorError('MIGRATION_FAILED', 'no'));
      await second.close();
      const third = await given.holder();
      expect(await third.journal.startRun()).to.deep.equal([]);
    });
  });

  describe('statements of a script', () => {
    const step = stepOf(A);
    const one = unit(1, 'SELECT 1');
    const alone = unit(2, 'SELECT 2', { transactional: false });
    let session: Session;

    beforeEach(async () => {
      session = await given.holder();
    });

    /** The progress of the one version that is in part. */
    const progress = async () => {
      const [one, ...others] = await session.journal.inPart();
      expect(others).to.deep.equal([]);
      return { done: one?.done ?? [], startedIndex: one?.started?.statement };
    };
    const sums = (...units: readonly Unit[]): string[] => units.map(({ sql }) => checksum(sql));

    it('are empty at first', async () => {
      expect(await progress()).to.deep.equal({ done: [], startedIndex: undefined });
    });

    it('are done, or only started', async () => {
      await session.executor.statement(step, one, LIMITS);
      expect(await progress()).to.deep.equal({ done: sums(one), startedIndex: undefined });
      await session.executor.statementAlone(step, alone, LIMITS);
      expect(await progress()).to.deep.equal({ done: sums(one), startedIndex: 2 });
      await session.executor.statementDone(step, alone, 5);
      expect(await progress()).to.deep.equal({ done: sums(one, alone), startedIndex: undefined });
    });

    it('stay started while others run again', async () => {
      await session.executor.statement(step, one, LIMITS);
      await session.executor.statementAlone(step, alone, LIMITS);
      // A later run repeats the statements that only changed the session, and dies.
      await session.executor.statement(step, one, LIMITS);
      expect(await progress()).to.deep.equal({ done: sums(one), startedIndex: 2 });
    });

    it('are closed when the server has reported that they failed', async () => {
      await session.executor.statementAlone(step, { ...alone, sql: 'SELECT 1/0' }, LIMITS).catch(() => undefined);
      await session.executor.statementFailed(step, alone);
      expect(await session.journal.inPart()).to.deep.equal([]);
    });

    for (const code of ['MIGRATION_INCOMPLETE', 'HOOK_FAILED', 'HISTORY_CONFLICT', 'MIGRATION_FAILED'] as const) {
      it(`stay started when a run ends with ${code}`, async () => {
        await session.executor.statementAlone(step, alone, LIMITS);
        await session.journal.recordFailure(step, new MigratorError(code, 'nobody can know'));
        expect((await progress()).startedIndex).to.equal(2);
      });
    }

    it('are separate for each version and direction', async () => {
      await session.executor.statement(step, one, LIMITS);
      await session.executor.statementAlone(step, alone, LIMITS);
      await session.executor.statement(stepOf(B, 'down'), one, LIMITS);
      expect(await session.journal.inPart()).to.deep.equal([
        {
          version: '001_a',
          direction: 'up',
          done: sums(one),
          started: { statement: 2, checksum: checksum('SELECT 2'), sql: 'SELECT 2' },
        },
        { version: '002_b', direction: 'down', done: sums(one) },
      ]);
      // A check returns the same, but without the texts.
      expect((await session.check()).journal?.inPart).to.deep.equal([
        {
          version: '001_a',
          direction: 'up',
          done: sums(one),
          started: { statement: 2, checksum: checksum('SELECT 2') },
        },
        { version: '002_b', direction: 'down', done: sums(one) },
      ]);
    });

    it('are discarded when the version is complete', async () => {
      await session.executor.statement(step, one, LIMITS);
      await session.executor.finish(step, 5);
      expect(await progress()).to.deep.equal({ done: [], startedIndex: undefined });
    });

    it('mark their version and direction as in part, until the version is complete', async () => {
      const inPart = async (): Promise<object> =>
        Object.fromEntries((await session.journal.inPart()).map(({ version, direction }) => [version, direction]));
      expect(await inPart()).to.deep.equal({});
      await session.executor.statementAlone(step, unit(1, 'SELECT 2', { transactional: false }), LIMITS);
      expect(await inPart(), 'only started').to.deep.equal({ '001_a': 'up' });
      await session.executor.statementDone(step, one, 5);
      expect(await inPart()).to.deep.equal({ '001_a': 'up' });
      await session.executor.finish(step, 5);
      expect(await inPart(), 'finished').to.deep.equal({});
      await session.executor.statement(stepOf(A, 'down'), one, LIMITS);
      expect(await inPart()).to.deep.equal({ '001_a': 'down' });
    });

    it('are empty where there is no journal yet', async () => {
      expect(await (await given.open()).journal.inPart()).to.deep.equal([]);
    });

    it('can be settled by a person', async () => {
      await session.executor.statement(step, one, LIMITS);
      await session.executor.statementAlone(step, alone, LIMITS);
      const started = { statement: 2, checksum: checksum('SELECT 2') };
      const settle = { type: 'settle statement', version: '001_a', direction: 'up', started } as const;
      await session.history.repair([{ ...settle, as: 'again' }]);
      expect(await progress()).to.deep.equal({ done: sums(one), startedIndex: undefined });
      await session.executor.statementAlone(step, alone, LIMITS);
      await session.history.repair([{ ...settle, as: 'done' }]);
      expect(await progress()).to.deep.equal({ done: sums(one, alone), startedIndex: undefined });
    });

    it('can be reset', async () => {
      await session.executor.statement(step, one, LIMITS);
      await session.executor.statementAlone(step, alone, LIMITS);
      const [inPart] = await session.journal.inPart();
      await session.history.repair([{ type: 'reset progress', inPart: inPart! }]);
      expect(await session.journal.inPart()).to.deep.equal([]);
    });
  });

  describe('failures of a migration', () => {
    const failed = new MigratorError('MIGRATION_FAILED', '001_a.up.sql failed');
    const release = 'shop@1.0';

    it('are counted for a release', async () => {
      const session = await given.holder('pod-a', { release });
      expect(await session.journal.failuresOf(A)).to.equal(undefined);
      await session.journal.recordFailure(stepOf(A), failed);
      await session.journal.recordFailure(stepOf(A), failed);
      const failures = await session.journal.failuresOf(A);
      expect(failures).to.include({ count: 2, error: '001_a.up.sql failed' });
      expect(failures!.agoMs).to.be.within(0, 60_000);
    });

    it('do not count for another release, text, version, direction or code', async () => {
      const session = await given.holder('pod-a', { release });
      const other = await given.open('up', 'pod-b', { release: 'shop@2.0' });
      const unreleased = await given.open('up', 'pod-c');
      await session.journal.recordFailure(stepOf(A, 'down'), failed);
      await session.journal.recordFailure(stepOf(A), new MigratorError('OUTCOME_UNKNOWN', 'lost'));
      expect(await session.journal.failuresOf(A)).to.equal(undefined);
      await session.journal.recordFailure(stepOf(A), failed);
      expect(await other.journal.failuresOf(A)).to.equal(undefined);
      expect(await unreleased.journal.failuresOf(A)).to.equal(undefined);
      expect(await session.journal.failuresOf(migration('001_a', 'another text'))).to.equal(undefined);
      expect(await session.journal.failuresOf(B)).to.equal(undefined);
    });

    it('have a newest one, until its version is applied', async () => {
      const session = await given.holder('pod-a', { release });
      expect(await session.journal.lastFailure()).to.equal(undefined);
      const server = { sqlstate: '42704', message: 'type "inte" does not exist' };
      await session.journal.recordFailure(stepOf(A), failed);
      await session.journal.recordFailure(stepOf(B), failed.with({ server }));
      const newest = await session.journal.lastFailure();
      expect(newest).to.include({ event: 'failed', version: '002_b', code: 'MIGRATION_FAILED', runner: 'pod-a' });
      expect(newest?.error).to.match(/ \(42704\)$/);
      await session.history.baseline([B]);
      expect(await session.journal.lastFailure()).to.include({ version: '001_a' });
      await session.history.baseline([A]);
      expect(await session.journal.lastFailure()).to.equal(undefined);
    });

    it('are discarded when the version is applied', async () => {
      const session = await given.holder('pod-a', { release });
      await session.journal.recordFailure(stepOf(A), failed);
      await session.history.baseline([A]);
      expect(await session.journal.failuresOf(A)).to.equal(undefined);
    });

    it('are empty where there is no journal yet', async () => {
      const session = await given.open('up', 'pod-a', { release });
      expect(await session.journal.failuresOf(A)).to.equal(undefined);
    });
  });

  describe('the last failure', () => {
    const server = { sqlstate: '22012', message: 'division by zero' };
    const location = { file: '002_b.up.sql', line: 3, column: 8, text: 'SELECT 1/0' };
    const failed = new MigratorError('MIGRATION_FAILED', '002_b.up.sql failed', { server, location });

    it('is the newest of these files, of whatever release, with its place and SQLSTATE', async () => {
      const session = await given.holder('pod-a', { release: 'shop@1.0' });
      const other = await given.open('wait', 'pod-b', { release: 'shop@2.0' });
      expect(await session.journal.lastFailureOf([A, B])).to.equal(undefined);
      await session.journal.recordFailure(stepOf(A), new MigratorError('HOOK_FAILED', 'no'));
      await session.journal.recordFailure(stepOf(B), failed);
      await session.journal.recordFailure(stepOf(C), new MigratorError('HOOK_FAILED', 'no'));
      expect(await other.journal.lastFailureOf([A, B])).to.include({
        version: '002_b',
        code: 'MIGRATION_FAILED',
        error: '002_b.up.sql failed: division by zero (22012)',
        file: '002_b.up.sql',
        line: 3,
        sqlstate: '22012',
        runner: 'pod-a',
      });
      expect(await session.journal.failuresOf(B)).to.deep.include({
        at: { file: '002_b.up.sql', line: 3 },
        sqlstate: '22012',
      });
      expect(await session.journal.lastFailureOf([A])).to.deep.include({ version: '001_a', file: undefined });
    });

    it('is none of another text, of a rollback, or from before the version was recorded', async () => {
      const session = await given.holder();
      await session.journal.recordFailure(stepOf(A), failed);
      await session.journal.recordFailure(stepOf(B, 'down'), failed);
      expect(await session.journal.lastFailureOf([migration('001_a', 'another text'), B])).to.equal(undefined);
      await session.history.baseline([A]);
      expect(await session.journal.lastFailureOf([A])).to.equal(undefined);
    });

    it('is none where there is no journal yet', async () => {
      expect(await (await given.open('wait')).journal.lastFailureOf([A])).to.equal(undefined);
    });
  });

  describe('stored down SQL', () => {
    const text = "-- it's \\ \u00e9\r\nDROP TABLE t_001_a";
    const odd = migration('001_a', undefined, text);
    const irreversible = migration('002_b', '-- lockstep: irreversible\nSELECT 1', null);
    const downOf = (one: typeof A, hold?: { hold: boolean; reason: string | undefined }) => stepOf(one, 'down', hold);

    it('is stored unchanged, with whether it is reversible', async () => {
      const session = await given.holder();
      expect(await session.journal.storedDowns(['001_a'])).to.deep.equal([]);
      await session.executor.transaction(stepOf(odd), [], LIMITS);
      await session.history.baseline([irreversible, C]);
      expect(await session.journal.storedDowns(['001_a', '002_b'])).to.deep.equal([
        { version: '001_a', checksum: odd.down!.checksum, sql: text, irreversible: false },
        { version: '002_b', checksum: undefined, irreversible: true },
        { version: '003_c', checksum: C.down!.checksum, irreversible: false },
      ]);
      expect(checksum(text)).to.equal(odd.down!.checksum);
    });

    it('is empty where there is no journal', async () => {
      expect(await (await given.open()).journal.storedDowns(['001_a'])).to.deep.equal([]);
    });

    it('is discarded with the rollback, because the version may be applied with another text next', async () => {
      const session = await given.holder();
      await session.history.baseline([A, B]);
      await session.executor.transaction(downOf(A), [], LIMITS);
      expect((await session.journal.storedDowns()).map(({ version }) => version)).to.deep.equal(['002_b']);
      await given.place.applyAsOriginal('001_a');
      expect((await session.journal.storedDowns(['001_a'])).map(({ version }) => version)).to.deep.equal(['002_b']);
    });

    it('can be added for versions that another runner has recorded', async () => {
      await given.place.makeOriginalTable('001_a');
      const session = await given.holder();
      expect(await session.journal.storedDowns()).to.deep.equal([]);
      await session.journal.storeDowns([A]);
      await session.journal.storeDowns([]);
      expect((await session.journal.storedDowns(['001_a'])).map(({ sql }) => sql)).to.deep.equal([A.down!.text]);
      expect(await given.events()).to.deep.equal(['down stored 001_a']);
      expect(await versions()).to.deep.equal(['001_a']);
    });

    it('cannot be written by another role by default', async () => {
      const session = await given.holder();
      expect(await session.history.distrust()).to.deep.equal([]);
      expect(await (await given.open()).history.distrust()).to.deep.equal([]);
    });
  });

  describe('holds', () => {
    const because = { hold: true, reason: 'it is slow' };
    const rolledBack = async (
      release: string | undefined,
      hold: { hold: boolean; reason: string | undefined } = because,
    ): Promise<Session> => {
      const first = await given.holder('pod-a', { release: 'shop/7@2' });
      await first.journal.startRun();
      await first.history.baseline([A, B]);
      await first.journal.endRun(undefined);
      await first.close();
      const session = await given.holder('rb-1', release === undefined ? {} : { release });
      await session.executor.transaction(stepOf(A, 'down', hold), [], LIMITS);
      return session;
    };

    it('are empty where there is no journal, or nothing was rolled back', async () => {
      expect(await (await given.open()).journal.heldVersions()).to.deep.equal([]);
      const session = await given.holder();
      await session.history.baseline([A]);
      expect(await session.journal.heldVersions()).to.deep.equal([]);
    });

    it('contain who, when, why, and which releases were known', async () => {
      const session = await rolledBack('shop/8@1');
      const [hold, ...others] = await session.journal.heldVersions();
      expect(others).to.deep.equal([]);
      expect(hold).to.deep.include({
        version: '001_a',
        by: 'rb-1',
        release: 'shop/8@1',
        reason: 'it is slow',
        releases: ['shop/7@2', 'shop/8@1'],
        appliedBy: 'shop/7@2',
      });
      expect(Math.abs(Date.now() - hold!.at.getTime())).to.be.lessThan(60_000);
      const entry = (await given.journal()).find(({ event }) => event === 'rolled back');
      expect(entry?.hold).to.deep.equal({
        releases: ['shop/7@2', 'shop/8@1'],
        appliedBy: 'shop/7@2',
        reason: 'it is slow',
      });
    });

    it('are also written without a release and a reason', async () => {
      const session = await rolledBack(undefined, { hold: true, reason: undefined });
      expect((await session.journal.heldVersions())[0]).to.deep.include({
        release: undefined,
        reason: undefined,
        releases: ['shop/7@2'],
      });
    });

    it('are not created by a rollback without a hold; the journal keeps its reason', async () => {
      const session = await rolledBack('shop/8@1', { hold: false, reason: 'trying' });
      expect(await session.journal.heldVersions()).to.deep.equal([]);
      expect((await given.journal()).find(({ event }) => event === 'rolled back')?.hold).to.deep.equal({
        reason: 'trying',
      });
    });

    it('are written for a script that ran statement by statement', async () => {
      const session = await given.holder('rb-1', { release: 'shop/8@1' });
      await session.history.baseline([A]);
      await session.executor.finish(stepOf(A, 'down', because), 5);
      expect((await session.journal.heldVersions()).map(({ version, reason }) => [version, reason])).to.deep.equal([
        ['001_a', 'it is slow'],
      ]);
    });

    it('end in the transaction that applies the version, which records why', async () => {
      const session = await rolledBack('shop/8@1');
      const [hold] = await session.journal.heldVersions();
      const ends = { hold: hold!, because: 'new release' } as const;
      await session.executor
        .transaction(
          { ...stepOf(A), ends } as StepScript,
          [{ sql: 'SELECT 1/0', offset: 0, blocking: false, relations: [] }],
          LIMITS,
        )
        .catch(() => undefined);
      expect(await session.journal.heldVersions()).to.have.length(1);
      await session.executor.transaction({ ...stepOf(A), ends } as StepScript, [], LIMITS);
      expect(await session.journal.heldVersions()).to.deep.equal([]);
      expect((await given.journal()).findLast(({ event }) => event === 'applied')?.hold).to.deep.equal({
        reason: 'new release',
      });
    });

    it('can be added later', async () => {
      const session = await rolledBack('shop/8@1', { hold: false, reason: undefined });
      expect(await session.journal.rolledBack()).to.deep.equal(['001_a']);
      await session.journal.holdVersions(['001_a'], 'it is slow');
      expect(await session.journal.rolledBack()).to.deep.equal(['001_a']);
      expect((await session.journal.heldVersions())[0]).to.deep.include({
        version: '001_a',
        by: 'rb-1',
        reason: 'it is slow',
        releases: ['shop/7@2', 'shop/8@1'],
        appliedBy: 'shop/7@2',
      });
      await session.history.repair(
        (await session.journal.heldVersions()).map((hold) => ({ type: 'release hold', hold })),
      );
      expect(await session.journal.rolledBack()).to.deep.equal(['001_a']);
    });

    it('depend on whether there are releases, and a check returns whether this one was seen', async () => {
      const session = await given.holder('pod-a', { release: 'shop/7@2' });
      expect(await session.journal.knowsReleases()).to.equal(false);
      expect((await session.check()).journal?.releaseSeen).to.equal(false);
      await session.journal.noteRelease();
      expect(await session.journal.knowsReleases()).to.equal(true);
      expect((await session.check()).journal?.releaseSeen).to.equal(true);
      const person = await given.open('up', 'laptop');
      expect((await person.check()).journal?.releaseSeen, 'one without a release has none to be seen').to.equal(true);
    });

    it('end with a repair', async () => {
      const session = await rolledBack('shop/8@1');
      await session.history.repair(
        (await session.journal.heldVersions()).map((hold) => ({ type: 'release hold', hold })),
      );
      expect(await session.journal.heldVersions()).to.deep.equal([]);
    });

    it('end when the version is recorded again', async () => {
      const session = await rolledBack('shop/8@1');
      await session.history.baseline([A]);
      expect(await session.journal.heldVersions()).to.deep.equal([]);
    });
  });
});
