import { expect } from 'chai';
import fc from 'fast-check';

import { Digest, MAX_EVENTS, type DigestOptions, type EventText } from '../../src/adapters/kubernetes/digest.ts';
import { MAX_NOTE_BYTES } from '../../src/output/events/notes.ts';
import { REASON_OF_FAILURE, REASONS, type Reason } from '../../src/adapters/kubernetes/reasons.ts';
import { wakes } from '../../src/app/kubernetes-events.ts';
import { ERRORS, MigratorError, type ErrorCode } from '../../src/core/errors.ts';
import type { MigratorEvent, MigratorEventOf, MigratorEventType } from '../../src/core/events.ts';

const error = new MigratorError('MIGRATION_FAILED', '007_x.up.sql failed', {
  version: '007_x',
  location: { file: '007_x.up.sql', line: 3, column: 5, text: "UPDATE t SET a = 'row 1'" },
  server: {
    sqlstate: '42704',
    message: 'type "inte" does not exist\nsecond line',
    detail: 'Key (id)=(row 2)',
    hint: 'row 3',
  },
  hint: 'correct the file and run again',
});
const unreachable = new MigratorError('DATABASE_UNAVAILABLE', 'cannot reach db:5432');
const holder = {
  pid: 123,
  applicationName: 'lockstep up 0.1.0 pod-a',
  since: new Date('2024-05-06T07:08:09.000Z'),
  doing: 'up 007_x',
};
const blocker = { pid: 7, applicationName: 'psql', state: 'idle in transaction', query: "SELECT 'row 4'" };
const progress = { phase: 'building index', percent: 42 };

type Facts<T extends MigratorEventType> = Omit<MigratorEventOf<T>, 'type'>;

/** An event of each type, and its Kubernetes Event when it comes first after the plan in the run of a Job. */
const EVENTS: { readonly [T in MigratorEventType]: readonly [Facts<T>, Reason | undefined, string?] } = {
  'database.waiting': [{ attempt: 2, retryInMs: 1500, error: unreachable }, undefined],
  'session.opened': [{ address: 'db:5432', database: 'shop', pid: 7 }, undefined],
  'session.setting-refused': [{ setting: 'x', reason: 'unknown' }, undefined],
  'lock.waiting': [
    { key: '1', waitedMs: 5000, holder },
    'WaitingForLock',
    'Waiting for the lock, held by "lockstep up 0.1.0 pod-a" (pid 123) since 2024-05-06T07:08:09.000Z running up 007_x',
  ],
  'lock.acquired': [{ key: '1', waitedMs: 5000 }, undefined],
  'lock.released': [{ key: '1' }, undefined],
  'lock.waiters-cancelled': [{ waiters: [holder] }, undefined],
  'wait.failed': [{ version: '007_x', failure: { id: '1', at: new Date(0), run: 'r', event: 'failed' } }, undefined],
  'wait.pending': [{ message: 'waiting', pending: ['007_x'] }, undefined],
  'database.ahead': [
    { versions: ['009_z'] },
    'SchemaAhead',
    'The database is ahead: 1 migration applied without a file here: 009_z',
  ],
  'run.planned': [
    { direction: 'up', versions: ['007_x', '008_y'] },
    'MigrationStarted',
    'Applying 2 migrations: 007_x, 008_y',
  ],
  'run.lost': [{ run: 'r', runner: 'pod-b', version: '006_w' }, undefined],
  'migrations.skipped': [{ versions: ['007_x'], direction: 'up' }, undefined],
  'migration.skipped': [{ version: '007_x', direction: 'up' }, undefined],
  'migration.all-skipped': [{ versions: ['007_x'], direction: 'up' }, undefined],
  'migration.started': [{ version: '007_x', direction: 'up' }, undefined],
  'migration.retrying': [{ version: '007_x', attempt: 1, retryInMs: 200, error }, undefined],
  'migration.applied': [{ version: '007_x', durationMs: 12 }, 'MigrationApplied', 'Applied 007_x in 12 ms'],
  'migration.rolled-back': [
    { version: '007_x', durationMs: 1234 },
    'MigrationRolledBack',
    'Rolled back 007_x in 1.2 s',
  ],
  'rollback.held': [{ versions: ['007_x'], reason: undefined }, undefined],
  'rollback.not-held': [{ versions: ['007_x'] }, undefined],
  'hold.ended': [
    { hold: { version: '007_x', at: new Date(0), by: 'rb-1', releases: [] }, because: 'new release', dryRun: false },
    undefined,
  ],
  'migration.baselined': [{ version: '007_x' }, undefined],
  'migration.imported': [{ version: '007_x', as: '7', dryRun: false }, undefined],
  'table.renamed': [{ table: 'a', to: 'a_old', dryRun: false }, undefined],
  'repair.planned': [{ version: '007_x', action: 'accept', dryRun: false }, undefined],
  'migration.failed': [{ version: '007_x', direction: 'up', error }, undefined],
  'statement.finished': [{ version: '007_x', statement: 1, of: 3 }, undefined],
  'statement.running': [
    { version: '007_x', elapsedMs: 10_000, progress, blockers: [blocker] },
    'MigrationProgress',
    'A statement of 007_x has run for 10.0 s, building index 42 %, blocked by "psql" (pid 7)',
  ],
  'index.dropped': [{ version: '007_x', index: 'i' }, undefined],
  'hook.started': [{ version: '007_x' }, undefined],
  'hook.finished': [{ version: '007_x', durationMs: 5 }, undefined],
  'hook.log': [{ version: '007_x', message: 'hello' }, undefined],
  'server.notice': [{ severity: 'NOTICE', message: 'hm' }, undefined],
  warning: [{ message: 'beware' }, undefined],
  'run.finished': [
    { applied: ['007_x'], durationMs: 61_000 },
    'MigrationsCompleted',
    'Applied 1 migration in 61.0 s; the last was 007_x',
  ],
  'tenants.planned': [
    { direction: 'up', schemas: 9, work: 2, withoutHistory: ['a'] },
    'MigrationStarted',
    'Applying in 2 of 9 schemas',
  ],
  'tenants.waiting': [
    { schemas: ['a'], waitedMs: 5000, holder: undefined },
    'WaitingForLock',
    'Waiting for the lock, held by a session that this role cannot see',
  ],
  'tenant.event': [{ schema: 'a', event: { type: 'migration.applied', version: '007_x', durationMs: 1 } }, undefined],
  'tenant.done': [{ schema: 'a', direction: 'up', versions: ['007_x'], durationMs: 20 }, undefined],
  'tenant.failed': [{ schema: 'a', error, again: false }, undefined],
  'tenant.gone': [{ schema: 'a' }, undefined],
  'tenants.finished': [
    {
      direction: 'up',
      dryRun: false,
      durationMs: 1500,
      counts: { total: 9, done: 2, upToDate: 7, failed: 0, notRun: 0, gone: 0 },
    },
    'MigrationsCompleted',
    'Applied in 2 schemas in 1.5 s; nothing to do in 7',
  ],
  'run.failed': [
    { error },
    'MigrationFailed',
    'MIGRATION_FAILED (exit 40): 007_x.up.sql failed (line 3): type "inte" does not exist (SQLSTATE 42704). Next: correct the file and run again',
  ],
};

const ALL = Object.entries(EVENTS).map(([type, [facts, reason, note]]) => ({
  event: { type, ...facts } as MigratorEvent,
  reason,
  note,
}));
const PLANNED: MigratorEvent = { type: 'run.planned', direction: 'up', versions: ['007_x'] };

function digestOf({ direction = 'up', inJob = true, now = () => 0 }: Partial<DigestOptions> = {}): Digest {
  return new Digest({ direction, inJob, now });
}

function tell(digest: Digest, events: readonly MigratorEvent[]): EventText[] {
  return events.flatMap((event) => digest.of(event) ?? []);
}

function failedWith(code: ErrorCode, summary = 'x'): MigratorEvent {
  return { type: 'run.failed', error: new MigratorError(code, summary) };
}

describe('Kubernetes Events of a run', () => {
  it("say the server's words once, where the summary has them already", () => {
    const message = 'password authentication failed for user "shop"';
    const server = { sqlstate: '28P01', message };
    const error = new MigratorError('ACCESS_REFUSED', `cannot log in to db:5432: ${message}`, { server });
    expect(digestOf().of({ type: 'run.failed', error })?.note).to.equal(
      `ACCESS_REFUSED (exit 23): cannot log in to db:5432: ${message} (SQLSTATE 28P01)`,
    );
  });

  for (const { event, reason, note } of ALL) {
    it(`${event.type}: ${reason ?? 'none'}`, () => {
      const digest = digestOf();
      if (event.type !== 'run.planned') digest.of(PLANNED);
      const digested = digest.of(event);
      expect(digested).to.deep.equal(reason === undefined ? undefined : { reason, note });
    });
  }

  it('of a failure, by its code', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      expect(digestOf().of(failedWith(code))?.reason, code).to.equal(REASON_OF_FAILURE[code]);
      expect(REASONS[REASON_OF_FAILURE[code]].type, code).to.equal('Warning');
    }
    const names = [
      'HISTORY_CONFLICT',
      'LOCK_TIMEOUT',
      'DATABASE_UNAVAILABLE',
      'ROLLBACK_REFUSED',
      'INTERRUPTED',
      'MIGRATION_FAILED',
    ] as const;
    expect(names.map((code) => REASON_OF_FAILURE[code])).to.deep.equal([
      'HistoryConflict',
      'LockTimeout',
      'DatabaseUnreachable',
      'RollbackRefused',
      'Interrupted',
      'MigrationFailed',
    ]);
  });

  it('begin with the target of a fleet', () => {
    const digest = new Digest({ direction: 'up', target: 'eu-1', inJob: true, now: () => 0 });
    expect(digest.of({ type: 'run.failed', error }))
      .to.have.property('note')
      .that.matches(/^eu-1: MIGRATION_FAILED /);
  });

  it('of a rollback: started, each step, completed', () => {
    const digested = tell(digestOf({ direction: 'down' }), [
      { type: 'run.planned', direction: 'down', versions: ['2_b', '1_a'] },
      { type: 'migration.rolled-back', version: '2_b', durationMs: 1 },
      { type: 'migration.rolled-back', version: '1_a', durationMs: 1 },
      { type: 'run.finished', applied: ['2_b', '1_a'], durationMs: 2 },
    ]);
    expect(digested.map(({ reason }) => reason)).to.deep.equal([
      'RollbackStarted',
      'MigrationRolledBack',
      'MigrationRolledBack',
      'RollbackCompleted',
    ]);
    expect(digested.at(-1)?.note).to.equal('Rolled back 2 migrations in 2 ms; the last was 1_a');
  });

  for (const direction of ['up', 'down'] as const) {
    it(`of ${direction} with nothing to do: in a Job only`, () => {
      const events: MigratorEvent[] = [
        { type: 'session.opened', address: 'a', database: 'd', pid: 1 },
        { type: 'warning', message: 'the database is ahead' },
        { type: 'database.ahead', versions: ['9_z'] },
        { type: 'migration.all-skipped', versions: ['1_a', '2_b'], direction },
        { type: 'run.finished', applied: [], durationMs: 1 },
      ];
      expect(tell(digestOf({ direction, inJob: false }), events)).to.deep.equal([]);
      const upToDate =
        direction === 'up'
          ? { reason: 'MigrationsUpToDate', note: 'Nothing to do: 2 migrations already applied' }
          : { reason: 'RollbackCompleted', note: 'Nothing to roll back' };
      expect(tell(digestOf({ direction }), events).slice(1)).to.deep.equal([upToDate]);
    });
  }

  it('of waiting for the lock: once, after 5 s', () => {
    const waited = [0, 4_999, 5_000, 35_000].map(
      (waitedMs): MigratorEvent => ({ type: 'lock.waiting', key: '1', waitedMs, holder: undefined }),
    );
    const digest = digestOf();
    expect(waited.map((event) => digest.of(event)?.reason)).to.deep.equal([
      undefined,
      undefined,
      'WaitingForLock',
      undefined,
    ]);
  });

  it('of an unreachable database: once after 10 s, and when the run gives up', () => {
    let now = 1_000_000;
    const digest = digestOf({ now: () => now });
    const waiting: MigratorEvent = { type: 'database.waiting', attempt: 1, retryInMs: 1, error: unreachable };
    const digested = [0, 9_999, 1, 60_000].map((ms) => {
      now += ms;
      return digest.of(waiting)?.note;
    });
    expect(digested).to.deep.equal([undefined, undefined, 'Still trying to connect: cannot reach db:5432', undefined]);
    expect(digest.of({ type: 'run.failed', error: unreachable })).to.deep.equal({
      reason: 'DatabaseUnreachable',
      note: 'DATABASE_UNAVAILABLE (exit 30): cannot reach db:5432',
    });
  });

  it('of a long statement: at growing intervals, at most five times per statement', () => {
    const running = (seconds: number): MigratorEvent => ({
      type: 'statement.running',
      version: '1_a',
      elapsedMs: seconds * 1000,
      progress: undefined,
      blockers: [],
    });
    const digested = (times: readonly number[]): number[] => {
      const digest = digestOf();
      digest.of(PLANNED);
      return times.filter((time) => digest.of(running(time)) !== undefined);
    };
    expect(digested(Array.from({ length: 100 }, (_, index) => 10 + 30 * index))).to.deep.equal([10, 40, 100, 220, 460]);
    expect(digested([10, 40, 10, 40])).to.deep.equal([10, 40, 10, 40]);
  });

  it('of many migrations: the first ten and the summary', () => {
    const versions = Array.from({ length: 500 }, (_, index) => `${index}_m`);
    const events: MigratorEvent[] = [
      { type: 'run.planned', direction: 'up', versions },
      ...versions.map((version): MigratorEvent => ({ type: 'migration.applied', version, durationMs: 1 })),
      { type: 'run.finished', applied: versions, durationMs: 500 },
    ];
    const digested = tell(digestOf(), events);
    expect(digested.filter(({ reason }) => reason === 'MigrationApplied')).to.have.length(10);
    expect(digested).to.have.length(12);
    expect(digested[0]?.note).to.equal('Applying 500 migrations: 0_m, 1_m, 2_m, …, 499_m');
    expect(digested.at(-1)).to.deep.equal({
      reason: 'MigrationsCompleted',
      note: 'Applied 500 migrations in 500 ms; the last was 499_m',
    });
  });

  it('are at most 20 including the end of the run, each note within its limit', () => {
    const anyEvent = fc.constantFrom(...ALL.map(({ event }) => event));
    fc.assert(
      fc.property(
        fc.array(anyEvent, { maxLength: 200 }),
        fc.boolean(),
        fc.string({ unit: 'binary', maxLength: 3000 }),
        (events, inJob, summary) => {
          let now = 0;
          const digest = digestOf({ inJob, now: () => (now += 3_000) });
          const before = events.filter(({ type }) => type !== 'run.finished' && type !== 'run.failed');
          const digested = tell(digest, [...before, failedWith('INTERNAL', summary)]);
          expect(digested).to.have.length.within(1, MAX_EVENTS);
          expect(digested.at(-1)?.reason).to.equal('MigrationFailed');
          for (const { note } of digested) expect(Buffer.byteLength(note)).to.be.at.most(MAX_NOTE_BYTES);
        },
      ),
    );
  });

  it('contain no row, no line of SQL, no second line of a server message, no password', () => {
    const secretive = new MigratorError('CONTENTION', 'postgres://u:hunter2@h/d failed', {
      server: { sqlstate: '55P03', message: "ALTER ROLE r PASSWORD 'hunter2' and\nrow 5", detail: 'row 6' },
      blockers: [blocker],
      problems: ["blocked by psql with: SELECT 'row 4'"],
    });
    const failures = [
      error,
      secretive,
      new MigratorError('CONTENTION', 'x', { blockers: [blocker], problems: ['row 7'] }),
    ];
    const notes = failures.map((failure) => digestOf().of({ type: 'run.failed', error: failure })?.note).join('\n');
    expect(notes)
      .to.include('SQLSTATE 55P03')
      .and.not.match(/hunter2|row \d|second line/);
  });

  it('contain each problem of invalid settings or files', () => {
    const wrong = new MigratorError('CONFIG_INVALID', '2 settings are wrong', {
      problems: ['--a: is wrong', 'LOCKSTEP_B: too'],
    });
    expect(digestOf().of({ type: 'run.failed', error: wrong })?.note).to.equal(
      'CONFIG_INVALID (exit 20): 2 settings are wrong: --a: is wrong; LOCKSTEP_B: too',
    );
  });

  it('load the digest at the first reportable event, and not before', () => {
    for (const inJob of [true, false]) {
      let now = 0;
      for (const { event } of ALL) {
        const digest = digestOf({ inJob, now: () => (now += 20_000) });
        // The first event only starts the timer of an unreachable database.
        const digested = [digest.of(event), digest.of(event)].some((one) => one !== undefined);
        expect(wakes(event, inJob), event.type).to.equal(digested);
      }
    }
  });
});
