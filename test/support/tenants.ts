/** Many schemas of one database, and the command run on them. */
import pg from 'pg';

import { startCli, type CliProcess, type CliResult } from './cli.ts';
import { useDatabase } from './databases.ts';
import { documentOf } from './json-documents.ts';
import { copiesOf } from './tenant-copies.ts';
import { useWorkspace, type Workspace } from './workspace.ts';

/** Of a table that is named schema_migrations. */
export const CONSTANT_KEY = '7244554146635925501';

const TENANT_FILES = {
  '001_users.up.sql': 'CREATE TABLE users (id int PRIMARY KEY, name text);',
  '001_users.down.sql': 'DROP TABLE users;',
  '002_orders.up.sql': 'CREATE TABLE orders (id int, owner int REFERENCES users);',
  '002_orders.down.sql': 'DROP TABLE orders;',
};

/** Of the document of `up` and `down`. */
export interface TenantEntry {
  readonly schema: string;
  readonly state: string;
  readonly exit: number;
  readonly done: readonly { readonly version: string }[];
  readonly error?: { readonly code: string; readonly summary: string; readonly sqlstate?: string };
}

type Env = Readonly<Record<string, string>>;

export class Tenants {
  readonly #workspace: () => Workspace;
  readonly #database: () => string;

  constructor(workspace: () => Workspace, database: () => string) {
    this.#workspace = workspace;
    this.#database = database;
  }

  get workspace(): Workspace {
    return this.#workspace();
  }

  get url(): string {
    return this.#database();
  }

  async query<R extends pg.QueryResultRow>(sql: string): Promise<R[]> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      return (await client.query<R>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async make(...schemas: readonly string[]): Promise<void> {
    await this.query(schemas.map((schema) => `CREATE SCHEMA ${pg.escapeIdentifier(schema)}`).join(';'));
  }

  /** `t0001`, `t0002`, … */
  async makeMany(count: number): Promise<string[]> {
    const names = Array.from({ length: count }, (_, index) => `t${String(index + 1).padStart(4, '0')}`);
    await this.make(...names);
    return names;
  }

  /** Makes schemas with these numbers, with the history that `t0001` has. */
  async copy(from: number, to: number): Promise<void> {
    await this.query(copiesOf(from, to));
  }

  /** A few in each transaction, as one over all would fill the lock table. */
  async dropAll(): Promise<void> {
    const rows = await this.query<{ name: string }>(
      `SELECT quote_ident(nspname) AS name FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$'`,
    );
    for (let at = 0; at < rows.length; at += 100)
      await this.query(
        rows
          .slice(at, at + 100)
          .map(({ name }) => `DROP SCHEMA ${name} CASCADE`)
          .join(';'),
      );
    await this.query('CREATE SCHEMA public');
  }

  start(args: readonly string[], env: Env = {}): CliProcess {
    const { PATH = '', LOCKSTEP_DIR = '' } = this.workspace.env;
    return startCli(args, { env: { PATH, LOCKSTEP_DIR, DATABASE_URL: this.url, ...env } });
  }

  run(args: readonly string[], env: Env = {}): Promise<CliResult> {
    return this.start(args, env).exited;
  }

  /** How often each version was applied in each schema, by the journals. */
  async appliedTimes(schemas: readonly string[]): Promise<Record<string, number>[]> {
    const times: Record<string, number>[] = [];
    for (let at = 0; at < schemas.length; at += 100) {
      const rows = await this.query<{ times: Record<string, number> | null }>(
        schemas
          .slice(at, at + 100)
          .map(
            (schema) =>
              `SELECT json_object_agg(version, n) AS times FROM (SELECT version, count(*) AS n FROM ${pg.escapeIdentifier(schema)}.schema_migrations_journal WHERE event = 'applied' GROUP BY 1 ORDER BY 1) x`,
          )
          .join(' UNION ALL '),
      );
      times.push(...rows.map((row) => row.times ?? {}));
    }
    return times;
  }
}

/** In a `describe`: a database, by default one of its own, in which each test has the schemas that it makes. */
export function useTenants(database = useDatabase()): () => Tenants {
  const workspace = useWorkspace();
  const tenants = new Tenants(workspace, database);
  beforeEach('the files, and no schema', async () => {
    await tenants.workspace.write(TENANT_FILES);
    await tenants.dropAll();
  });
  return () => tenants;
}

/** Of `up` and `down` with --json. */
export function entriesOf(result: CliResult): TenantEntry[] {
  return documentOf('tenants', result)['schemas'] as TenantEntry[];
}
