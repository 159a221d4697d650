import { Writable } from 'node:stream';
import { expect } from 'chai';

import { describeEvent, describeToo } from '../../src/output/log/describe-event.ts';
import { TENANT_DESCRIPTIONS } from '../../src/output/log/describe-tenant-event.ts';
import { MAX_LINE_BYTES } from '../../src/adapters/logs/log-line.ts';
import { createLogReporter, type LogOptions } from '../../src/adapters/logs/log-reporter.ts';
import { Digest } from '../../src/adapters/kubernetes/digest.ts';
import { MAX_NOTE_BYTES } from '../../src/output/events/notes.ts';
import { MigratorError } from '../../src/core/errors.ts';
import type { MigratorEvent, MigratorEventOf, MigratorEventType } from '../../src/core/events.ts';
import { MAX_MESSAGE_BYTES, terminationMessage } from '../../src/output/termination-message.ts';

describeToo(TENANT_DESCRIPTIONS);

const error = new MigratorError('CONTENTION', '007_x did not get its lock', {
  location: { file: '007_x.up.sql', line: 3, column: 5, text: 'ALTER TABLE t' },
  server: { sqlstate: '55P03', message: 'canceling statement due to lock timeout', detail: 'Key (id)=(1)' },
  hint: 'try again later',
});
const since = new Date('2024-05-06T07:08:09.000Z');
const holder = { pid: 123, applicationName: 'lockstep up 0.1.0 pod-a', since, doing: 'up 007_x' };

/** An event of each type and its line in the text format. */
const EVENTS: { readonly [T in MigratorEventType]: readonly [Omit<MigratorEventOf<T>, 'type'>, string] } = {
  'database.waiting': [
    { attempt: 2, retryInMs: 1500, error },
    'waiting for the database: 007_x did not get its lock; retrying in 1.5 s',
  ],
  'session.opened': [{ address: 'db:5432', database: 'shop', pid: 7 }, 'connected: db:5432, database shop, pid 7'],
  'session.setting-refused': [
    { setting: 'x', reason: 'unknown' },
    'the server refused a session setting; continuing without it: x: unknown',
  ],
  'lock.waiting': [
    { key: '1', waitedMs: 5000, holder },
    'waiting for the lock: held by "lockstep up 0.1.0 pod-a" (pid 123) since 2024-05-06T07:08:09.000Z running up 007_x',
  ],
  'lock.acquired': [{ key: '1', waitedMs: 5000 }, 'got the lock: key 1, after 5.0 s'],
  'lock.released': [{ key: '1' }, 'released the lock: key 1'],
  'lock.waiters-cancelled': [
    { waiters: [{ pid: 5, applicationName: '' }] },
    'cancelled runners that were blocked inside PostgreSQL on the lock: a session without a name (pid 5)',
  ],
  'wait.pending': [
    { message: 'waiting for 1 pending: 007_x', pending: ['007_x'] },
    'not up to date yet: waiting for 1 pending: 007_x',
  ],
  'wait.failed': [
    {
      version: '007_x',
      failure: {
        id: '9',
        at: new Date(0),
        run: 'r',
        event: 'failed',
        version: '007_x',
        code: 'MIGRATION_FAILED',
        error: '007_x.up.sql failed: division by zero (22012)',
        file: '007_x.up.sql',
        line: 3,
        sqlstate: '22012',
        runner: 'pod-a',
      },
    },
    'a migration that is waited for has failed: 007_x failed at 1970-01-01T00:00:00.000Z on pod-a (line 3): 007_x.up.sql failed: division by zero (22012)',
  ],
  'database.ahead': [{ versions: ['009_z'] }, 'the database is ahead of these files: 1 migration'],
  'run.planned': [{ direction: 'up', versions: ['007_x', '008_y'] }, 'planned: 2 migrations up'],
  'run.lost': [
    { run: 'r', runner: 'pod-b', version: '006_w' },
    'an earlier run ended without a record: pod-b, at 006_w',
  ],
  'migration.skipped': [{ version: '007_x', direction: 'up' }, 'skipped: nothing to do: up 007_x'],
  'migrations.skipped': [
    { versions: ['007_x', '008_y'], direction: 'up' },
    'skipped several: nothing to do: up, 2 migrations',
  ],
  'migration.all-skipped': [{ versions: ['007_x'], direction: 'up' }, 'nothing to do: 1 migration already applied'],
  'migration.started': [{ version: '007_x', direction: 'down' }, 'running a migration: down 007_x'],
  'migration.retrying': [
    { version: '007_x', attempt: 1, retryInMs: 200, error },
    'could not get a table lock; the migration was rolled back and will be retried: 007_x, attempt 1, retry in 200 ms; canceling statement due to lock timeout',
  ],
  'statement.running': [
    {
      version: '007_x',
      elapsedMs: 10_000,
      progress: { phase: 'building index: scanning table', percent: 42 },
      blockers: [{ pid: 7, applicationName: 'psql', state: 'idle in transaction', query: 'LOCK\n  t' }],
    },
    'a statement is still running: 007_x, 10.0 s, building index: scanning table 42 %, blocked by "psql" (pid 7) idle in transaction with: LOCK t',
  ],
  'migration.applied': [{ version: '007_x', durationMs: 12 }, 'applied: 007_x in 12 ms'],
  'migration.rolled-back': [{ version: '007_x', durationMs: 1234 }, 'rolled back: 007_x in 1.2 s'],
  'rollback.held': [
    { versions: ['007_x', '006_y'], reason: 'it is slow' },
    'held: known releases will not apply it again: 007_x, 006_y (it is slow)',
  ],
  'rollback.not-held': [{ versions: ['007_x'] }, 'not held: the next "up" applies it again: 007_x'],
  'hold.ended': [
    { hold: { version: '007_x', at: since, by: 'rb-1', releases: [] }, because: 'new release', dryRun: false },
    'a hold ends, for every release: new release; 007_x was rolled back by rb-1 at 2024-05-06T07:08:09.000Z',
  ],
  'migration.baselined': [{ version: '007_x' }, 'recorded as applied without running it: 007_x'],
  'migration.imported': [
    { version: '007_x', as: '7', dryRun: false },
    'recorded as applied: 007_x, recorded there as 7',
  ],
  'table.renamed': [
    { table: 'schema_migrations', to: 'schema_migrations_old', dryRun: false },
    "renaming the other tool's table: schema_migrations to schema_migrations_old",
  ],
  'repair.planned': [
    { version: '007_x', action: 'accept the changed file', dryRun: false },
    'repairing: 007_x: accept the changed file',
  ],
  'migration.failed': [
    { version: '007_x', direction: 'up', error },
    'a migration failed: up 007_x: 007_x did not get its lock',
  ],
  'statement.finished': [{ version: '007_x', statement: 1, of: 3 }, 'finished a statement: 007_x, 1 of 3'],
  'index.dropped': [{ version: '007_x', index: 'i' }, 'dropped an invalid index left by a failed build: i of 007_x'],
  'hook.started': [{ version: '007_x' }, 'running a pre-migration hook: 007_x'],
  'hook.finished': [{ version: '007_x', durationMs: 5 }, 'finished a pre-migration hook: 007_x in 5 ms'],
  'hook.log': [{ version: '007_x', message: 'hello' }, 'output of a pre-migration hook: 007_x: hello'],
  'server.notice': [{ severity: 'NOTICE', message: 'hm' }, 'message from the server: NOTICE: hm'],
  warning: [{ message: 'beware' }, 'warning: beware'],
  'run.finished': [{ applied: ['007_x'], durationMs: 61_000 }, 'done: 1 migration in 61.0 s'],
  'tenants.planned': [
    { direction: 'up', schemas: 9, work: 2, withoutHistory: ['a'] },
    'planned the schemas: up in 2 of 9 schemas, 1 of them without a history',
  ],
  'tenants.waiting': [
    { schemas: ['a', 'b'], waitedMs: 5000, holder },
    'waiting for schemas that other runs work in: 2 schemas, the first held by "lockstep up 0.1.0 pod-a" (pid 123) since 2024-05-06T07:08:09.000Z running up 007_x',
  ],
  'tenant.event': [
    { schema: 'a', event: { type: 'migration.started', version: '007_x', direction: 'up' } },
    'running a migration: a: up 007_x',
  ],
  'tenant.done': [
    { schema: 'a', direction: 'up', versions: ['007_x'], durationMs: 20 },
    'finished a schema: a: up 007_x in 20 ms',
  ],
  'tenant.failed': [
    { schema: 'a', error, again: true },
    'a schema failed: a: CONTENTION (exit 32), SQLSTATE 55P03: canceling statement due to lock timeout',
  ],
  'tenant.gone': [{ schema: 'a' }, 'a schema was dropped meanwhile: a'],
  'tenants.finished': [
    {
      direction: 'up',
      dryRun: false,
      durationMs: 1500,
      counts: { total: 9, done: 2, upToDate: 7, failed: 0, notRun: 0, gone: 0 },
    },
    'done with all schemas: 9 schemas in 1.5 s',
  ],
  'run.failed': [{ error }, 'failed: 007_x did not get its lock'],
};

/** The same facts with every text from outside, and every list, at a very large size. */
function grown(value: unknown, text: string): unknown {
  if (value instanceof MigratorError) return enormousError(text);
  if (typeof value === 'string') return text;
  if (Array.isArray(value)) return Array.from({ length: 300 }, () => grown(value[0], text.slice(0, 300)));
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, name === 'type' ? part : grown(part, text)]),
  );
}

function enormousError(text: string): MigratorError {
  const many = Array.from({ length: 300 }, () => text.slice(0, 300));
  return new MigratorError('MIGRATION_FAILED', text, {
    version: text,
    problems: many,
    location: { file: text, line: 1, column: 1, text },
    server: { sqlstate: '22P02', message: text, detail: text, hint: text, where: text },
    holder: { pid: 1, applicationName: text, since, doing: text },
    blockers: many.map((query, pid) => ({ pid, applicationName: query, state: query, query, since })),
    hint: text,
  });
}

const ALL = Object.entries(EVENTS).map(([type, [facts, text]]) => ({
  event: { type, ...facts } as MigratorEvent,
  text,
}));

/** A slow stream, as a pipe may be. */
function sink(): Writable & { text: string } {
  const stream = new Writable({
    highWaterMark: 16,
    write(chunk: Buffer, _encoding, done) {
      setImmediate(() => {
        stream.text += chunk.toString();
        done();
      });
    },
  }) as Writable & { text: string };
  stream.text = '';
  return stream;
}

async function log(events: readonly MigratorEvent[], options: Partial<LogOptions> = {}): Promise<string[]> {
  const destination = sink();
  const identity = {
    command: 'up',
    run: '0198c0de-0000-7000-8000-000000000000',
    productVersion: '0.1.0',
    name: 'pod-a',
    release: 'shop@1',
  } as const;
  const reporter = createLogReporter({
    format: 'json',
    level: 'debug',
    color: false,
    identity,
    humanOutput: true,
    ...options,
    destination,
  });
  for (const event of events) reporter.report(event);
  await reporter.flush();
  return destination.text.split('\n').slice(0, -1);
}

describe('describeEvent', () => {
  for (const { event, text } of ALL) {
    it(event.type, () => {
      const { level, message, detail } = describeEvent(event);
      expect(['debug', 'info', 'warn', 'error']).to.include(level);
      expect(`${message}: ${detail}`).to.equal(text);
    });
  }

  it('has a distinct sentence for each type', () => {
    // An event of one schema has the sentence of what it is.
    const own = ALL.filter(({ event }) => event.type !== 'tenant.event');
    expect(new Set(own.map(({ event }) => describeEvent(event).message)).size).to.equal(own.length);
  });

  it('includes the severity of a notice', () => {
    const level = (severity: string) => describeEvent({ type: 'server.notice', severity, message: '' }).level;
    expect(['WARNING', 'NOTICE', 'INFO', 'DEBUG1'].map(level)).to.deep.equal(['warn', 'info', 'info', 'debug']);
  });

  it('returns the facts of a lock holder and of an error as fields', () => {
    const { fields } = describeEvent({ type: 'lock.waiting', key: '1', waitedMs: 5, holder });
    expect(fields).to.deep.equal({ key: '1', waitedMs: 5, holder: { ...holder, since: since.toISOString() } });
    expect(
      describeEvent({ type: 'lock.waiting', key: '1', waitedMs: 5, holder: undefined }).fields,
    ).to.not.have.property('holder');
    expect(
      describeEvent({ type: 'migration.failed', version: '007_x', direction: 'up', error }).fields['error'],
    ).to.deep.equal({
      code: 'CONTENTION',
      exit: 32,
      summary: '007_x did not get its lock',
      next: 'try again later',
      ...{ file: '007_x.up.sql', line: 3, column: 5, sql: 'ALTER TABLE t' },
      ...{ sqlstate: '55P03', message: 'canceling statement due to lock timeout', detail: 'Key (id)=(1)' },
    });
  });
});

describe('the fields of an error', () => {
  it('include a next step even without a hint', () => {
    const bare = new MigratorError('DATABASE_UNAVAILABLE', 'gone');
    const { fields } = describeEvent({ type: 'migration.failed', version: '007_x', direction: 'up', error: bare });
    expect(fields['error']).to.include({
      code: 'DATABASE_UNAVAILABLE',
      next: 'run the command again; it continues from the state of the database',
    });
  });
});

function expectSmallTermination(error: MigratorError, text: string, type: string): void {
  const outcome = {
    done: [{ version: text, direction: 'up', durationMs: 1 }],
    pending: [text],
    dryRun: false,
  } as const;
  expect(Buffer.byteLength(terminationMessage({ error, outcome, durationMs: 1 })), type).to.be.at.most(
    MAX_MESSAGE_BYTES,
  );
}

describe('createLogReporter', () => {
  it('writes one JSON object per line, with the facts and the runner as fields', async () => {
    const lines = (await log(ALL.map(({ event }) => event))).map((line) => JSON.parse(line) as Record<string, unknown>);
    // An event of one schema is logged as what it is.
    const logged = Object.keys(EVENTS).map((type) => (type === 'tenant.event' ? 'migration.started' : type));
    expect(lines.map((line) => line['event'])).to.deep.equal(logged);
    for (const line of lines) {
      expect(line).to.include({ command: 'up', pod: 'pod-a', release: 'shop@1' }).and.include.keys('level', 'msg');
      expect(new Date(String(line['time'])).toISOString()).to.equal(line['time']);
    }
    expect(lines.find((line) => line['event'] === 'migration.applied')).to.include({
      level: 'info',
      msg: 'applied',
      version: '007_x',
      durationMs: 12,
    });
  });

  it('writes the same lines without winston when a run has nothing to do', async () => {
    const got: MigratorEvent = { type: 'lock.acquired', key: '1', waitedMs: 0 };
    const untimed = (lines: readonly string[]) => lines.map((line) => line.replace(/"time":"[^"]*"/, ''));
    for (const { event } of ALL) {
      const [, after] = untimed(await log([got, event]));
      expect(untimed(await log([event]))).to.deep.equal([after]);
    }
  });

  /** Plain text; multibyte characters; characters that JSON escapes in six bytes; unterminated passwords. */
  const LONG = {
    plain: 'x'.repeat(20_000),
    emoji: '😀'.repeat(10_000),
    'control characters': '\u0001"'.repeat(10_000),
    passwords: "PASSWORD 'hunter2'x ".repeat(1_000),
  };
  for (const [what, text] of Object.entries(LONG)) {
    it(`keeps log lines, the termination message and notes within their limits: ${what}`, async () => {
      expectSmallTermination(enormousError(text), text, 'any other');
      for (const { event } of ALL) {
        const { type, ...facts } = event;
        const huge = { ...(grown(facts, text) as object), type } as MigratorEvent;
        const identity = {
          command: 'up',
          run: text,
          productVersion: text,
          name: text,
          release: text,
          image: text,
        } as const;
        for (const format of ['json', 'text'] as const) {
          const [line = ''] = await log([huge], { format, identity });
          expect(Buffer.byteLength(line), type).to.be.at.most(
            format === 'json' ? MAX_LINE_BYTES - 1 : MAX_LINE_BYTES + 20,
          );
          expect(line).to.not.include('hunter2');
          if (format === 'json')
            expect(JSON.parse(line), type).to.include({ event: 'event' in huge ? huge.event.type : type });
          if (format === 'json') expect(line, type).to.match(/\[cut: \d+ (characters )?in all\]/);
        }
        if ('error' in huge) expectSmallTermination(huge.error, text, type);
        const digest = new Digest({ direction: 'up', inJob: true, now: () => 60_000 });
        digest.of({ type: 'run.planned', direction: 'up', versions: [text] });
        expect(Buffer.byteLength(digest.of(huge)?.note ?? ''), type).to.be.at.most(MAX_NOTE_BYTES);
      }
    }).timeout(60_000);
  }

  it('does not cut text that fits', async () => {
    const [line = ''] = await log([{ type: 'warning', message: 'x'.repeat(15_000) }]);
    expect(line.length).to.be.within(15_000, MAX_LINE_BYTES - 1);
    expect(line).to.not.include('[cut');
  });

  it('writes one line of text for people', async () => {
    const lines = await log(
      ALL.map(({ event }) => event),
      { format: 'text' },
    );
    for (const line of lines) expect(line).to.match(/^\d\d:\d\d:\d\d\.\d{3} /);
    expect(lines.map((line) => line.slice(13))).to.deep.equal(ALL.map(({ text }) => text));
  });

  it('does not repeat what stdout prints in the text format', async () => {
    const events: MigratorEvent[] = [
      { type: 'migration.applied', version: '1_a', durationMs: 1 },
      { type: 'warning', message: 'beware' },
      { type: 'run.finished', applied: ['1_a'], durationMs: 1 },
    ];
    expect(await log(events, { format: 'text', level: 'info' })).to.have.length(1);
    expect(await log(events, { format: 'text', level: 'info', humanOutput: false })).to.have.length(3);
    expect(await log(events, { format: 'json', level: 'info' })).to.have.length(3);
    expect(await log(events, { format: 'json', level: 'warn' })).to.have.length(1);
  });

  it('masks secrets and keeps each message on one line', async () => {
    const message = "first\nsecond \u001b[2J postgres://u:hunter2@h/d ALTER ROLE r PASSWORD 'hunter2'";
    for (const format of ['json', 'text'] as const) {
      const lines = await log([{ type: 'hook.log', version: '1_a', message }], { format });
      expect(lines).to.have.length(1);
      expect(lines[0])
        .to.match(/first.*second/)
        .and.not.match(/hunter2|\u001b/);
    }
  });

  it('colours by level', async () => {
    const [line] = await log([{ type: 'warning', message: 'beware' }], { format: 'text', color: true });
    expect(line).to.match(/^\u001b\[33m.*\u001b\[0m$/);
  });

  it('drops server lines that arrive faster than they are read, counts them, and keeps all of its own', async () => {
    const notice: MigratorEvent = { type: 'server.notice', severity: 'NOTICE', message: 'x'.repeat(999_000) };
    const lines = await log([
      ...Array<MigratorEvent>(20).fill(notice),
      { type: 'migration.applied', version: '1_a', durationMs: 1 },
      { type: 'run.finished', applied: ['1_a'], durationMs: 1 },
    ]);
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, string>);
    expect(parsed.map(({ event }) => event)).to.deep.equal([
      ...Array<string>(8).fill('server.notice'),
      'warning',
      'migration.applied',
      'run.finished',
    ]);
    expect(parsed[8]!['text']).to.match(/^12 lines of notices or hooks were dropped here/);
  });

  it('ends with the failure and loses no line', async () => {
    const destination = sink();
    const reporter = createLogReporter({ format: 'json', level: 'info', color: false, humanOutput: true, destination });
    for (let index = 0; index < 300; index += 1) reporter.report({ type: 'warning', message: String(index) });
    reporter.report({ type: 'run.failed', error });
    await reporter.flush();
    const lines = destination.text.trimEnd().split('\n');
    expect(lines).to.have.length(301);
    expect(JSON.parse(lines.at(-1)!)).to.deep.include({ level: 'error', event: 'run.failed', msg: 'failed' });
  });
});
