/**
 * A temporary workspace for one test: a schema, a lock key, a directory for migration files, an environment for
 * processes.
 *
 *     describe('…', () => {
 *       const workspace = useWorkspace();
 *       it('…', async () => {
 *         await workspace().write({ '001_a.up.sql': 'CREATE TABLE a ()' });
 *         const { code } = await runCli(['up'], workspace());
 *         expect(await workspace().versions()).to.deep.equal(['001_a']);
 *       });
 *     });
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

import { testServer, withoutPassword } from './server.ts';

export class Workspace {
  readonly schema: string;
  /** Signed 64-bit, in decimal; no other test uses it. */
  readonly lockKey: string;
  readonly dir: string;
  /** The server's original address, without a search_path. */
  readonly serverUrl: string;
  /**
   * With `search_path=<schema>`, which Lockstep sets in its sessions. The driver `pg` ignores it: see `client`, `pool`.
   */
  readonly url: string;
  /** The whole environment for a child process: PATH and these settings, nothing of the developer's. */
  readonly env: Readonly<Record<string, string>>;
  readonly #own: pg.Pool;
  readonly #deferred: (() => unknown)[] = [];

  private constructor(serverUrl: string, dir: string) {
    this.schema = `lockstep_test_${randomBytes(6).toString('hex')}`;
    this.lockKey = String((randomBytes(8).readBigUInt64BE() >> 1n) | 1n);
    this.dir = dir;
    this.serverUrl = serverUrl;
    const url = new URL(serverUrl);
    url.searchParams.set('search_path', this.schema);
    this.url = url.href;
    this.env = {
      PATH: process.env['PATH'] ?? '',
      DATABASE_URL: this.url,
      LOCKSTEP_DIR: dir,
      LOCKSTEP_LOCK_KEY: this.lockKey,
    };
    this.#own = new pg.Pool({ ...this.#address(), max: 1 });
    this.#own.on('error', () => undefined);
  }

  static async create(serverUrl: string): Promise<Workspace> {
    const workspace = new Workspace(serverUrl, await mkdtemp(join(tmpdir(), 'lockstep-test-')));
    await workspace.query(`CREATE SCHEMA ${workspace.schema}`);
    return workspace;
  }

  /** Writes migration files, by name. */
  async write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) await writeFile(join(this.dir, name), text);
  }

  /** One statement in this schema, on a connection that stays open and idle between the calls. */
  async query<R extends object = Record<string, unknown>>(sql: string, values: readonly unknown[] = []): Promise<R[]> {
    const { rows } = await this.#own.query<R>(sql, [...values]);
    return rows;
  }

  /** A connected client in this schema, ended with the test. */
  async client(config: pg.ClientConfig = {}): Promise<pg.Client> {
    const client = new pg.Client({ ...this.#address(), ...config });
    client.on('error', () => undefined);
    await client.connect();
    this.defer(() => client.end());
    return client;
  }

  /** A pool in this schema, ended with the test. */
  pool(config: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ ...this.#address(), ...config });
    pool.on('error', () => undefined);
    this.defer(() => pool.end());
    return pool;
  }

  /** The applied versions, by number. */
  async versions(table = 'schema_migrations'): Promise<string[]> {
    const rows = await this.query<{ version: string }>(
      `SELECT version FROM ${table} ORDER BY substring(version FROM '^[0-9]+')::numeric, version`,
    );
    return rows.map(({ version }) => version);
  }

  /** The number of journal rows with this event, by version. */
  async journalCounts(event: string, table = 'schema_migrations'): Promise<Record<string, number>> {
    const rows = await this.query<{ version: string; count: number }>(
      `SELECT version, count(*)::int FROM ${table}_journal WHERE event = $1 AND version IS NOT NULL GROUP BY version ORDER BY version`,
      [event],
    );
    return Object.fromEntries(rows.map(({ version, count }) => [version, count]));
  }

  /** The names of INVALID indexes in this schema. */
  async invalidIndexes(): Promise<string[]> {
    const rows = await this.query<{ relname: string }>(
      `SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE NOT i.indisvalid AND c.relnamespace = $1::regnamespace ORDER BY 1`,
      [this.schema],
    );
    return rows.map(({ relname }) => relname);
  }

  /** Sessions that hold the workspace's lock key or wait for it inside PostgreSQL. */
  async lockSessions(): Promise<{ pid: number; granted: boolean; mode: string; name: string }[]> {
    return await this.query(
      `SELECT l.pid, l.granted, l.mode, a.application_name AS name FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'advisory' AND l.objsubid = 1
          AND ((l.classid::bigint << 32) | l.objid::bigint) = $1::bigint
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY l.pid`,
      [this.lockKey],
    );
  }

  /** Runs after the test, latest first, whether it passed or not. */
  readonly defer = (cleanup: () => unknown): void => {
    this.#deferred.push(cleanup);
  };

  /**
   * Closes everything that the test has opened; drops everything that this workspace has created, unless it is kept.
   */
  async close({ keep }: { readonly keep: boolean }): Promise<void> {
    const failures: unknown[] = [];
    for (const cleanup of this.#deferred.reverse()) {
      await Promise.resolve(cleanup()).catch((error: unknown) => failures.push(error));
    }
    if (!keep) {
      await this.query(`DROP SCHEMA ${this.schema} CASCADE`).catch((error: unknown) => failures.push(error));
      await rm(this.dir, { recursive: true, force: true });
    }
    await this.#own.end();
    if (failures.length > 0) throw failures[0];
  }

  toString(): string {
    return `schema ${this.schema} at ${withoutPassword(this.serverUrl)}, lock key ${this.lockKey}, files in ${this.dir}`;
  }

  #address(): pg.ClientConfig {
    const options = `-c search_path=${this.schema}`;
    return { connectionString: this.serverUrl, options, application_name: 'lockstep test' };
  }
}

/**
 * In a `describe`: a separate workspace for each of the tests. It is kept, and named in the output,
 * when the test fails. `server` returns the address of a server other than the shared one.
 */
export function useWorkspace(server?: () => string): () => Workspace {
  let current: Workspace | undefined;

  beforeEach('make a workspace', async function () {
    current = await Workspace.create(server === undefined ? (await testServer(this)).url : server());
  });

  afterEach('drop the workspace', async function () {
    const workspace = current;
    current = undefined;
    const keep = this.currentTest?.state === 'failed';
    if (keep && workspace) {
      const embedded = (process.env['DATABASE_URL'] ?? '') === '';
      const hint = embedded ? ' (an embedded server ends with this process: set DATABASE_URL to look at it later)' : '';
      console.error(`      kept: ${workspace.toString()}${hint}`);
    }
    await workspace?.close({ keep });
  });

  return () => {
    if (!current) throw new Error('a workspace exists only while a test runs');
    return current;
  };
}
