import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import type { MigratorEvent } from '../../src/core/events.ts';
import { formatHistory, formatStatus } from '../../src/output/reports.ts';
import { Screen, type ScreenOptions } from '../../src/output/terminal/screen.ts';
import { columnsOf, fit, wrap, wrapIndented } from '../../src/output/terminal/width.ts';

const COLUMNS = 80;
const ESCAPES = /\u001b\[\d*[a-zA-Z]/g;
const LONG = `001_${'a_very_long_name_'.repeat(8)}end`;

const OPTIONS: ScreenOptions = {
  columns: () => COLUMNS,
  colored: false,
  level: 'info',
  verbose: false,
  ends: { connecting: '--connect-wait=60s', waiting: '--lock-wait=600s' },
};

function openScreen(options: Partial<ScreenOptions> = {}): Screen {
  return new Screen({ ...OPTIONS, ...options }, 0);
}

function lines(events: readonly MigratorEvent[], options: Partial<ScreenOptions> = {}): string[] {
  const screen = openScreen(options);
  return events.flatMap((event) => screen.report(event, 0));
}

/** The status line at the bottom, `ms` after the last event. */
function bottom(events: readonly MigratorEvent[], ms = 0, options: Partial<ScreenOptions> = {}): string {
  const screen = openScreen(options);
  for (const event of events) screen.report(event, 0);
  return screen.bottom(ms);
}

const skipped = (version: string): MigratorEvent => ({ type: 'migration.skipped', version, direction: 'up' });
const unreachable = new MigratorError('DATABASE_UNAVAILABLE', `cannot find the address of ${'db.'.repeat(30)}internal`);
const holder = { pid: 42, applicationName: 'lockstep up 1.0.0 pod-a' };
const planned: MigratorEvent = { type: 'run.planned', direction: 'up', versions: ['2_b', '3_longer'] };
const acquired: MigratorEvent = { type: 'lock.acquired', key: '7244', waitedMs: 0 };

const RUN: readonly MigratorEvent[] = [
  { type: 'session.opened', address: 'h:5432', database: 'd', pid: 1 },
  acquired,
  planned,
  skipped('0_a'),
  skipped('1_a'),
  { type: 'migration.started', version: '2_b', direction: 'up' },
  { type: 'migration.applied', version: '2_b', durationMs: 12 },
  { type: 'migration.started', version: '3_longer', direction: 'up' },
  { type: 'migration.applied', version: '3_longer', durationMs: 2345 },
  { type: 'lock.released', key: '7244' },
  { type: 'run.finished', direction: 'up', applied: ['2_b', '3_longer'], durationMs: 2400 },
];

describe('a screen: permanent lines', () => {
  it('are one for each migration with its time, and one for all skipped migrations', () => {
    expect(lines(RUN)).to.deep.equal([
      '  skip 2 migrations (already applied)',
      '  up 2_b         12 ms',
      '  up 3_longer    2.3 s',
      'Done. 2 migrations in 2.4 s',
    ]);
  });

  it('name the lock key and each skipped migration when verbose', () => {
    const verbose = lines(RUN, { verbose: true });
    expect(verbose.filter((line) => line.includes('7244'))).to.have.length(1);
    expect(verbose).to.include.members(['  skip 0_a (already applied)', '  skip 1_a (already applied)']);
    expect(lines(RUN).join('\n')).to.not.include('7244');
  });

  it('have the same text with and without colors', () => {
    const colored = lines(RUN, { colored: true });
    expect(colored[1]).to.match(/^ {2}\u001b\[32mup\u001b\[0m 2_b/);
    expect(colored.map((line) => line.replaceAll(ESCAPES, ''))).to.deep.equal(lines(RUN));
  });

  it('fit the terminal width for any names', () => {
    const events: MigratorEvent[] = [
      { type: 'run.planned', direction: 'down', versions: [LONG] },
      { type: 'migration.rolled-back', version: LONG, durationMs: 123_456 },
      { type: 'migration.baselined', version: LONG },
      { type: 'warning', message: `${LONG.slice(0, 30)} and some words `.repeat(5) },
      { type: 'server.notice', severity: 'NOTICE', message: 'relation exists '.repeat(20) },
    ];
    for (const columns of [40, 80, 120]) {
      for (const line of lines(events, { columns: () => columns }))
        expect(columnsOf(line), line).to.be.at.most(columns);
    }
    expect(lines(events)[0]).to.match(/^ {2}down 001_.+….+end {2}123\.5 s$/);
  });

  it('keep warnings whole, and contain no control characters', () => {
    expect(lines([{ type: 'warning', message: `\u001b[2J${'many words '.repeat(20)}last` }]).join(' ')).to.match(
      /^warning: \?\[2J(?:many\s+words\s+){20}last$/,
    );
  });

  it('depend on the log level', () => {
    const events: MigratorEvent[] = [{ type: 'warning', message: 'w' }, acquired];
    expect(lines(events, { level: 'error' })).to.deep.equal([]);
    expect(lines(events)).to.deep.equal(['warning: w']);
    expect(lines(events, { level: 'debug' })).to.have.length(2);
  });

  it('state the reason only when it adds to the message', () => {
    const bare = new MigratorError('LOCK_TIMEOUT', 'another runner holds the lock');
    expect(lines([{ type: 'run.failed', error: bare }])).to.deep.equal([
      'error: another runner holds the lock (LOCK_TIMEOUT)',
      `next:  ${bare.next}`,
    ]);
    const failed = new MigratorError('MIGRATION_FAILED', '2_b.up.sql failed', {
      location: { file: '2_b.up.sql', line: 1, column: 101, text: `${'x'.repeat(100)}nope${'y'.repeat(100)}` },
      server: { sqlstate: '42P01', message: 'relation "nope" does not exist' },
      hint: 'correct the file, '.repeat(10),
    });
    const printed = lines([{ type: 'run.failed', error: failed }]);
    const caret = printed.findIndex((line) => line.trim() === '^');
    expect(printed[caret - 1]!.slice(printed[caret]!.indexOf('^')), 'the caret stands under its place').to.match(
      /^nope/,
    );
    expect(printed).to.include('why:   relation "nope" does not exist (SQLSTATE 42P01)');
    for (const line of printed) expect(columnsOf(line), line).to.be.at.most(COLUMNS);
  });
});

describe('a screen: the status line', () => {
  it('shows the deadline and the reason of the wait for a server at once', () => {
    expect(bottom([])).to.equal('  connecting 0 s (--connect-wait=60s ends it)');
    const waiting: MigratorEvent = { type: 'database.waiting', attempt: 1, retryInMs: 50, error: unreachable };
    expect(lines([waiting])).to.deep.equal([]);
    expect(bottom([waiting])).to.match(/^ {2}waiting 0 s \(--connect-wait=60s ends it\): cannot find .*….*internal$/);
    expect(bottom([waiting, waiting], 12_300)).to.match(/^ {2}waiting 12 s /);
    expect(bottom([waiting, RUN[0]!])).to.equal('');
  });

  it('shows the lock holder and the wait time', () => {
    const waiting: MigratorEvent = { type: 'lock.waiting', key: '7', waitedMs: 5_000, holder };
    expect(bottom([waiting], 1_000, { columns: () => 120 })).to.equal(
      '  waiting 6 s (--lock-wait=600s ends it): the lock is held by "lockstep up 1.0.0 pod-a" (pid 42)',
    );
  });

  it('counts migrations and shows the progress of a long statement', () => {
    const started: MigratorEvent = { type: 'migration.started', version: '2_b', direction: 'up' };
    expect(bottom([planned, started], 4_000)).to.equal('  [1/2] up 2_b 4 s');
    const running: MigratorEvent = {
      ...{ type: 'statement.running', version: '2_b', elapsedMs: 10_000 },
      progress: { phase: 'building index', percent: 45 },
      blockers: [],
    };
    expect(bottom([planned, started, running], 11_000)).to.equal('  [1/2] up 2_b 11 s: building index 45 %');
    const blockers = [{ pid: 7, applicationName: 'psql', state: 'idle in transaction' }];
    expect(bottom([planned, started, { ...running, progress: undefined, blockers }], 11_000)).to.equal(
      '  [1/2] up 2_b 11 s: blocked by "psql" (pid 7) idle in transaction',
    );
    const applied: MigratorEvent = { type: 'migration.applied', version: '2_b', durationMs: 1 };
    expect(bottom([planned, started, applied])).to.equal('');
    expect(bottom([planned, started, applied, { ...started, version: '3_longer' }])).to.equal(
      '  [2/2] up 3_longer 0 s',
    );
  });

  it('leaves the last column free for any text', () => {
    const started: MigratorEvent = { type: 'migration.started', version: LONG, direction: 'up' };
    const error = new MigratorError('DATABASE_UNAVAILABLE', '数据库'.repeat(50));
    const waiting: MigratorEvent = { type: 'database.waiting', attempt: 1, retryInMs: 50, error };
    for (const columns of [20, 40, 80]) {
      for (const event of [started, waiting])
        expect(columnsOf(bottom([planned, event], 0, { columns: () => columns }))).to.be.below(columns);
    }
  });
});

describe('width', () => {
  it('counts columns, not characters', () => {
    expect(['abc', 'é', 'e\u0301', '数据', '🚀'].map(columnsOf)).to.deep.equal([3, 1, 1, 4, 2]);
  });

  it('cuts in the middle', () => {
    expect(fit('abcdefghij', 10)).to.equal('abcdefghij');
    expect(fit('abcdefghijk', 6)).to.equal('abc…jk');
    expect(fit('数据库数据库', 7)).to.equal('数…据库');
  });

  it('wraps between words and keeps text that fits', () => {
    expect(wrap('a  b', 10)).to.deep.equal(['a  b']);
    expect(wrap('  one two three', 9)).to.deep.equal(['  one two', 'three']);
    expect(wrapIndented('  one two three', 9)).to.deep.equal(['  one', '    two', '    three']);
    expect(wrap('https://example.org/long short', 10)).to.deep.equal(['https://example.org/long', 'short']);
  });
});

describe('tables on a terminal', () => {
  const at = new Date('2024-05-06T07:08:09Z');

  it('status cuts long names in the middle', () => {
    const rows = [
      { version: LONG, state: 'applied', appliedAt: at },
      { version: '2_b', state: 'pending' },
    ] as const;
    const table = formatStatus(rows, COLUMNS).split('\n');
    expect(table[1]).to.match(/^001_a.+….+end {2}applied {2}2024-05-06T07:08:09\.000Z$/);
    for (const line of table) expect(columnsOf(line)).to.be.at.most(COLUMNS);
    expect(formatStatus(rows)).to.include(LONG);
  });

  it('history keeps each column', () => {
    const entry = { id: '1', at, run: 'r', event: 'failed', version: LONG, durationMs: 12, runner: 'pod-a'.repeat(9) };
    const table = formatHistory([{ ...entry, event: 'failed', error: 'MIGRATION_FAILED: '.repeat(9) }], COLUMNS);
    const [head, row] = table.split('\n');
    expect(head).to.match(/^TIME +EVENT +VERSION +TOOK +RUNNER +ERROR$/);
    expect(row).to.match(/^2024-05-06T07:08:09\.000Z /);
    expect(columnsOf(row!)).to.be.at.most(COLUMNS);
  });
});
