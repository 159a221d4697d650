import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import type { Migration } from '../../src/core/migration.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import { FakeClock } from '../support/fakes/clock.ts';
import { migration, migrations } from '../support/fakes/files.ts';
import { failure, FakeRun } from '../support/fakes/run.ts';
import { FakeServer, Refusal } from '../support/fakes/server.ts';

const A = '001_a';
const B = '002_b';
const C = '003_c';
const FILES = migrations(A, B, C);
const SIGTERM = new MigratorError('INTERRUPTED', 'SIGTERM');

describe('migrate', () => {
  let clock: FakeClock;
  let server: FakeServer;

  beforeEach(() => {
    clock = new FakeClock();
    server = new FakeServer({ now: () => clock.now() });
  });

  /** Applies the files in a separate run. */
  async function apply(...files: readonly Migration[]): Promise<void> {
    await new FakeRun({ server, clock, files, name: 'before' }).up();
    server.calls.length = 0;
  }

  function newRun(
    files: readonly Migration[] = FILES,
    more: Partial<ConstructorParameters<typeof FakeRun>[0]> = {},
  ): FakeRun {
    return new FakeRun({ server, clock, files, ...more });
  }

  const calls = (): string[] => server.calls.map((call) => call.replace(/^\d+ /, ''));
  const applied = (): string[] => [...(server.contents.history?.keys() ?? [])];
  const journal = (): string[] =>
    server.contents.journal.map(({ event, version }) => (version === undefined ? event : `${event} ${version}`));
  const types = ({ recorder }: FakeRun): string[] => recorder.events.map(({ type }) => type);
  const step = (version: string, direction = 'up') => ({ version, direction, durationMs: 0 });

  /** The outcome of a whole run; the error of a failed run carries it. */
  function outcome(more: Partial<Outcome> = {}): Outcome {
    return {
      command: 'up',
      done: [],
      notRun: [],
      skipped: [],
      pending: [],
      warnings: [],
      dryRun: false,
      waitedMs: 0,
      durationMs: 0,
      ...more,
    };
  }

  /** Makes the server answer the first `times` uses of `sql` with an error. */
  function refuse(sql: string, sqlstate: string, times = 1): void {
    let left = times;
    server.beforeSql = (sent) => {
      if (!sent.includes(sql) || left === 0) return;
      left -= 1;
      throw new Refusal(sqlstate, 'no');
    };
  }

  describe('up', () => {
    it('applies pending migrations in order and reports them', async () => {
      const run = newRun();
      expect(await run.up()).to.deep.equal(outcome({ done: [step(A), step(B), step(C)] as Outcome['done'] }));
      expect(applied()).to.deep.equal([A, B, C]);
      expect([...server.contents.tables]).to.deep.equal(['t_001_a', 't_002_b', 't_003_c']);
      expect(types(run)).to.deep.equal([
        'session.opened',
        'lock.acquired',
        'run.planned',
        ...FILES.flatMap(() => ['migration.started', 'migration.applied']),
        'lock.released',
        'run.finished',
      ]);
      expect(journal()).to.deep.equal([
        'run started',
        ...[A, B, C].flatMap((version) => [`started ${version}`, `applied ${version}`]),
        'run ended',
      ]);
      expect(server.holder).to.equal(undefined);
      expect(server.peers.size).to.equal(0);
    });

    it('looks for the place of the next run when it has released the lock, so that nobody waits for that', async () => {
      server.placeOfNextRun = 'search_path is another now';
      expect((await newRun().up()).warnings).to.deep.equal(['search_path is another now']);
      expect(calls().slice(-2)).to.deep.equal(['lock.release', 'history.placeOfNextRun']);
      await newRun().up();
      expect(calls().slice(-2)).to.deep.equal(['check', 'check history']);
    });

    it('skips applied migrations and reports each', async () => {
      await apply(FILES[0]!, FILES[1]!);
      const run = newRun();
      expect(await run.up()).to.deep.equal(outcome({ done: [step(C)] as Outcome['done'], skipped: [A, B] }));
      expect(run.recorder.of('migration.skipped').map(({ version }) => version)).to.deep.equal([A, B]);
      expect(run.recorder.of('run.planned')).to.deep.equal([{ type: 'run.planned', direction: 'up', versions: [C] }]);
    });

    it('reports more than ten skipped migrations together', async () => {
      const many = migrations(...Array.from({ length: 12 }, (_, index) => `${index + 1}_x`));
      await apply(...many.slice(0, 11));
      const run = new FakeRun({ server, clock, files: many });
      await run.up();
      expect(run.recorder.of('migration.skipped')).to.deep.equal([]);
      expect(run.recorder.of('migrations.skipped').map(({ versions }) => versions.length)).to.deep.equal([11]);
    });

    it('checks once and takes no lock when nothing is pending, and reports that once', async () => {
      await apply(...FILES);
      const run = newRun();
      expect(await run.up()).to.deep.equal(outcome({ skipped: [A, B, C] }));
      expect(calls()).to.deep.equal(['check', 'check history']);
      expect(run.recorder.events.slice(1)).to.deep.equal([
        { type: 'migration.all-skipped', versions: [A, B, C], direction: 'up' },
        { type: 'run.finished', direction: 'up', applied: [], durationMs: 0 },
      ]);
    });

    it('stops at the target', async () => {
      expect(await newRun().up({}, B)).to.deep.equal(
        outcome({ done: [step(A), step(B)] as Outcome['done'], pending: [C] }),
      );
      expect(applied()).to.deep.equal([A, B]);
    });

    it('reports an earlier run that ended without a record, once', async () => {
      server.contents = { ...server.contents, history: new Map() };
      server.write({ run: 'dead', event: 'run started', runner: 'pod-x' });
      server.write({ run: 'dead', event: 'started', version: A, direction: 'up' });
      const run = newRun();
      await run.up();
      expect(run.recorder.of('run.lost')).to.deep.equal([
        { type: 'run.lost', run: 'dead', runner: 'pod-x', version: A },
      ]);
      const again = newRun([...FILES, migration('004_d')]);
      await again.up();
      expect(again.recorder.of('run.lost')).to.deep.equal([]);
    });

    it('completes checksums that the original Go runner did not write', async () => {
      server.contents = { ...server.contents, history: new Map([[A, { version: A }]]) };
      await newRun().up();
      expect(server.contents.history?.get(A)?.checksum).to.equal(FILES[0]!.up.checksum);
    });

    it('reports each warning once, even when it plans again', async () => {
      await apply(FILES[0]!, FILES[2]!);
      const run = newRun();
      const { warnings } = await run.up();
      expect(warnings).to.have.length(1);
      expect(run.recorder.of('warning').map(({ message }) => message)).to.deep.equal(warnings);
    });

    it('plans again under the lock', async () => {
      const run = newRun();
      server.turn = async (label) => {
        // A session without the lock changes the history in between.
        if (label.endsWith('lock.tryAcquire') && applied().length === 0) {
          server.contents = { ...server.contents, history: new Map([[A, { version: A }]]) };
        }
      };
      const { done, skipped } = await run.up();
      expect(done.map(({ version }) => version)).to.deep.equal([B, C]);
      expect(skipped).to.deep.equal([A]);
    });
  });

  describe('a failure', () => {
    it('reports what was done, what failed, and what did not run', async () => {
      refuse('t_002_b', '42601');
      const run = newRun();
      const error = await failure<MigratorError>(run.up());
      expect(error).to.include({ code: 'MIGRATION_FAILED', exit: 40 });
      expect(error.details.server?.sqlstate).to.equal('42601');
      expect(error.details.outcome).to.deep.equal(
        outcome({ done: [step(A)] as Outcome['done'], notRun: [C], pending: [B, C], failedVersion: B }),
      );
      expect(applied()).to.deep.equal([A]);
      expect(run.recorder.of('migration.failed')).to.have.length(1);
      expect(types(run)).to.include('lock.released').and.not.include('run.finished');
      expect(journal().slice(-3)).to.deep.equal([`started ${B}`, `failed ${B}`, 'run ended']);
      expect(server.contents.journal.at(-1)).to.deep.include({
        code: 'MIGRATION_FAILED',
        error: '002_b.up.sql failed: no (42601)',
      });
      expect(server.peers.size).to.equal(0);
    });

    it('is not hidden by a later failure', async () => {
      refuse('t_001_a', '42601');
      server.turn = async (label) => {
        if (/recordFailure|endRun|release/.test(label)) throw new Error('fails too');
      };
      expect(await failure<MigratorError>(newRun().up())).to.include({ code: 'MIGRATION_FAILED' });
    });

    it('keeps user rows out of the journal', async () => {
      refuse('t_001_a', '23505');
      await failure(newRun().up());
      expect(JSON.stringify(server.contents.journal)).to.not.include('DETAIL');
    });

    it('of the plan is reported before the lock, with every problem', async () => {
      await apply(migration(A, 'SELECT 1'), migration(B, 'SELECT 2'));
      const run = newRun();
      const error = await failure<MigratorError>(run.up());
      expect(error).to.include({ code: 'HISTORY_CONFLICT', exit: 22 });
      expect(error.details.problems).to.deep.equal([`changed after it was applied: ${A}, ${B}`]);
      expect(calls()).to.deep.equal(['check', 'check history']);
    });

    it('of the files is reported before anything runs, with every problem and location', async () => {
      const files = [migration(A), migration(B, 'SELECT 1;\nDISCARD ALL'), migration(C, 'DISCARD ALL')];
      const error = await failure<MigratorError>(newRun(files).up());
      expect(error).to.include({ code: 'MIGRATIONS_INVALID', exit: 21 });
      expect(error.details.problems).to.have.length(2);
      expect(error.details.problems?.[0]).to.match(/^002_b\.up\.sql:2:1: DISCARD ALL/);
      expect(applied()).to.deep.equal([]);
      expect(journal()).to.deep.equal([]);
      expect(error.details.outcome).to.deep.include({ done: [], notRun: [A, B, C], pending: [A, B, C] });
    });

    it('to get the lock names the pending versions', async () => {
      server.holder = server.stranger();
      const error = await failure<MigratorError>(clock.until(newRun().up({ lockWaitMs: 1_000 })));
      expect(error.code).to.equal('LOCK_TIMEOUT');
      expect(error.details.outcome).to.deep.include({ done: [], pending: [A, B, C] });
    });

    it('to connect carries an outcome', async () => {
      const run = newRun();
      run.database.refusals.push(new MigratorError('ACCESS_REFUSED', 'wrong password'));
      const error = await failure<MigratorError>(run.up());
      expect(error.code).to.equal('ACCESS_REFUSED');
      expect(error.details.outcome).to.deep.equal(outcome());
    });

    it('of the connection during a migration leaves its outcome unknown and stops the run', async () => {
      for (const at of ['executor.begin', 'executor.transaction', 'executor.transaction answered']) {
        server = new FakeServer();
        const run = newRun();
        server.turn = async (label) => {
          if (label === `1 ${at}` && applied().length <= 1) run.database.opened[0]!.lose();
        };
        const error = await failure<MigratorError>(run.up());
        expect(error).to.include({ code: 'OUTCOME_UNKNOWN', exit: 34 });
        expect(error.details.outcome).to.deep.include({
          done: [],
          notRun: [B, C],
          pending: [A, B, C],
          failedVersion: A,
        });
        expect(calls().at(-1)).to.equal(at);
        expect(types(run)).to.not.include('lock.released');
      }
    });

    it('of the connection between two migrations leaves no outcome unknown', async () => {
      const run = newRun();
      const report = run.recorder.report.bind(run.recorder);
      run.recorder.report = (event) => {
        report(event);
        if (event.type === 'migration.applied') run.database.opened[0]!.lose();
      };
      const error = await failure<MigratorError>(run.up());
      expect(error).to.include({ code: 'DATABASE_UNAVAILABLE', exit: 30 });
      expect(error.details.outcome).to.deep.include({ done: [step(A)], pending: [B, C] });
      expect(applied()).to.deep.equal([A]);
    });

    it('to get a table lock is retried', async () => {
      refuse('t_002_b', '55P03', 3);
      const run = newRun();
      const { done, durationMs } = await clock.until(run.up());
      expect(done.map(({ version }) => version)).to.deep.equal([A, B, C]);
      expect(run.recorder.of('migration.retrying').map(({ retryInMs }) => retryInMs)).to.deep.equal([200, 400, 800]);
      expect(durationMs).to.equal(1_400);
      expect(done[1]!.durationMs).to.equal(1_400);
    });

    it('to get a table lock is not retried for a data statement', async () => {
      refuse('INSERT', '55P03');
      const run = newRun([migration(A, 'INSERT INTO t')]);
      expect(await failure<MigratorError>(run.up())).to.include({ code: 'CONTENTION', exit: 32 });
      expect(run.recorder.of('migration.retrying')).to.deep.equal([]);
    });

    it('that the server reports for a statement outside a transaction allows another run', async () => {
      const files = [migration(A, 'CREATE DATABASE d')];
      refuse('CREATE DATABASE', '42P04');
      expect(await failure<MigratorError>(newRun(files).up())).to.include({ code: 'MIGRATION_FAILED' });
      expect((await newRun(files).up()).done).to.deep.equal([step(A)]);
    });
  });

  describe('a statement whose outcome is unknown', () => {
    it('stays unknown on every further try', async () => {
      const files = [migration(A, 'CREATE DATABASE d')];
      const first = newRun(files);
      server.beforeSql = () => first.database.opened[0]!.lose();
      expect(await failure<MigratorError>(first.up())).to.include({ code: 'OUTCOME_UNKNOWN' });
      server.beforeSql = () => {
        throw new Error('it ran again');
      };
      for (const _try of [1, 2, 3]) {
        expect(await failure<MigratorError>(newRun(files).up())).to.include({ code: 'MIGRATION_INCOMPLETE', exit: 41 });
      }
    });
  });

  describe('a migration that has failed in this release', () => {
    const PAUSING = { pausesAfterFailure: true };
    const pod = (files = FILES, release = 'shop@1.0'): FakeRun => newRun(files, { release });

    it('is not retried during a pause that doubles, and the error names the time of the next try', async () => {
      server.beforeSql = (sql) => {
        if (sql.includes('t_001_a')) throw new Refusal('42601', 'no');
      };
      for (const pauseMs of [30_000, 60_000, 120_000]) {
        expect(await failure<MigratorError>(pod().up(PAUSING))).to.have.nested.property(
          'details.server.sqlstate',
          '42601',
        );
        server.calls.length = 0;
        await clock.advance(pauseMs - 1);
        const error = await failure<MigratorError>(pod().up(PAUSING));
        expect(error).to.include({ code: 'MIGRATION_FAILED', exit: 40 });
        expect(error.summary).to.include(new Date(clock.now() + 1).toISOString());
        expect(error.details.problems?.join()).to.include('001_a.up.sql failed: no (42601)');
        expect(calls()).to.not.include('lock.tryAcquire').and.not.include('executor.begin');
        await clock.advance(1);
      }
    });

    const tried: [name: string, run: () => FakeRun, options: object][] = [
      ['by a run that does not pause', () => pod(), {}],
      ['in another release', () => pod(FILES, 'shop@1.1'), PAUSING],
      ['when its text has changed', () => pod([migration(A, 'CREATE TABLE other'), ...FILES.slice(1)]), PAUSING],
    ];
    for (const [name, run, options] of tried) {
      it(`is retried at once ${name}`, async () => {
        refuse('t_001_a', '42601');
        await failure(pod().up(PAUSING));
        expect((await run().up(options)).done).to.have.length(3);
      });
    }

    it('is cleared once the migration is applied', async () => {
      refuse('t_001_a', '42601');
      await failure(pod().up(PAUSING));
      await clock.advance(30_000);
      await pod().up(PAUSING);
      await pod().down({ kind: 'all', database: 'shop' }, {}, { hold: false });
      expect((await pod().up(PAUSING)).done).to.have.length(3);
    });

    it('makes a run wait for the lock holder, which may apply it', async () => {
      refuse('t_001_a', '42601');
      await failure(pod().up(PAUSING));
      const holder = server.stranger('lockstep up 1.0.0 pod-z');
      server.holder = holder;
      const work = pod().up(PAUSING);
      await clock.advance(5_000);
      for (const { version, up } of FILES) server.record(version, up.checksum);
      expect((await clock.until(work)).skipped).to.deep.equal([A, B, C]);
    });

    it('is not retried by a run that reads of the failure only under the lock', async () => {
      const facts = {
        run: 'r',
        version: A,
        direction: 'up',
        checksum: FILES[0]!.up.checksum,
        release: 'shop@1.0',
      } as const;
      server.turn = async (label) => {
        if (label.endsWith('lock.tryAcquire'))
          server.write({ ...facts, event: 'failed', code: 'MIGRATION_FAILED', error: 'no' });
      };
      expect(await failure<MigratorError>(pod().up(PAUSING))).to.include({ code: 'MIGRATION_FAILED' });
      expect(calls()).to.include('lock.release').and.not.include('executor.begin');
    });

    it('is reported with its own code', async () => {
      refuse('t_001_a', '57014');
      for (const words of [/failed$/, /failed once in this release/]) {
        const error = await failure<MigratorError>(pod().up(PAUSING));
        expect(error).to.include({ code: 'CONTENTION' });
        expect(error.summary).to.match(words);
      }
    });
  });

  describe('a dry run', () => {
    it('reports what would be done and changes nothing', async () => {
      await apply(FILES[0]!);
      const before = server.contents;
      const run = newRun();
      const wouldRun = [B, C].map(
        (version) =>
          ({ version, direction: 'up', source: 'file', sql: `CREATE TABLE t_${version}`, losses: [] }) as const,
      );
      expect(await run.up({ dryRun: true })).to.deep.equal(
        outcome({ notRun: [B, C], skipped: [A], pending: [B, C], dryRun: true, wouldRun }),
      );
      expect(server.contents).to.equal(before);
      expect(calls()).to.deep.equal(['check', 'check history', 'journal.heldVersions']);
      expect(types(run)).to.deep.equal(['session.opened']);
    });

    it('does not wait for the lock holder', async () => {
      server.holder = server.stranger('lockstep down 1.0.0 pod-z');
      expect((await newRun().up({ dryRun: true })).notRun).to.deep.equal([A, B, C]);
      expect(server.contents.history).to.equal(undefined);
    });

    it('works on a standby', async () => {
      server.writesRefused = 'standby';
      expect((await newRun().up({ dryRun: true })).notRun).to.deep.equal([A, B, C]);
    });

    it('refuses what the run would refuse', async () => {
      await apply(migration(A, 'SELECT 1'));
      expect(await failure<MigratorError>(newRun().up({ dryRun: true }))).to.include({ code: 'HISTORY_CONFLICT' });
    });
  });

  describe('while another session holds the lock', () => {
    it('returns at once when nothing is pending and the holder is an up', async () => {
      await apply(...FILES);
      server.holder = server.stranger('lockstep up 1.0.0 pod-z');
      expect((await newRun().up()).skipped).to.deep.equal([A, B, C]);
      expect(calls()).to.deep.equal(['check', 'check history']);
    });

    it('returns as soon as that up has applied everything, before it releases', async () => {
      await apply(FILES[0]!);
      const holder = server.stranger('lockstep up 1.0.0 pod-z');
      server.holder = holder;
      const run = newRun();
      const work = run.up();
      await clock.advance(1_500);
      for (const { version, up } of FILES.slice(1)) server.record(version, up.checksum);
      const { done, skipped, waitedMs } = await clock.until(work);
      expect({ done, skipped, waitedMs }).to.deep.equal({ done: [], skipped: [A, B, C], waitedMs: 0 });
      expect(server.holder).to.equal(holder);
      expect(calls()).to.not.include('lock.tryAcquire');
    });

    for (const name of ['lockstep down 1.0.0 pod-z', 'lockstep baseline 1.0.0 pod-z', 'golang-migrate', '']) {
      it(`waits for ${name === '' ? 'a session without a name' : name}, even when nothing is pending`, async () => {
        await apply(...FILES);
        const holder = server.stranger(name);
        server.holder = holder;
        const work = newRun().up();
        await clock.advance(20_000);
        server.forget(C);
        server.execute('DROP TABLE t_003_c', holder);
        server.dismiss(holder);
        const { done } = await clock.until(work);
        expect(done.map(({ version }) => version)).to.deep.equal([C]);
      });
    }

    it('does not trust a plan made during a rollback', async () => {
      await apply(...FILES);
      const holder = server.stranger('lockstep down 1.0.0 pod-z');
      server.holder = holder;
      // The files changed, but the rollback is about to remove their applied versions.
      const run = newRun([migration(A, 'SELECT 1'), migration(B)]);
      const work = run.up();
      await clock.advance(2_000);
      for (const version of [A, B, C]) {
        server.forget(version);
        server.write({ run: 'r', event: 'rolled back', version, direction: 'down' });
      }
      server.execute('DROP TABLE t_002_b', holder);
      server.dismiss(holder);
      expect((await clock.until(work)).done).to.have.length(2);
    });

    it('reports how long it waited', async () => {
      const holder = server.stranger();
      server.holder = holder;
      const run = newRun();
      const work = run.up();
      await clock.advance(7_500);
      server.dismiss(holder);
      expect((await clock.until(work)).waitedMs).to.equal(8_000);
      expect(run.recorder.of('lock.acquired')[0]!.waitedMs).to.equal(8_000);
    });
  });

  describe('a signal', () => {
    /** Aborts the run when the server gets `sql`; the statement then never ends by itself. */
    function interruptAt(run: FakeRun, sql: string, reason: Error = SIGTERM): void {
      server.beforeSql = (sent) => {
        if (!sent.includes(sql)) return;
        run.interrupt(reason);
        throw new Refusal('57014', 'canceling statement due to user request');
      };
    }

    it('cancels the running statement, rolls it back, and releases the lock', async () => {
      const run = newRun();
      interruptAt(run, 't_002_b');
      const error = await failure<MigratorError>(run.up());
      expect(error).to.include({ code: 'INTERRUPTED', exit: 143, summary: 'SIGTERM while 002_b was running' });
      expect(error.details.version).to.equal(B);
      expect(error.details.outcome).to.deep.include({
        done: [step(A)],
        notRun: [C],
        pending: [B, C],
        failedVersion: B,
      });
      expect(applied()).to.deep.equal([A]);
      expect(server.holder).to.equal(undefined);
      expect(calls()).to.include('lock.release');
      expect(run.database.opened.map(({ closed }) => closed)).to.deep.equal([true]);
    });

    it('reports a migration that committed nevertheless as applied', async () => {
      const run = newRun();
      server.beforeSql = (sql) => {
        if (sql.includes('t_002_b')) run.interrupt(SIGTERM);
      };
      // The cancel request arrives too late.
      const open = run.database.open.bind(run.database);
      run.database.open = async (...args) => {
        const session = await open(...args);
        session.interrupt = () => Promise.resolve();
        return session;
      };
      const error = await failure<MigratorError>(run.up());
      expect(error.code).to.equal('INTERRUPTED');
      expect(error.details.outcome).to.deep.include({ done: [step(A), step(B)], notRun: [C], pending: [C] });
      expect(applied()).to.deep.equal([A, B]);
      // The journal already recorded the start of the next migration.
      const ofNext = server.contents.journal.filter(({ version }) => version === C);
      expect(ofNext.map(({ event, code }) => [event, code])).to.deep.equal([
        ['started', undefined],
        ['failed', 'INTERRUPTED'],
      ]);
    });

    it('before the start ends the run without a database call', async () => {
      const run = newRun();
      run.interrupt(SIGTERM);
      expect(await failure<MigratorError>(run.up())).to.include({ code: 'INTERRUPTED' });
      expect(calls()).to.deep.equal([]);
    });

    it('with any reason of an embedding program is not reported as a bug', async () => {
      for (const reason of [
        new DOMException('This operation was aborted', 'AbortError'),
        new Error('the test is over'),
      ]) {
        server = new FakeServer();
        const run = newRun();
        interruptAt(run, 't_001_a', reason);
        expect(await failure<MigratorError>(run.up())).to.include({ code: 'INTERRUPTED' });
      }
    });
  });

  describe('a hook', () => {
    it('runs before its migration only', async () => {
      await apply(FILES[0]!);
      const seen: string[] = [];
      const hook = (version: string) => (): void => {
        seen.push(`${version} after ${applied().join()}`);
      };
      const run = newRun(FILES, { hooks: { [A]: hook(A), [B]: hook(B) } });
      await run.up();
      expect(seen).to.deep.equal([`${B} after ${A}`]);
      expect(types(run).filter((type) => type.startsWith('hook.'))).to.deep.equal(['hook.started', 'hook.finished']);
    });

    it('does not run in a rollback or in a dry run', async () => {
      const hook = (): void => {
        throw new Error('it ran');
      };
      await newRun([FILES[0]!], { hooks: { [A]: hook } }).up({ dryRun: true });
      await apply(FILES[0]!);
      await newRun([FILES[0]!], { hooks: { [A]: hook } }).down({ kind: 'steps', count: 1 });
      expect(applied()).to.deep.equal([]);
    });

    it('that throws stops the run before its migration', async () => {
      const hook = (): void => {
        throw new MigratorError('HOOK_FAILED', 'it threw');
      };
      const error = await failure<MigratorError>(newRun(FILES, { hooks: { [B]: hook } }).up());
      expect(error).to.include({ code: 'HOOK_FAILED', exit: 35 });
      expect(error.details.outcome).to.deep.include({ done: [step(A)], notRun: [C], failedVersion: B });
      expect(applied()).to.deep.equal([A]);
    });

    it('gets an aborted signal when the session is lost, and its migration does not run', async () => {
      let stopped = false;
      const run = newRun([FILES[0]!], {
        hooks: {
          [A]: (signal) => {
            signal.addEventListener('abort', () => (stopped = true));
            run.database.opened[0]!.lose();
          },
        },
      });
      const error = await failure<MigratorError>(run.up());
      expect(error.code).to.equal('DATABASE_UNAVAILABLE');
      expect(stopped).to.equal(true);
      expect(types(run)).to.not.include('hook.finished');
      expect(calls()).to.not.include('executor.begin');
    });

    it('that fails because the connection was lost is not reported as the cause', async () => {
      const hook = (): void => {
        server.turn = async (call) => {
          if (call.endsWith(' check')) run.database.opened[0]!.lose();
          await Promise.resolve();
        };
        throw new MigratorError('HOOK_FAILED', 'its connection was terminated');
      };
      const run = newRun([FILES[0]!], { hooks: { [A]: hook } });
      expect(await failure<MigratorError>(run.up())).to.include({ code: 'DATABASE_UNAVAILABLE' });
    });

    it('does not run when the session was lost just before', async () => {
      const seen: string[] = [];
      const run = newRun(FILES, { hooks: { [B]: () => void seen.push(B) } });
      const report = run.recorder.report.bind(run.recorder);
      run.recorder.report = (event) => {
        report(event);
        if (event.type === 'migration.applied') run.database.opened[0]!.lose();
      };
      expect(await failure<MigratorError>(run.up())).to.include({ code: 'DATABASE_UNAVAILABLE' });
      expect(seen).to.deep.equal([]);
      expect(types(run)).to.not.include('hook.started');
    });

    it('that was interrupted prevents its migration', async () => {
      const run = newRun([FILES[0]!], { hooks: { [A]: () => run.interrupt(SIGTERM) } });
      expect(await failure<MigratorError>(run.up())).to.include({ code: 'INTERRUPTED' });
      expect(applied()).to.deep.equal([]);
    });
  });

  describe('down', () => {
    const steps = (count: number) => ({ kind: 'steps', count }) as const;

    beforeEach(() => apply(...FILES));

    it('rolls back the newest first', async () => {
      const run = newRun();
      expect(await run.down({ kind: 'version', version: A })).to.deep.equal(
        outcome({ command: 'down', done: [step(C, 'down'), step(B, 'down')] as Outcome['done'], pending: [B, C] }),
      );
      expect(applied()).to.deep.equal([A]);
      expect([...server.contents.tables]).to.deep.equal(['t_001_a']);
      expect(run.recorder.of('migration.rolled-back').map(({ version }) => version)).to.deep.equal([C, B]);
      expect(journal().slice(-5)).to.deep.equal([
        `started ${C}`,
        `rolled back ${C}`,
        `started ${B}`,
        `rolled back ${B}`,
        'run ended',
      ]);
    });

    it('reports what is left when it fails', async () => {
      refuse('DROP TABLE t_002_b', '2BP01');
      const error = await failure<MigratorError>(newRun().down({ kind: 'all', database: 'shop' }));
      expect(error.details.outcome).to.deep.include({
        command: 'down',
        done: [step(C, 'down')],
        notRun: [A],
        pending: [C],
        failedVersion: B,
      });
      expect(applied()).to.deep.equal([A, B]);
    });

    it('refuses a confirmed name other than the connected database, before the lock', async () => {
      const error = await failure<MigratorError>(newRun().down({ kind: 'all', database: 'stock' }));
      expect(error).to.include({ code: 'ROLLBACK_REFUSED', exit: 24 });
      expect(calls()).to.deep.equal(['check', 'check history']);
    });

    it('has nothing to do at its target', async () => {
      const run = newRun();
      expect((await run.down({ kind: 'version', version: C })).done).to.deep.equal([]);
      expect(run.recorder.of('migration.all-skipped')).to.deep.equal([
        { type: 'migration.all-skipped', versions: [], direction: 'down' },
      ]);
      expect(calls()).to.deep.equal(['check', 'check history']);
    });

    it('reports in a dry run what it would do and changes nothing', async () => {
      const before = server.contents;
      const result = await newRun().down(steps(2), { dryRun: true });
      expect(result).to.deep.include({ done: [], notRun: [C, B], pending: [], dryRun: true });
      expect(server.contents).to.equal(before);
    });

    it('allows another up', async () => {
      await newRun().down(steps(2));
      expect((await newRun().up()).done).to.have.length(2);
      expect(applied().sort()).to.deep.equal([A, B, C]);
    });
  });

  it('reports the progress of a long statement after 10 s and every 30 s', async () => {
    const blockers = [{ pid: 7, applicationName: 'report' }];
    server.observation = { blockers, progress: { phase: 'building index', percent: 40 } };
    const finished: PromiseWithResolvers<void> = Promise.withResolvers();
    server.beforeSql = () => finished.promise;
    const run = newRun([FILES[0]!]);
    const work = run.up();
    await clock.advance(75_000);
    expect(run.recorder.of('statement.running')).to.deep.equal(
      [10_000, 40_000, 70_000].map((elapsedMs) => ({
        type: 'statement.running',
        version: A,
        elapsedMs,
        ...server.observation,
      })),
    );
    finished.resolve();
    await clock.until(work);
    await clock.advance(100_000);
    expect(run.recorder.of('statement.running')).to.have.length(3);
  });
});
