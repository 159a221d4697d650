/** Places on a real server: a throwaway schema and a lock key for each test. */
import { PostgresDatabase } from '../../src/adapters/postgres/database.ts';
import { DedicatedConnections } from '../../src/adapters/postgres/connection/dedicated.ts';
import type { Session } from '../../src/core/ports.ts';
import { within } from '../support/bounded.ts';
import { blockOnKey, holdKey } from '../support/holder.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace, type Workspace } from '../support/workspace.ts';
import type { Place } from './place.ts';

/** Must be called in a `describe`. */
export function postgresPlaces(): () => Place {
  const workspace = useWorkspace();
  return () => postgresPlace(workspace());
}

function postgresPlace(workspace: Workspace): Place {
  const { lockKey, serverUrl } = workspace;
  const connections = new DedicatedConnections({ databaseUrl: workspace.url, env: {} }, undefined);
  const database = new PostgresDatabase({
    connect: connections.connect,
    second: connections.connect,
    allowPooler: false,
    table: { name: 'schema_migrations' },
    lockKey: BigInt(lockKey),
    role: undefined,
    reporter: new Recorder(),
  });
  const opened: Session[] = [];
  return {
    async open(runner) {
      const session = await database.open(runner, new AbortController().signal);
      opened.push(session);
      return session;
    },
    async kill(session) {
      const lost = new Promise((resolve) => session.lost.addEventListener('abort', resolve));
      await workspace.query('SELECT pg_terminate_backend($1, 10000)', [session.pid]);
      await within(lost, 'the session to notice that it is lost');
    },
    async holdLock(applicationName) {
      const holder = await holdKey(serverUrl, lockKey, applicationName);
      const end = (): Promise<void> => holder.release();
      workspace.defer(end);
      return { pid: holder.pid, end };
    },
    async blockOnLock(applicationName) {
      const waiter = await blockOnKey(serverUrl, lockKey, applicationName);
      const end = (): Promise<void> => waiter.close();
      waiter.ended.catch(() => undefined);
      workspace.defer(end);
      return { pid: waiter.pid, ended: waiter.ended, end };
    },
    async makeOriginalTable(...versions) {
      await workspace.query(
        'CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
      );
      for (const version of versions) await this.applyAsOriginal(version);
    },
    async applyAsOriginal(version) {
      await workspace.query('INSERT INTO schema_migrations (version) VALUES ($1)', [version]);
    },
    async makeForeignTable(name, ...versions) {
      await workspace.query(`CREATE TABLE ${name} (version varchar PRIMARY KEY)`);
      for (const version of versions) await workspace.query(`INSERT INTO ${name} VALUES ($1)`, [version]);
    },
    async hasTable(name) {
      const [row] = await workspace.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [name]);
      return row!.there;
    },
    async makeInvalidIndex(name) {
      await workspace.query(`CREATE TABLE ${name} AS SELECT 1 AS a FROM generate_series(1, 2)`);
      await workspace.query(`CREATE UNIQUE INDEX CONCURRENTLY ${name}_a ON ${name} (a)`).catch(() => undefined);
      // The server answers this query only after it has cleaned up the failed build.
      await workspace.query('SELECT 1');
    },
    async close() {
      for (const session of opened) await session.close();
    },
  };
}
