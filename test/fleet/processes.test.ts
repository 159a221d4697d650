/**
 * Five hundred databases, each migrated by a process of its own as an Indexed Job starts them: those that are broken
 * stop none of the others, and are named.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';

import type { Postgres } from '../../scripts/postgres/server.ts';
import { runCli, type CliResult } from '../support/cli.ts';
import { documentOf } from '../support/json-documents.ts';
import { closedPort } from '../support/opening.ts';
import { ownServer } from '../support/server.ts';

/** As many pods as `fleet.parallelism` allows by default would be too many for a small machine. */
const PARALLEL = 4;

const NAMES = Array.from({ length: 500 }, (_, index) => `db-${String(index).padStart(3, '0')}`);

const FILES = {
  '001_orders.up.sql': 'CREATE TABLE orders (id int PRIMARY KEY);',
  '002_total.up.sql': 'ALTER TABLE orders ADD COLUMN total int;',
};

interface Broken {
  readonly exit: number;
  readonly code: string;
  readonly sqlstate?: string;
}

const BROKEN: Readonly<Record<string, Broken>> = {
  'db-007': { exit: 23, code: 'ACCESS_REFUSED', sqlstate: '28P01' },
  'db-111': { exit: 23, code: 'ACCESS_REFUSED', sqlstate: '3D000' },
  'db-222': { exit: 40, code: 'MIGRATION_FAILED', sqlstate: '42P07' },
  'db-333': { exit: 30, code: 'DATABASE_UNAVAILABLE' },
  'db-499': { exit: 22, code: 'HISTORY_CONFLICT' },
};

interface Row {
  readonly target: string;
  readonly upToDate: boolean;
  readonly version?: string;
  readonly failed?: Partial<Broken>;
  readonly error?: Partial<Broken>;
}

describe('500 databases', function () {
  this.timeout(300_000);
  let server: Postgres;
  let folder: string;

  const addressOf = (name: string): URL =>
    Object.assign(new URL(server.url), { pathname: name.replace('-', '_'), password: server.password });

  async function query(name: string, sql: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: addressOf(name).href });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  before('make them, and a file with the address of each', async () => {
    server = await ownServer({ auth: 'scram-sha-256' });
    const client = new pg.Client({ connectionString: server.url, password: server.password });
    await client.connect();
    // Each has 8 MB, which are not in the log of the server too.
    for (const name of NAMES)
      if (name !== 'db-111') await client.query(`CREATE DATABASE ${name.replace('-', '_')} STRATEGY file_copy`);
    await client.end();
    await query('db-222', 'CREATE TABLE orders (id int)');
    await query('db-499', 'CREATE TABLE schema_migrations (version int, dirty text, since date)');
  });

  before('the files, and for each database a file with its address', async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-fleet-'));
    for (const each of ['migrations', 'targets']) await mkdir(join(folder, each));
    for (const [name, text] of Object.entries(FILES)) await writeFile(join(folder, 'migrations', name), text);
    const closed = String(await closedPort());
    for (const name of NAMES) {
      const address = addressOf(name);
      if (name === 'db-007') address.password = 'wrong';
      if (name === 'db-333') address.port = closed;
      await writeFile(join(folder, 'targets', name), address.href);
    }
  });

  after(() => rm(folder, { recursive: true, force: true }));

  function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
    const fleet = {
      LOCKSTEP_DIR: join(folder, 'migrations'),
      LOCKSTEP_TARGETS: NAMES.join(','),
      LOCKSTEP_TARGETS_DIR: join(folder, 'targets'),
      LOCKSTEP_CONNECT_WAIT: '2s',
    };
    return runCli(args, { env: { PATH: process.env['PATH'] ?? '', ...fleet, ...env } });
  }

  /** By name, the result of each index. */
  async function runAll(): Promise<Map<string, CliResult>> {
    const results = new Map<string, CliResult>();
    const queue = NAMES.entries();
    const work = async (): Promise<void> => {
      for (const [index, name] of queue) results.set(name, await run(['up'], { JOB_COMPLETION_INDEX: String(index) }));
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    return results;
  }

  /** Runs every index; those that are not broken must print this. */
  async function runsAll(lines: RegExp): Promise<void> {
    for (const [name, { code, stdout, stderr }] of await runAll()) {
      const expected = BROKEN[name];
      expect(code, `${name}: ${stderr}`).to.equal(expected?.exit ?? 0);
      if (expected) expect(stderr, name).to.include(expected.code).and.to.include(`"target":"${name}"`);
      else expect(stdout, name).to.match(lines);
    }
  }

  it('are migrated but for the five that are broken', () => runsAll(/^ {2}up 001_orders\b[^]*^ {2}up 002_total\b/m));

  it('have nothing to do when they run again', () => runsAll(/^ {2}skip .*2/m));

  it('are read by "fleet status", which names the five with code and SQLSTATE', async () => {
    const result = await run(['fleet', 'status', '--json']);
    expect(result.code, 'the gravest of all').to.equal(40);
    const rows = documentOf('fleet', result)['targets'] as Row[];
    expect(rows.map(({ target }) => target)).to.deep.equal(NAMES);
    for (const { target, upToDate, version, failed, error } of rows) {
      const expected = BROKEN[target];
      expect(upToDate, target).to.equal(!expected);
      if (!expected) expect(version, target).to.equal('002_total');
      else {
        expect((failed ?? error)?.code, target).to.equal(expected.code);
        expect((failed ?? error)?.sqlstate, target).to.equal(expected.sqlstate);
      }
    }
    const { stdout } = await run(['fleet', 'status']);
    expect(stdout).to.include(
      '500 targets: 495 up to date, 2 ACCESS_REFUSED, 1 MIGRATION_FAILED, 1 DATABASE_UNAVAILABLE, 1 HISTORY_CONFLICT',
    );
  });

  it('have each migration once', async () => {
    for (const name of NAMES.filter((each) => !BROKEN[each]))
      expect(
        await query(name, `SELECT version FROM schema_migrations_journal WHERE event = 'applied' ORDER BY version`),
        name,
      ).to.deep.equal([{ version: '001_orders' }, { version: '002_total' }]);
  });
});
