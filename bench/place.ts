// Answers: where does the bench run? On a temporary PostgreSQL as it is by default (fsync on), in a database per use.
import { spawnSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startPostgres } from '../scripts/postgres/server.ts';
import type { Command } from './command.ts';
import type { Contender } from './contenders/contender.ts';
import type { Migration } from './migrations.ts';

/** What the server of the tests has otherwise, for speed, set back to PostgreSQL's defaults. */
const defaults = { fsync: 'on', shared_buffers: '128MB', max_connections: '100' };

export class Place {
  readonly #server: Awaited<ReturnType<typeof startPostgres>>;
  readonly #admin: pg.Client;
  readonly #folder: string;
  #count = 0;

  private constructor(server: Awaited<ReturnType<typeof startPostgres>>, admin: pg.Client, folder: string) {
    this.#server = server;
    this.#admin = admin;
    this.#folder = folder;
  }

  /** `folder` is for files; `settings` win over PostgreSQL's defaults. */
  static async open(folder: string, settings: Record<string, string> = {}): Promise<Place> {
    const server = await startPostgres({ settings: { ...defaults, ...settings } });
    const admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    return new Place(server, admin, folder);
  }

  /** The server's own database. */
  get url(): string {
    return this.#server.url;
  }

  /** An empty database. The address says what libpq and its likes need to hear: that there is no TLS. */
  async database(): Promise<string> {
    this.#count += 1;
    const name = `bench_${this.#count}`;
    await this.#admin.query(`CREATE DATABASE ${name}`);
    const url = new URL(this.#server.url);
    url.pathname = name;
    url.search = 'sslmode=disable';
    return url.href;
  }

  async drop(url: string): Promise<void> {
    await this.#admin.query(`DROP DATABASE ${new URL(url).pathname.slice(1)} WITH (FORCE)`);
  }

  /** A folder of its own with these migrations; the command applies them to `url`. */
  async prepare(contender: Contender, url: string, migrations: readonly Migration[]): Promise<Command> {
    const folder = await mkdtemp(join(this.#folder, `${contender.name.replaceAll(/\W+/g, '-')}-`));
    return await contender.prepare(folder, url, migrations);
  }

  /** Brings to disk what is not there yet, so that the next run does not pay for it with its own COMMITs. */
  async settle(): Promise<void> {
    await this.#admin.query('CHECKPOINT');
    spawnSync('sync');
  }

  /**
   * How many client sessions of that kind (a condition on pg_stat_activity) the server has; asked over the bench's own
   * one.
   */
  async sessions(which: string): Promise<number> {
    const { rows } = await this.#admin.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE backend_type = 'client backend' AND ${which}`,
    );
    return rows[0]?.count ?? 0;
  }

  /** The rows of one query, over a connection of its own. */
  async query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** @throws Error unless so many of `smallTables` are there. */
  async expectTables(url: string, count: number): Promise<void> {
    const [found] = await this.query<{ count: number }>(
      url,
      `SELECT count(*)::int AS count FROM pg_tables WHERE tablename LIKE 'items_%'`,
    );
    if (found?.count !== count) throw new Error(`${found?.count} of ${count} migrations were applied`);
  }

  async close(): Promise<void> {
    await this.#admin.end();
    await this.#server.stop();
  }
}
