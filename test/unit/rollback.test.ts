import { expect } from 'chai';

import type { MigratorError } from '../../src/core/errors.ts';
import type { Migration, Version } from '../../src/core/migration.ts';
import type { planRepair } from '../../src/core/plan/repair.ts';
import { readStatus } from '../../src/engine/commands/inspect.ts';
import { withoutTarget } from '../../src/engine/commands/no-target.ts';
import { repair } from '../../src/engine/commands/repair.ts';
import { waitUntilApplied } from '../../src/engine/commands/wait.ts';
import { FakeClock } from '../support/fakes/clock.ts';
import { FakeDatabase } from '../support/fakes/database.ts';
import { fakeParser, migration, migrations, source } from '../support/fakes/files.ts';
import { failure, FakeRun, runner } from '../support/fakes/run.ts';
import { FakeServer } from '../support/fakes/server.ts';
import { Recorder } from '../support/recorder.ts';

const A = '001_a';
const B = '002_b';
const C = '003_c';
const FILES = migrations(A, B, C);
const OLD = FILES.slice(0, 1);
const toA = { kind: 'version', version: A } as const;
const ONE = { kind: 'steps', count: 1 } as const;

describe('a rollback', () => {
  let clock: FakeClock;
  let server: FakeServer;

  beforeEach(async () => {
    clock = new FakeClock();
    server = new FakeServer({ now: () => clock.now() });
    await run(FILES, 'shop/7@2').up();
    server.calls.length = 0;
  });

  function run(files: readonly Migration[] = FILES, release?: string, name = 'pod-a'): FakeRun {
    return new FakeRun({ server, clock, files, name, ...(release !== undefined && { release }) });
  }

  /** Rolls back like a rollback Job: from the image of the previous release. */
  async function rollBack(target: Parameters<FakeRun['down']>[0] = toA): Promise<FakeRun> {
    const job = run(OLD, 'shop/8@1', 'rb-1');
    await job.down(target, {}, { hold: true, reason: 'it locks orders' });
    server.calls.length = 0;
    return job;
  }

  const calls = (): string[] => server.calls.map((call) => call.replace(/^\d+ /, ''));
  const applied = (): string[] => [...(server.contents.history?.keys() ?? [])].sort();
  const journal = (event: string): (Version | undefined)[] =>
    server.contents.journal.filter((entry) => entry.event === event).map(({ version }) => version);
  const upFails = (release?: string, files = FILES): Promise<MigratorError> =>
    failure<MigratorError>(run(files, release).up());

  describe('from stored SQL', () => {
    it('needs no files of the versions that it rolls back', async () => {
      const { done } = await run(OLD).down(toA);
      expect(done.map(({ version }) => version)).to.deep.equal([C, B]);
      expect([...server.contents.tables]).to.deep.equal(['t_001_a']);
      expect(applied()).to.deep.equal([A]);
    });

    it('is refused as a whole, before the lock, when one version cannot be rolled back', async () => {
      await run([...FILES, migration('004_d', undefined, null)]).up();
      server.calls.length = 0;
      const error = await failure<MigratorError>(run(OLD).down(toA));
      expect(error).to.include({ code: 'ROLLBACK_REFUSED', exit: 24 });
      expect(error.details.problems).to.have.length(1);
      expect(calls()).to.not.include('lock.tryAcquire');
      expect(applied()).to.have.length(4);
    });

    it('is refused when other roles could have written the SQL, unless the user trusts it', async () => {
      server.distrust = ['role "app" may INSERT on shop.schema_migrations_journal'];
      const error = await failure<MigratorError>(run(OLD).down(toA));
      expect(error).to.include({ code: 'ROLLBACK_REFUSED' });
      expect(error.details.problems!.join()).to.contain('role "app" may INSERT');
      expect(error.hint).to.contain('--trust-stored');
      expect(applied()).to.have.length(3);
      await run(OLD).down(toA, {}, { trustStored: true });
      expect(applied()).to.deep.equal([A]);
    });

    it('ignores who could have written the SQL when it equals the files', async () => {
      server.distrust = ['role "app" may INSERT on shop.schema_migrations_journal'];
      await run().down(toA);
      expect(applied()).to.deep.equal([A]);
    });

    it('is planned again under the lock', async () => {
      server.turn = async (call) => {
        if (call.endsWith('lock.tryAcquire')) server.distrust = ['role "app" owns it'];
      };
      expect(await failure(run(OLD).down(toA))).to.include({ code: 'ROLLBACK_REFUSED' });
      expect(applied()).to.have.length(3);
    });

    it('shows both texts when they differ, and runs the chosen one', async () => {
      const changed = [FILES[0]!, FILES[1]!, migration(C, undefined, 'DROP TABLE t_003_c; CREATE TABLE other')];
      const error = await failure<MigratorError>(run(changed).down(ONE));
      expect(error).to.include({ code: 'ROLLBACK_REFUSED' });
      expect(error.hint).to.contain('--from');
      await run(changed).down(ONE, {}, { choice: 'stored' });
      expect([...server.contents.tables]).to.deep.equal(['t_001_a', 't_002_b']);
    });
  });

  describe('the next up that holds the lock', () => {
    const D = migration('004_d');

    it('stores down SQL that is not stored yet, once', async () => {
      server.storedDowns.clear();
      await run([...FILES, D]).up();
      expect(journal('down stored')).to.deep.equal([A, B, C]);
      expect([...server.storedDowns.keys()].sort()).to.deep.equal([A, B, C, '004_d']);
      await run([...FILES, D, migration('005_e')]).up();
      expect(journal('down stored')).to.have.length(3);
    });

    it('warns of other roles that may write the tables', async () => {
      server.distrust = ['role "app" may INSERT on shop.schema_migrations_journal'];
      const { warnings } = await run([...FILES, D]).up();
      expect(warnings.join())
        .to.contain('role "app" may INSERT')
        .and.contain('rolling back from stored SQL will be refused');
    });

    it('checks no privileges when nothing is pending', async () => {
      await run().up();
      expect(calls()).to.deep.equal(['check', 'check history']);
    });
  });

  describe('holds', () => {
    it('stops every known release from applying the version again, before it applies anything', async () => {
      const job = await rollBack();
      expect(job.recorder.of('rollback.held')).to.deep.equal([
        { type: 'rollback.held', versions: [C, B], reason: 'it locks orders' },
      ]);
      const before = server.contents;
      for (const release of ['shop/7@2', 'shop@2', 'shop/8@1', undefined]) {
        const error = await upFails(release, [...FILES, migration('004_d')]);
        expect(error).to.include({ code: 'HISTORY_CONFLICT', exit: 22 });
        expect(error.details.problems).to.have.length(2);
        expect(error.details.problems![0]).to.match(
          /00[23]_. was rolled back by rb-1 \(release shop\/8@1\) at .*: it locks orders/,
        );
      }
      expect(server.contents).to.equal(before);
      expect(calls()).to.not.include('lock.tryAcquire');
    });

    it('lets the previous release start', async () => {
      await rollBack();
      expect((await run(OLD, 'shop@1').up()).skipped).to.deep.equal([A]);
      expect(calls()).to.deep.equal(['check', 'check history', 'journal.noteRelease']);
      server.calls.length = 0;
      await run(OLD, 'shop@1').up();
      expect(calls()).to.deep.equal(['check', 'check history']);
    });

    it('lets older versions be applied', async () => {
      await rollBack({ kind: 'version', version: B });
      await run([...FILES, migration('001_late')], 'shop@2').up({}, B);
      expect(applied()).to.deep.equal([A, '001_late', B]);
    });

    it('ends for all with a new release, in the transaction that applies the version', async () => {
      await rollBack();
      const next = run([...FILES, migration('004_d', 'SELECT 1/0')], 'shop/9@2');
      expect(await failure(next.up())).to.include({ code: 'MIGRATION_FAILED' });
      expect(next.recorder.of('hold.ended').map(({ hold, because }) => `${hold.version} ${because}`)).to.deep.equal([
        `${B} new release`,
        `${C} new release`,
      ]);
      expect(applied()).to.deep.equal([A, B, C]);
      expect(
        server.contents.journal.findLast(({ event, version }) => event === 'applied' && version === C)?.hold,
      ).to.deep.equal({ reason: 'new release' });
      await run(OLD).down(toA, {}, { hold: false });
      await run(FILES, 'shop@2').up();
      expect(applied()).to.deep.equal([A, B, C]);
    });

    it('does not end with a release without the version', async () => {
      await rollBack();
      await run([...OLD, migration('001_late')], 'shop/9@1').up();
      expect(await upFails('shop@2')).to.include({ code: 'HISTORY_CONFLICT' });
      expect(journal('hold ended')).to.deep.equal([]);
    });

    it('remains when the release that would end it fails', async () => {
      await rollBack();
      const next = run([FILES[0]!, migration(B, 'SELECT 1/0'), FILES[2]!], 'shop/9@2');
      expect(await failure(next.up())).to.include({ code: 'MIGRATION_FAILED' });
      expect(next.recorder.of('hold.ended')).to.deep.equal([]);
      expect(await upFails('shop@2')).to.include({ code: 'HISTORY_CONFLICT' });
      await run(FILES, 'shop/9@2').up();
      expect(applied()).to.deep.equal([A, B, C]);
    });

    it('binds a known release with any text', async () => {
      await rollBack({ kind: 'version', version: B });
      const corrected = [FILES[0]!, FILES[1]!, migration(C, 'CREATE TABLE t_003_c; CREATE TABLE more')];
      expect(await upFails('shop@2', corrected)).to.include({ code: 'HISTORY_CONFLICT' });
      await run(corrected, 'shop/9@3').up();
      expect(applied()).to.deep.equal([A, B, C]);
    });

    it('binds a release that applied nothing', async () => {
      await run(FILES, 'shop/8@3').up();
      await run(FILES, 'shop/8@3').up();
      expect(journal('release seen')).to.have.length(1);
      server.calls.length = 0;
      await rollBack();
      expect(await upFails('shop@3')).to.include({ code: 'HISTORY_CONFLICT' });
    });

    it('binds releases of other names, known or not', async () => {
      await rollBack();
      for (const release of ['stock/1@9', 'stock@9'])
        expect(await upFails(release)).to.include({ code: 'HISTORY_CONFLICT' });
    });

    it('is the default when the journal has a release, even from a shell without one', async () => {
      const person = run(OLD);
      await person.down(toA);
      expect(person.recorder.of('rollback.held').map(({ versions }) => versions)).to.deep.equal([[C, B]]);
      expect(await upFails('shop@2')).to.include({ code: 'HISTORY_CONFLICT' });
    });

    it('can be added after a rollback without a hold', async () => {
      await run(OLD).down(toA, {}, { hold: false });
      const later = run(OLD);
      expect((await later.down(toA, {}, { hold: true, reason: 'it locks orders' })).done).to.deep.equal([]);
      expect(later.recorder.of('rollback.held')).to.deep.equal([
        { type: 'rollback.held', versions: [C, B], reason: 'it locks orders' },
      ]);
      const error = await upFails('shop@2');
      expect(error.details.problems!.join()).to.contain('it locks orders');
    });

    it('can be renewed for the releases known by then', async () => {
      await rollBack();
      await failure(run([FILES[0]!, migration(B, 'SELECT 1/0'), FILES[2]!], 'shop/9@9').up());
      await run(OLD).down(toA, {}, { hold: true });
      expect(await upFails('shop/9@9')).to.include({ code: 'HISTORY_CONFLICT' });
      await run(FILES, 'shop/10@9').up();
      expect(applied()).to.deep.equal([A, B, C]);
      await run(OLD).down(toA, {}, { hold: true });
      expect(journal('held')).to.deep.equal([C, B]);
    });

    it('ends when the user applies the version again', async () => {
      await rollBack();
      expect(await failure(run(FILES, 'shop@2').up({}, undefined, [B]))).to.include({ code: 'HISTORY_CONFLICT' });
      await run(FILES, 'shop@2').up({}, undefined, [B, C]);
      expect(applied()).to.deep.equal([A, B, C]);
      expect(await failure(run().up({}, undefined, ['009_never']))).to.include({ code: 'CONFIG_INVALID' });
    });

    it('binds a run that gets the lock after the rollback', async () => {
      const late = run([...FILES, migration('004_d')], 'shop@2');
      server.turn = async (call) => {
        if (!call.endsWith('lock.tryAcquire')) return;
        server.turn = () => Promise.resolve();
        await rollBack();
      };
      expect(await failure(late.up())).to.include({ code: 'HISTORY_CONFLICT' });
      expect(applied()).to.deep.equal([A]);
      expect(server.holder).to.equal(undefined);
    });

    it('reports in a dry run what would end it, and ends nothing', async () => {
      await rollBack();
      const next = run(FILES, 'shop/9@2');
      await next.up({ dryRun: true });
      expect(next.recorder.of('hold.ended').map(({ dryRun }) => dryRun)).to.deep.equal([true, true]);
      expect(await upFails('shop@2')).to.include({ code: 'HISTORY_CONFLICT' });
      expect(await failure(run(FILES, 'shop@2').up({ dryRun: true }))).to.include({ code: 'HISTORY_CONFLICT' });
    });

    it('covers the finished part of a rollback that failed', async () => {
      server.beforeSql = (sql) => {
        if (sql.includes('t_002_b')) throw new Error('the client dies');
      };
      const job = run(FILES, 'shop/8@1', 'rb-1');
      await failure(job.down(toA, {}, { hold: true }));
      expect(job.recorder.of('rollback.held').map(({ versions }) => versions)).to.deep.equal([[C]]);
      expect(await upFails('shop@2')).to.include({ code: 'HISTORY_CONFLICT' });
    });
  });

  describe('that holds nothing', () => {
    it('reports that, and the next up applies the version again', async () => {
      const person = run();
      await person.down(toA, {}, { reason: 'trying', hold: false });
      expect(person.recorder.of('rollback.not-held')).to.deep.equal([{ type: 'rollback.not-held', versions: [C, B] }]);
      expect(server.contents.journal.findLast(({ event }) => event === 'rolled back')?.hold).to.deep.equal({
        reason: 'trying',
      });
      await run(FILES, 'shop@2').up();
      expect(applied()).to.deep.equal([A, B, C]);
    });
  });

  describe('wait', () => {
    const wait = (release?: string): Promise<readonly Version[]> =>
      waitUntilApplied(
        {
          runner: { ...runner('wait'), release },
          connectWaitMs: 60_000,
          timeoutMs: 600_000,
          failOnFailure: false,
          signal: new AbortController().signal,
        },
        { database: new FakeDatabase(server), source: source(FILES), clock, reporter: new Recorder() },
      );

    it('ends at once for a held release, with the same message', async () => {
      await rollBack();
      const error = await failure<MigratorError>(wait('shop@2'));
      expect(error).to.include({ code: 'HISTORY_CONFLICT', exit: 22 });
      expect(error.details.problems![0]).to.contain('it locks orders');
    });

    it('waits for a new release to end the hold', async () => {
      await rollBack();
      const work = wait('shop@3');
      await clock.advance(3_000);
      await run(FILES, 'shop/9@3').up();
      expect(await clock.until(work)).to.deep.equal([A, B, C]);
    });
  });

  describe('status', () => {
    it('reports held versions', async () => {
      await rollBack();
      const options = { runner: runner('status'), connectWaitMs: 0, signal: new AbortController().signal };
      const status = await readStatus(options, {
        database: new FakeDatabase(server),
        source: source(FILES),
        clock,
        reporter: new Recorder(),
        parser: fakeParser,
      });
      expect(status.map(({ state, hold }) => [state, hold?.by, hold?.reason])).to.deep.equal([
        ['applied', undefined, undefined],
        ['held', 'rb-1', 'it locks orders'],
        ['held', 'rb-1', 'it locks orders'],
      ]);
    });
  });

  describe('repair', () => {
    const mend = (wish: Parameters<typeof planRepair>[1], dryRun = false) =>
      repair(
        {
          runner: runner('repair'),
          connectWaitMs: 0,
          lockWaitMs: 0,
          signal: new AbortController().signal,
          wish,
          dryRun,
        },
        {
          database: new FakeDatabase(server),
          source: source(FILES),
          clock,
          reporter: new Recorder(),
          parser: fakeParser,
        },
      );

    it('ends holds after it reports them', async () => {
      await rollBack();
      const nothing = await mend({});
      expect(nothing.steps).to.deep.equal([]);
      expect(nothing.left.map((sentence) => sentence.slice(0, 16))).to.deep.equal([
        `${B} stays held`,
        `${C} stays held`,
      ]);
      const planned = await mend({ only: C }, true);
      expect(planned.steps[0]!.action).to.match(/end the hold.*003_c was rolled back by rb-1.*it locks orders/);
      expect(await upFails('shop@2')).to.include({ code: 'HISTORY_CONFLICT' });
      await mend({ only: B });
      expect((await upFails('shop@2')).details.problems).to.have.length(1);
      await mend({ only: C });
      await run(FILES, 'shop@2').up();
      expect(applied()).to.deep.equal([A, B, C]);
    });
  });

  describe('by steps', () => {
    it('counts from the versions applied at the start', async () => {
      const [first, second] = [run(), run(FILES, undefined, 'pod-b')];
      server.turn = async (call) => {
        if (!call.endsWith('lock.tryAcquire')) return;
        server.turn = () => Promise.resolve();
        await first.down(ONE);
      };
      const error = await failure<MigratorError>(second.down(ONE));
      expect(error).to.include({ code: 'ROLLBACK_REFUSED' });
      expect(error.details.problems).to.deep.equal(['--steps meant 003_c, and would now roll back 002_b']);
      expect(applied()).to.deep.equal([A, B]);
    });
  });

  describe('to a version, twice at once', () => {
    it('rolls back once', async () => {
      const [first, second] = [run(), run(FILES, undefined, 'pod-b')];
      server.turn = async (call) => {
        if (!call.endsWith('lock.tryAcquire')) return;
        server.turn = () => Promise.resolve();
        await first.down(toA);
      };
      expect((await second.down(toA)).done).to.deep.equal([]);
      expect(applied()).to.deep.equal([A]);
    });
  });

  describe('while another run applies', () => {
    it('waits even when there is nothing to roll back yet', async () => {
      const other = server.stranger('lockstep up 1.0.0 pod-z');
      server.holder = other;
      const job = run();
      const work = job.down({ kind: 'version', version: C });
      await clock.advance(2_000);
      expect(job.recorder.of('lock.waiting')).to.have.length(1);
      server.record('004_d', 'checksum');
      server.storeDown(migration('004_d'));
      server.contents = { ...server.contents, tables: new Set([...server.contents.tables, 't_004_d']) };
      server.holder = undefined;
      expect((await clock.until(work)).done.map(({ version }) => version)).to.deep.equal(['004_d']);
    });
  });

  describe('without a target', () => {
    const refusal = (database: FakeDatabase): Promise<MigratorError> =>
      withoutTarget({ runner: runner('down'), signal: new AbortController().signal }, () => ({
        database,
        clock,
        reporter: new Recorder(),
      }));

    it('is refused with a list of possible targets', async () => {
      const error = await refusal(new FakeDatabase(server));
      expect(error).to.include({ code: 'ROLLBACK_REFUSED', exit: 24 });
      expect(error.summary).to.equal('down needs a target; the newest applied are 003_c, 002_b, 001_a');
      expect(calls()).to.deep.equal(['check', 'check history']);
    });

    it('is refused even when the database is unreachable', async () => {
      const error = await failure<MigratorError>(
        withoutTarget({ runner: runner('down'), signal: new AbortController().signal }, () => {
          throw new Error('no address');
        }).then((refused) => {
          throw refused;
        }),
      );
      expect(error.summary).to.equal('down needs a target');
      expect(error.hint).to.match(/--to VERSION.*--steps N.*--to-files.*--all --confirm DATABASE/);
    });
  });

  it('reports in a dry run which text would run and what it would destroy', async () => {
    server.rows.set('t', 1200);
    const { wouldRun } = await run(FILES.slice(0, 2)).down(toA, { dryRun: true });
    expect(wouldRun!.map(({ version, direction, source: from, sql }) => [version, direction, from, sql])).to.deep.equal(
      [
        [C, 'down', 'stored', 'DROP TABLE t_003_c'],
        [B, 'down', 'file', 'DROP TABLE t_002_b'],
      ],
    );
    expect(applied()).to.deep.equal([A, B, C]);
  });
});
