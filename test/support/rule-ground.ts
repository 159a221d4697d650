/** Runs the examples of the rules on a server, and says what another session sees meanwhile. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';

import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';
import { parseDirectives } from '../../src/core/migration.ts';
import { EXAMPLE_SCHEMA } from '../../src/core/rules/example-schema.ts';
import { analyze } from '../../src/engine/apply/analyze.ts';
import { eventually } from './bounded.ts';

/** From the weakest to the strongest. */
export const LOCK_MODES = [
  'ACCESS SHARE',
  'ROW SHARE',
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE',
] as const;

/** What one file does to a table that was there before. */
export interface Seen {
  /** The strongest lock that it has or waits for. */
  readonly lock?: (typeof LOCK_MODES)[number];
  readonly scans: boolean;
  readonly rewrites: boolean;
  readonly 'changes rows': boolean;
}

const ROWS = `
INSERT INTO customers (email, name, country) SELECT 'c' || n || '@example.org', 'Customer ' || n, 'DE' FROM generate_series(1, 50) n;
INSERT INTO orders (customer_id, state, total, placed_at)
  SELECT n % 40 + 1, CASE n % 2 WHEN 0 THEN 'open' ELSE 'paid' END, n, '2024-01-01'::timestamptz + n * interval '1 min'
    FROM generate_series(1, 5000) n;
INSERT INTO events SELECT '2024-01-01'::timestamptz + n * interval '1 hour', 'body' FROM generate_series(1, 500) n;
REFRESH MATERIALIZED VIEW revenue;
ANALYZE;`;

const CLUSTER_OBJECTS = ['SET allow_in_place_tablespaces = on', "CREATE TABLESPACE fast_disks LOCATION ''"];

/** Of every table that the next file finds. */
const FILES =
  "SELECT oid::int, oid::regclass::text AS name, pg_relation_filenode(oid)::int AS file FROM pg_class WHERE relkind IN ('r', 'm', 'p') AND relnamespace = 'public'::regnamespace";
const LOCKS =
  "SELECT relation::int AS oid, mode FROM pg_locks WHERE pid = $1 AND locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
const COUNTERS =
  'SELECT relid::int AS oid, coalesce(seq_scan, 0) > 0 OR coalesce(idx_scan, 0) > 0 AS scans, n_tup_ins + n_tup_upd + n_tup_del > 0 AS changes FROM pg_stat_xact_user_tables';

interface TableFile {
  readonly oid: number;
  readonly name: string;
  readonly file: number | null;
}

/** The examples' tables with rows, in a database that trials copy. */
export async function prepareGround(serverUrl: string): Promise<string> {
  const template = `ground_${randomBytes(4).toString('hex')}`;
  await withClient(serverUrl, async (client) => {
    for (const sql of CLUSTER_OBJECTS) await client.query(sql);
    await client.query(`CREATE DATABASE ${template}`);
  });
  await withClient(at(serverUrl, template), async (client) => {
    await client.query('CREATE ACCESS METHOD columnar TYPE TABLE HANDLER heap_tableam_handler');
    await client.query(EXAMPLE_SCHEMA);
    await client.query(ROWS);
  });
  return template;
}

/** A copy of the ground for one trial. */
export async function onGround<T>(
  { serverUrl, template }: { readonly serverUrl: string; readonly template: string },
  body: (trial: Trial) => Promise<T>,
): Promise<T> {
  const name = `trial_${randomBytes(4).toString('hex')}`;
  const url = at(serverUrl, name);
  await withClient(serverUrl, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  try {
    return await withClient(url, (observer) => withClient(url, (writer) => body(new Trial(url, observer, writer))));
  } finally {
    await withClient(serverUrl, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
  }
}

export class Trial {
  readonly #url: string;
  readonly #observer: pg.Client;
  readonly #writer: pg.Client;

  constructor(url: string, observer: pg.Client, writer: pg.Client) {
    this.#url = url;
    this.#observer = observer;
    this.#writer = writer;
  }

  /** The first value of the last result. */
  async query(sql: string): Promise<unknown> {
    const results = [await this.#observer.query<Record<string, unknown>>(sql)].flat();
    return Object.values(results.at(-1)?.rows[0] ?? {})[0];
  }

  async works(sql: string): Promise<boolean> {
    return await this.query(sql).then(
      () => true,
      () => false,
    );
  }

  /** Runs a file as Lockstep does. @throws pg.DatabaseError after ROLLBACK. */
  async run(text: string): Promise<ReadonlyMap<string, Seen>> {
    const script = { file: '1_x.up.sql', text, checksum: '', directives: parseDirectives(text).directives };
    const { parsed } = await analyze(script, 'up', createSqlParser());
    if (!parsed) throw new Error(`cannot parse ${text}`);
    // A session keeps what it has counted for a while, so each file has its own.
    return await withClient(this.#url, async (session) => {
      if (parsed.mode === 'transaction') return await this.#inTransaction(session, text);
      const all = new Map<string, Seen>();
      for (const { start, end } of parsed.statements)
        for (const [table, one] of await this.#besideWriter(session, text.slice(start, end))) all.set(table, one);
      return all;
    });
  }

  async #inTransaction(session: pg.Client, text: string): Promise<ReadonlyMap<string, Seen>> {
    const before = await this.#files(this.#observer);
    await session.query('BEGIN');
    try {
      await session.query(text);
      const locks = await this.#locks(session);
      const { rows: counters } = await session.query<{ oid: number; scans: boolean; changes: boolean }>(COUNTERS);
      const after = await this.#files(session);
      await session.query('COMMIT');
      return tables(before, after, (oid) => ({
        locks: locks.get(oid) ?? [],
        scans: counters.some((one) => one.oid === oid && one.scans),
        changes: counters.some((one) => one.oid === oid && one.changes),
      }));
    } catch (error) {
      await session.query('ROLLBACK');
      throw error;
    }
  }

  /** What runs outside a transaction is seen while it waits for a session that has written to every table. */
  async #besideWriter(session: pg.Client, sql: string): Promise<ReadonlyMap<string, Seen>> {
    const before = await this.#files(this.#observer);
    const names = before.map(({ name }) => name).filter((name) => name !== 'revenue');
    await this.#writer.query(`BEGIN; LOCK TABLE ${names.join(', ')} IN ROW EXCLUSIVE MODE`);
    let done = false;
    const ended = session
      .query(sql)
      .then(
        () => undefined,
        (error: unknown) => error as Error,
      )
      .finally(() => {
        done = true;
      });
    const locks = await eventually(`${sql} to wait or to end`, async () => {
      const waiting = await this.#observer.query('SELECT FROM pg_locks WHERE pid = $1 AND NOT granted', [
        pidOf(session),
      ]);
      return (done || waiting.rowCount !== 0) && (await this.#locks(session));
    }).finally(() => this.#writer.query('COMMIT'));
    const error = await ended;
    if (error) throw error;
    const after = await this.#files(this.#observer);
    return tables(before, after, (oid) => ({ locks: locks.get(oid) ?? [], scans: false, changes: false }));
  }

  async #files(client: pg.Client): Promise<readonly TableFile[]> {
    return (await client.query<TableFile>(FILES)).rows;
  }

  async #locks(session: pg.Client): Promise<ReadonlyMap<number, readonly string[]>> {
    const { rows } = await this.#observer.query<{ oid: number; mode: string }>(LOCKS, [pidOf(session)]);
    return new Map([...Map.groupBy(rows, ({ oid }) => oid)].map(([oid, all]) => [oid, all.map(({ mode }) => mode)]));
  }
}

function tables(
  before: readonly TableFile[],
  after: readonly TableFile[],
  look: (oid: number) => { readonly locks: readonly string[]; readonly scans: boolean; readonly changes: boolean },
): ReadonlyMap<string, Seen> {
  return new Map(
    before.map(({ oid, name, file }) => {
      const { locks, scans, changes } = look(oid);
      const lock = LOCK_MODES.findLast((mode) => locks.includes(`${pascal(mode)}Lock`));
      const now = after.find((one) => one.oid === oid);
      return [
        name,
        { ...(lock && { lock }), scans, rewrites: now !== undefined && now.file !== file, 'changes rows': changes },
      ];
    }),
  );
}

/** As pg_locks has it: AccessExclusive. */
function pascal(mode: string): string {
  return mode.toLowerCase().replaceAll(/(?:^| )(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function pidOf(client: pg.Client): number {
  return (client as unknown as { processID: number }).processID;
}

function at(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

async function withClient<T>(url: string, body: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}
