/** What Lockstep reports about a failed migration: where, why, what to do next, and what only the log contains. */
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { runCli } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';
import { done, failure, up } from '../support/running.ts';

describe('the location of an error', () => {
  const workspace = useWorkspace();

  const PLACES: readonly (readonly [what: string, text: string, line: number, column: number, shown: string])[] = [
    ['after é and an emoji, which are one character each', `-- é\nSELECT 'é😀', nope;`, 2, 14, `SELECT 'é😀', nope;`],
    ['after a byte order mark and CRLF', '\uFEFF-- x\r\nSELECT nope;\r\n', 2, 8, 'SELECT nope;'],
    ['in the second statement', 'SELECT 1;\n\n  SELECT nope;', 3, 10, '  SELECT nope;'],
    ['inside BEGIN … COMMIT', 'BEGIN;\nSELECT nope;\nCOMMIT;', 2, 8, 'SELECT nope;'],
    [
      'between data and DDL, which have other time limits',
      'CREATE TABLE t (x int);\nSELECT nope;\nCREATE TABLE u (x int);',
      2,
      8,
      'SELECT nope;',
    ],
    [
      'statement by statement',
      `-- lockstep: no-transaction\nSELECT '😀';\nSELECT '😀', nope;`,
      3,
      13,
      `SELECT '😀', nope;`,
    ],
    [
      'of a row that violates a constraint, for which the server gives no position',
      `CREATE TABLE t (x int UNIQUE);\n\nINSERT INTO t VALUES (1), (1);\nSELECT 1;`,
      3,
      1,
      'INSERT INTO t VALUES (1), (1);',
    ],
    [
      'of such a row, after é and an emoji on its line',
      `CREATE TABLE t (x int UNIQUE);\nSELECT 'é😀'; INSERT INTO t VALUES (1), (1);`,
      2,
      14,
      `SELECT 'é😀'; INSERT INTO t VALUES (1), (1);`,
    ],
    [
      'of a statement outside a transaction, after é and an emoji on its line',
      `SELECT 'é😀'; DROP INDEX CONCURRENTLY nope;`,
      1,
      14,
      `SELECT 'é😀'; DROP INDEX CONCURRENTLY nope;`,
    ],
    [
      'of a statement outside a transaction, for which the server gives no position',
      'CREATE TABLE t (x int);\nDROP INDEX CONCURRENTLY nope;',
      2,
      1,
      'DROP INDEX CONCURRENTLY nope;',
    ],
  ];
  for (const [what, text, line, column, shown] of PLACES) {
    it(what, async () => {
      await workspace().write({ '001_a.up.sql': text });
      const { details } = await failure('MIGRATION_FAILED', up(workspace()));
      expect(details.location).to.deep.equal({ file: '001_a.up.sql', line, column, text: shown });
    });
  }

  /** The output of the command: the line of SQL, and the part of it from the caret on. */
  async function shown(
    text: string,
    args: readonly string[],
    exit: number,
  ): Promise<{ stderr: string; pointedAt: string }> {
    await workspace().write({ '001_a.up.sql': text });
    const { code, stderr } = await runCli([...args, '--log-format', 'text'], workspace());
    expect(code, stderr).to.equal(exit);
    const lines = stderr.split('\n').map((line) => [...line]);
    const caret = lines.findIndex((line) => line.join('').trim() === '^');
    expect(caret, stderr).to.be.greaterThan(0);
    return { stderr, pointedAt: lines[caret - 1]!.slice(lines[caret]!.indexOf('^')).join('') };
  }

  it('has a caret under it', async () => {
    const { stderr, pointedAt } = await shown(`SELECT 'é😀', nope;`, ['up'], 40);
    expect(pointedAt).to.equal('nope;');
    expect(stderr)
      .to.include('001_a.up.sql:1:14')
      .and.include('(SQLSTATE 42703)')
      .and.match(/next: +\S/);
  });

  for (const [what, text, args, pointed] of [
    [
      'for which the server gives no position',
      `SELECT 'é😀'; DROP INDEX CONCURRENTLY nope;`,
      ['up'],
      'DROP INDEX CONCURRENTLY nope;',
    ],
    ['of a refused statement', `-- é\r\nSELECT 'é😀'; DISCARD ALL;\r\n`, ['up'], 'DISCARD ALL;'],
    ['of a psql command', `SELECT 'é😀' \\gexec`, ['up'], '\\gexec'],
    ['of a syntax error, offline', `SELECT 'é😀'; selec 1;`, ['validate'], 'selec 1;'],
    [
      'of a refused statement, offline',
      `\uFEFFSELECT 'é😀'; SELECT pg_advisory_unlock_all();`,
      ['validate'],
      'SELECT pg_advisory_unlock_all();',
    ],
  ] as const) {
    it(`has a caret also where the parser knows it: ${what}`, async () => {
      const { pointedAt } = await shown(text, args, pointed.startsWith('DROP') ? 40 : 21);
      expect(pointedAt).to.equal(pointed);
    });
  }
});

describe('the report of a failure', () => {
  const workspace = useWorkspace();

  it("contains the server's message, SQLSTATE, detail and hint, in the output and in the log", async () => {
    await workspace().write({
      '001_raise.up.sql': `DO $$ BEGIN RAISE EXCEPTION 'no more orders' USING ERRCODE = 'P0042', DETAIL = 'the shop is closed', HINT = 'open the shop'; END $$;`,
    });
    const text = await runCli(['up', '--log-format', 'text'], workspace());
    expect(text.code).to.equal(40);
    expect(text.stderr).to.match(
      /^why: {3}no more orders \(SQLSTATE P0042\)\n {7}detail: the shop is closed\n {7}hint: open the shop\nnext: {2}\S/m,
    );
    const json = await runCli(['up', '--log-format', 'json'], workspace());
    expect(json.code).to.equal(40);
    expect(json.logs.at(-1)!['error']).to.deep.include({
      sqlstate: 'P0042',
      message: 'no more orders',
      detail: 'the shop is closed',
      hint: 'open the shop',
    });
  });

  it('puts rows and lines of SQL into the log, never into --json', async () => {
    await workspace().write({
      '001_t.up.sql': 'CREATE TABLE t (name text PRIMARY KEY);',
      '002_rows.up.sql': `INSERT INTO t VALUES ('Ada of row one'), ('Ada of row one');`,
    });
    const { code, stdout, stderr } = await runCli(['up', '--json'], workspace());
    expect(code).to.equal(40);
    const document = JSON.parse(stdout);
    expect(document).to.deep.include({ exit: 40, failedVersion: '002_rows', notRun: [] });
    expect(document.error).to.include({ code: 'MIGRATION_FAILED', version: '002_rows', sqlstate: '23505' });
    expect(stdout).to.not.include('Ada of');
    expect(stderr).to.include('Ada of');
    const { stdout: history } = await runCli(['history', '--json'], workspace());
    expect(history).to.include('002_rows').and.not.include('Ada of');
  });

  it('contains no server warning about a transaction that never began, after a syntax error', async () => {
    await workspace().write({ '001_a.up.sql': 'CREATE TABLE a (x int) nonsense;' });
    const reporter = new Recorder();
    await failure('MIGRATION_FAILED', up(workspace(), { reporter }));
    expect(reporter.of('server.notice')).to.deep.equal([]);
    await workspace().write({ '001_a.up.sql': 'CREATE TABLE a (x int);' });
    expect(done(await up(workspace()))).to.deep.equal(['001_a']);
  });

  it('never shows the string after PASSWORD', async () => {
    await workspace().write({
      '001_a.up.sql': `CREATE ROLE nope_${workspace().schema} LOGIN PASSWORD 'hunter2' NOPE;`,
    });
    for (const args of [
      ['up', '--json'],
      ['up', '--log-format', 'text', '--log-level', 'debug'],
      ['up', '--dry-run'],
      ['history'],
    ]) {
      const { stdout, stderr } = await runCli(args, workspace());
      expect(stdout + stderr, args.join(' ')).to.not.include('hunter2');
    }
    expect(JSON.stringify(await workspace().query('SELECT * FROM schema_migrations_journal'))).to.not.include(
      'hunter2',
    );
  });

  it('names the migrations that stay applied, and those that did not run', async () => {
    await workspace().write({
      '001_a.up.sql': 'SELECT 1;',
      '002_b.up.sql': 'SELECT 1/0;',
      '003_c.up.sql': 'SELECT 3;',
    });
    const { details } = await failure('MIGRATION_FAILED', up(workspace()));
    const { outcome } = details;
    expect(done(outcome)).to.deep.equal(['001_a']);
    expect(outcome).to.deep.include({ failedVersion: '002_b', notRun: ['003_c'], pending: ['002_b', '003_c'] });
    await workspace().write({ '002_b.up.sql': 'SELECT 2;' });
    expect(done(await up(workspace()))).to.deep.equal(['002_b', '003_c']);
  });
});

describe('a migration that cannot get its table lock', () => {
  const workspace = useWorkspace();
  beforeEach(async () => {
    await workspace().write({ '001_t.up.sql': 'CREATE TABLE t (x int); INSERT INTO t VALUES (1);' });
    await up(workspace());
  });

  it('times out, names who blocks it, and is retried', async () => {
    await workspace().write({ '002_alter.up.sql': '-- lockstep: lock-timeout=50ms\nALTER TABLE t ADD COLUMN y int;' });
    const reader = await workspace().client({ application_name: 'long report' });
    await reader.query('BEGIN; SELECT * FROM t');
    const reporter = new Recorder();
    const run = up(workspace(), { reporter });
    const { error } = await reporter.next('migration.retrying');
    expect(error.details.server).to.include({ sqlstate: '55P03' });
    expect(error.details.blockers?.map(({ applicationName }) => applicationName)).to.deep.equal(['long report']);
    await reader.query('COMMIT');
    expect(done(await run)).to.deep.equal(['002_alter']);
    expect(await workspace().journalCounts('applied')).to.include({ '002_alter': 1 });
  });

  for (const [how, start] of [
    ['in a transaction', ''],
    ['statement by statement', '-- lockstep: no-transaction\n'],
  ] as const) {
    it(`is also retried where the file itself sets lock_timeout, ${how}`, async () => {
      await workspace().write({
        '002_alter.up.sql': `${start}SET lock_timeout = '50ms';\nALTER TABLE t ADD COLUMN y int;`,
      });
      const reader = await workspace().client();
      await reader.query('BEGIN; SELECT * FROM t');
      const reporter = new Recorder();
      const run = up(workspace(), { reporter, lockTimeoutMs: 600_000 });
      const { error } = await reporter.next('migration.retrying');
      expect(error.details.server).to.include({ sqlstate: '55P03' });
      await reader.query('COMMIT');
      expect(done(await run)).to.deep.equal(['002_alter']);
    });
  }

  it('waits for data statements without a lock timeout', async () => {
    const writer = await workspace().client();
    await writer.query('BEGIN; UPDATE t SET x = 3');
    const gate = await closeGate(workspace());
    await workspace().write({ '002_update.up.sql': `-- lockstep: lock-timeout=1ms\n${gate.sql}\nUPDATE t SET x = 2;` });
    const reporter = new Recorder();
    const run = up(workspace(), { reporter });
    await gate.arrived();
    await gate.open();
    await eventually('the update to have waited for longer than that', async () => {
      const waiting = await workspace().query(
        `SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid' AND waitstart < now() - interval '20 ms'`,
      );
      return waiting.length === 1;
    });
    await writer.query('COMMIT');
    expect(done(await run)).to.deep.equal(['002_update']);
    expect(reporter.of('migration.retrying')).to.deep.equal([]);
  });

  it('is not retried when a statement takes too long: exit 32', async () => {
    await workspace().write({ '002_slow.up.sql': '-- lockstep: statement-timeout=50ms\nSELECT pg_sleep(20);' });
    const reporter = new Recorder();
    const error = await failure('CONTENTION', up(workspace(), { reporter }));
    expect(error.exit).to.equal(32);
    expect(error.details.server).to.include({ sqlstate: '57014' });
    expect(error.hint).to.include('statementTimeoutMs');
    expect(reporter.of('migration.retrying')).to.deep.equal([]);
    expect(await workspace().versions()).to.deep.equal(['001_t']);
  });
});
