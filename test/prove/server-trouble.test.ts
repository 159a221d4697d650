/** `prove` on a server that is full, or that dies in the middle: it says so, and leaves no database for ever. */
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

import type { Postgres } from '../../scripts/postgres/server.ts';
import { eventually } from '../support/bounded.ts';
import { runInProcess, type InProcessResult } from '../support/in-process.ts';
import { ownServer } from '../support/server.ts';

const CONNECTIONS = 12;

describe('prove on a server in trouble', () => {
  let server: Postgres;
  let dir = '';

  before('start a server with few connections', async () => {
    server = await ownServer({
      settings: { max_connections: String(CONNECTIONS), superuser_reserved_connections: '2' },
    });
  });
  beforeEach('make a folder', async () => {
    dir = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  });
  afterEach('remove it', () => rm(dir, { recursive: true }));

  async function prove(files: Readonly<Record<string, string>>): Promise<InProcessResult> {
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
    const env = { LOCKSTEP_SCRATCH_URL: server.url, LOCKSTEP_DIR: dir, LOCKSTEP_CONNECT_WAIT: '1s' };
    return await runInProcess(['prove'], { env });
  }

  async function query(sql: string): Promise<string[]> {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    try {
      return (await client.query<{ one: string }>(sql)).rows.map(({ one }) => one);
    } finally {
      await client.end();
    }
  }

  /** Sessions that take all connections but `left`, while `body` runs. */
  async function crowded<T>(left: number, body: () => Promise<T>): Promise<T> {
    const others = Array.from({ length: CONNECTIONS - left }, () => new pg.Client({ connectionString: server.url }));
    try {
      for (const other of others) await other.connect();
      return await body();
    } finally {
      await Promise.all(others.map((other) => other.end()));
    }
  }

  const scratches = (): Promise<string[]> =>
    query(String.raw`SELECT datname AS one FROM pg_database WHERE datname LIKE 'lockstep\_scratch\_%'`);

  it('whose connection slots are taken ends with 30, at the start and in the middle', async () => {
    const files = { '001_a.up.sql': 'CREATE TABLE a ();', '001_a.down.sql': 'DROP TABLE a;' };
    for (const left of [0, 2, 3]) {
      const { code, stderr } = await crowded(left, () => prove(files));
      expect(code, `${left} left: ${stderr}`).to.equal(30);
      expect(stderr).to.match(/too many clients|remaining connection slots/);
    }
    expect((await prove(files)).code).to.equal(0);
    expect(await scratches()).to.deep.equal([]);
  });

  it('whose disk takes no more names the file, and removes its databases', async function () {
    if (process.platform !== 'linux') this.skip();
    // A limit on the size of files, as a full disk for one user would need rights that tests do not have.
    const limit = (size: string): number | null =>
      spawnSync('prlimit', ['--pid', String(server.postmasterPid), `--fsize=${size}:`], { ...server.owner, cwd: '/' })
        .status;
    expect(limit(String(24 * 1024 * 1024))).to.equal(0);
    try {
      const { code, stderr } = await prove({
        '001_full.up.sql': `CREATE TABLE full_up AS SELECT repeat('x', 1000) AS x FROM generate_series(1, 50000);`,
      });
      expect(code, stderr).to.equal(40);
      expect(stderr).to.include('001_full.up.sql').and.include('could not extend file');
      expect(await scratches()).to.deep.equal([]);
    } finally {
      limit('unlimited');
    }
  });

  it('which dies in the middle ends with 30, and a later run drops what is left', async () => {
    const proving = prove({ '001_slow.up.sql': 'SELECT pg_sleep(60);' });
    await eventually('the migration sleeps', async () => {
      const found = await query(`SELECT datname AS one FROM pg_stat_activity WHERE wait_event = 'PgSleep'`);
      return found.length > 0 || undefined;
    });
    await server.restart('immediate');
    const { code, stderr } = await proving;
    expect(code, stderr).to.equal(30);
    expect(await scratches()).to.have.length(2);
    expect((await prove({ '001_slow.up.sql': 'SELECT 1;' })).code).to.equal(0);
    expect(await scratches()).to.deep.equal([]);
  });
});
