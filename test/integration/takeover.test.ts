/**
 * A migration from another tool: Lockstep uses the original Go runner's table in place, and changes no other tool's
 * table (except for `import`).
 */
import { expect } from 'chai';
import pg from 'pg';

import { eventually } from '../support/bounded.ts';
import { runCli } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import { FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS, versionsOf } from '../support/migrations.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace } from '../support/workspace.ts';
import { useDatabase } from '../support/databases.ts';
import { FOREIGN_TABLES } from '../support/foreign-tables.ts';
import { done, failure, up, type RunOptions } from '../support/running.ts';
import { stateOf } from '../support/state.ts';

const VERSIONS = versionsOf(FIVE_FILES);

/** The statements that the original Go runner sends. */
const ORIGINAL = {
  key: '7244554146635925501',
  create:
    'CREATE TABLE IF NOT EXISTS schema_migrations (version TEXT PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())',
  lock: 'SELECT pg_advisory_lock($1)',
  unlock: 'SELECT pg_advisory_unlock($1)',
  isApplied: 'SELECT EXISTS(SELECT 1 FROM schema_migrations WHERE version = $1)',
  record: 'INSERT INTO schema_migrations (version) VALUES ($1)',
  forget: 'DELETE FROM schema_migrations WHERE version = $1',
};

describe("the original Go runner's database", () => {
  const database = useDatabase();
  const workspace = useWorkspace(database);

  /** Runs on the workspace's files, but under the key of the table's name, which both runners use. */
  const upHere = (options: RunOptions = {}) => up(workspace(), { ...options, lockKey: undefined });

  beforeEach(async () => {
    await workspace().write(FIVE_FILES);
    await workspace().query(ORIGINAL.create);
    for (const version of VERSIONS.slice(0, 3)) {
      await workspace().query(FIVE_FILES[`${version}.up.sql`]!);
      await workspace().query(ORIGINAL.record, [version]);
    }
  });

  it('is taken over in place: its versions stay applied, and its statements still work', async () => {
    const [before] = await workspace().query('SELECT oid FROM pg_class WHERE oid = $1::regclass', [
      'schema_migrations',
    ]);
    expect(done(await upHere())).to.deep.equal(VERSIONS.slice(3));
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
    expect(
      await workspace().query('SELECT oid FROM pg_class WHERE oid = $1::regclass', ['schema_migrations']),
    ).to.deep.equal([before]);
    // Rows without a checksum have one now.
    expect(
      await workspace().query('SELECT count(*)::int AS bare FROM schema_migrations WHERE checksum IS NULL'),
    ).to.deep.equal([{ bare: 0 }]);

    await workspace().query(ORIGINAL.create);
    expect(await workspace().query(ORIGINAL.isApplied, ['004_bonus'])).to.deep.equal([{ exists: true }]);
    await workspace().query(ORIGINAL.record, ['006_theirs']);
    await workspace().query(ORIGINAL.forget, ['006_theirs']);
    await workspace().query(ORIGINAL.record, ['006_theirs']);
    await workspace().write({ '006_theirs.up.sql': 'SELECT 1/0;' });
    expect((await upHere()).skipped).to.deep.equal([...VERSIONS, '006_theirs']);
  });

  it('makes us wait while the Go runner has the lock, and then skip what it applied', async () => {
    const go = await workspace().client({ application_name: 'go-migrate' });
    await go.query(ORIGINAL.lock, [ORIGINAL.key]);
    const reporter = new Recorder();
    const run = upHere({ reporter });
    const waiting = await reporter.next('lock.waiting');
    expect(waiting).to.deep.include({ key: ORIGINAL.key });
    expect(waiting.holder?.applicationName).to.equal('go-migrate');
    await go.query(FIVE_FILES['004_bonus.up.sql']!);
    await go.query(ORIGINAL.record, ['004_bonus']);
    await go.query(ORIGINAL.unlock, [ORIGINAL.key]);
    expect(done(await run)).to.deep.equal(['005_order_notes']);
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
  });

  it('makes the Go runner wait while we have the lock, and then find everything applied', async () => {
    const gate = await closeGate(workspace());
    await workspace().write({ '004_bonus.up.sql': `${FIVE_FILES['004_bonus.up.sql']}\n${gate.sql}` });
    const run = upHere();
    await gate.arrived();
    const go = await workspace().client();
    const locked = go.query(ORIGINAL.lock, [ORIGINAL.key]);
    await eventually('the Go runner to block on our lock', async () => {
      const rows = await workspace().query(
        `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND ((classid::bigint << 32) | objid::bigint) = $1::bigint`,
        [ORIGINAL.key],
      );
      return rows.length === 1;
    });
    await gate.open();
    expect(done(await run)).to.deep.equal(VERSIONS.slice(3));
    await locked;
    for (const version of VERSIONS)
      expect((await go.query(ORIGINAL.isApplied, [version])).rows, version).to.deep.equal([{ exists: true }]);
    await go.query(ORIGINAL.unlock, [ORIGINAL.key]);
  });

  it('is taken over by the command line too, whatever schema the table is in', async () => {
    const { LOCKSTEP_LOCK_KEY: _, ...env } = workspace().env;
    const holder = new pg.Client({ connectionString: database() });
    await holder.connect();
    workspace().defer(() => holder.end());
    await holder.query(ORIGINAL.lock, [ORIGINAL.key]);
    const { code, stderr } = await runCli(
      ['up', '--table', `${workspace().schema}.schema_migrations`, '--lock-wait', '0'],
      { env },
    );
    expect(code, stderr).to.equal(31);
    await holder.query(ORIGINAL.unlock, [ORIGINAL.key]);
    expect((await runCli(['up'], { env })).code).to.equal(0);
  });
});

describe('a table with our name and the columns of another tool', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  for (const [tool, columns] of Object.entries(FOREIGN_TABLES)) {
    it(`of ${tool} is refused by name, and stays unchanged`, async () => {
      await workspace().query(`CREATE TABLE schema_migrations (${columns})`);
      const before = await stateOf(workspace());
      const error = await failure('HISTORY_CONFLICT', up(workspace()));
      expect(error.exit).to.equal(22);
      expect(error.summary).to.include(tool);
      expect(await stateOf(workspace())).to.deep.equal(before);
    });
  }

  it('is refused by every command, with exit 22', async () => {
    await workspace().query(`CREATE TABLE schema_migrations (${FOREIGN_TABLES['golang-migrate']})`);
    const before = await stateOf(workspace());
    for (const args of [
      ['down', '--steps', '1'],
      ['status'],
      ['wait', '--timeout', '0'],
      ['baseline', '--to', VERSIONS[0]!],
    ]) {
      const { code, stderr } = await runCli(args, workspace());
      expect(code, `${args.join(' ')}: ${stderr}`).to.equal(22);
      expect(stderr).to.include('golang-migrate').and.include('--table');
    }
    expect(await stateOf(workspace())).to.deep.equal(before);
  });

  it('does not matter when Lockstep uses another table name', async () => {
    await workspace().query(`CREATE TABLE schema_migrations (${FOREIGN_TABLES['golang-migrate']})`);
    expect(done(await up(workspace(), { table: 'lockstep_migrations' }))).to.deep.equal(VERSIONS);
    expect(await workspace().versions('lockstep_migrations')).to.deep.equal(VERSIONS);
  });
});

describe("an object with the table's name that cannot be the history table", () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  const OTHERS: Readonly<Record<string, string>> = {
    'a view': "CREATE VIEW schema_migrations AS SELECT '001'::text AS version, now() AS applied_at",
    'a sequence': 'CREATE SEQUENCE schema_migrations',
    'a composite type': 'CREATE TYPE schema_migrations AS (version text, applied_at timestamptz)',
    'an index': 'CREATE TABLE t (x int); CREATE INDEX schema_migrations ON t (x)',
    'column version is not text':
      'CREATE TABLE schema_migrations (version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    'column version has no primary key':
      'CREATE TABLE schema_migrations (version text, applied_at timestamptz NOT NULL DEFAULT now())',
    'column applied_at is NOT NULL and has no default':
      'CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL)',
    'column more is NOT NULL':
      'CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz DEFAULT now(), more int NOT NULL)',
    schema_migrations_journal: 'CREATE TABLE schema_migrations_journal (x int)',
  };
  for (const [words, sql] of Object.entries(OTHERS)) {
    it(`is refused with 22, before anything is created: ${words}`, async () => {
      await workspace().query(sql);
      const before = await stateOf(workspace());
      const error = await failure('HISTORY_CONFLICT', up(workspace()));
      expect([error.summary, ...(error.details.problems ?? [])].join()).to.include(words);
      expect(error.hint).to.include('choose another name with table');
      expect(await stateOf(workspace())).to.deep.equal(before);
    });
  }

  it('is accepted with a version of another string type and further nullable columns', async () => {
    await workspace().query(
      'CREATE TABLE schema_migrations (id int GENERATED ALWAYS AS IDENTITY, version varchar(200) NOT NULL UNIQUE, applied_at timestamp DEFAULT now(), note text)',
    );
    expect(done(await up(workspace()))).to.deep.equal(VERSIONS);
  });
});
