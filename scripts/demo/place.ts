// Answers: where does the demo run? On a temporary server of its own, or in a schema of its own on the server of
// DATABASE_URL.
import { describePlace, type ConnectionSettings } from '../../src/adapters/postgres/address/connection-settings.ts';
import { openClient } from '../../src/adapters/postgres/connection/connect.ts';
import { readAddress } from '../../src/adapters/postgres/connection/dedicated.ts';
import type { DirectClient } from '../../src/adapters/postgres/connection/driver.ts';
import { MigratorError } from '../../src/core/errors.ts';
import { startPostgres } from '../postgres/server.ts';
import { duration, fact, heading, say, styled } from './screen.ts';

export interface Place {
  /** What the runners get on their command line and in their environment to come here. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Gives back what was taken. A second call does nothing. */
  close(): Promise<void>;
  /** What is left, and how to go on. */
  farewell(finished: boolean): void;
}

const schema = 'lockstep_demo';
const table = `${schema}.migrations`;
const mark = 'Made by the demo of Lockstep (npm start), which drops it when it runs again.';
const readMe = '  README.md tells what Lockstep is for, and how it runs in Kubernetes.';

/**
 * The demo's own settings must be the only ones: a runner here reports to no cluster and follows no LOCKSTEP_…
 * variable.
 */
function environment(remove: RegExp): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !remove.test(name)));
}

export async function ownServer(): Promise<Place> {
  const begin = performance.now();
  const server = await startPostgres();
  const took = duration(performance.now() - begin);
  fact('database', `PostgreSQL 18 on 127.0.0.1:${server.port}: a temporary one, started in ${took}`);
  return {
    args: [],
    env: { ...environment(/^(LOCKSTEP_|KUBERNETES_|PG|DATABASE_URL$)/), DATABASE_URL: `${server.url}?sslmode=disable` },
    close: () => server.stop(),
    farewell(finished) {
      say('The server is stopped and its data is removed.');
      if (!finished) return;
      heading('Next');
      say(readMe);
      say('  To try it by hand:');
      say(`    ${styled('cyan', 'npm run postgres -- 5544')}      (in another terminal)`);
      say(`    ${styled('cyan', 'export DATABASE_URL=postgres://postgres@127.0.0.1:5544/postgres')}`);
      say(`    ${styled('cyan', 'npx node dist/lockstep.mjs up')}      (or status, history, down --steps 1, --help)`);
    },
  };
}

export async function givenServer(databaseUrl: string, signal: AbortSignal): Promise<Place> {
  const settings = await clearly('DATABASE_URL is no address that can be used.', async () =>
    readAddress({ databaseUrl, env: process.env, home: process.env['HOME'] }),
  );
  fact(
    'database',
    `"${settings.database}" on ${settings.hosts.map(describePlace).join(', ')} as user "${settings.user}" (DATABASE_URL)`,
  );
  fact('schema', `${schema}: the demo makes it, works in it, and touches nothing else`);
  const client = await connect(settings, signal);
  try {
    await takeDemoLock(client);
    await makeSchema(client);
  } catch (error) {
    await client.end();
    throw error;
  }
  let isOpen = true;
  return {
    // A table of another name than schema_migrations has a lock key of its own: whoever migrates this database is not
    // held up. The server was reached a moment ago: to wait a minute for it would only look like hanging.
    args: ['--table', table, '--connect-wait', '10s'],
    env: { ...environment(/^(LOCKSTEP_|KUBERNETES_|PGAPPNAME$)/), DATABASE_URL: inSchema(databaseUrl) },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await client.end();
    },
    farewell(finished) {
      if (finished) {
        heading('Next');
        say(readMe);
        say('  To look at what is in the database now:');
        say(`    ${styled('cyan', `npx node dist/lockstep.mjs status --table ${table}`)}      (or history)`);
        say('  To remove it:');
      } else say(`The schema ${schema} is still in the database. To remove it:`);
      say(`    ${styled('cyan', `DROP SCHEMA ${schema} CASCADE;`)}`);
    },
  };
}

/** A later word wins over an earlier one. The name is cleared, so that replicas are told by their pods. */
function inSchema(databaseUrl: string): string {
  const address = databaseUrl.trim();
  const words = [`search_path=${schema}`, 'application_name='];
  if (!/^\w+:\/\//.test(address)) return [address, ...words].join(' ');
  return `${address}${address.includes('?') ? '&' : '?'}${words.join('&')}`;
}

async function connect(settings: ConnectionSettings, signal: AbortSignal): Promise<DirectClient> {
  const { client } = await clearly('Cannot reach the database of DATABASE_URL.', () =>
    openClient(settings, { applicationName: 'lockstep demo', signal }),
  );
  // A loss of this connection shows in the next query, if there is one.
  client.on('error', () => undefined);
  return client;
}

/** Turns what Lockstep says of an address into one message. */
async function clearly<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof MigratorError)) throw error;
    const { summary, hint, details } = error;
    const why = [...(details.problems ?? [summary]), ...(hint === undefined ? [] : [hint])];
    const next = 'Correct it, or run without DATABASE_URL: then the demo starts a server of its own.';
    throw new Error([what, ...[...why, next].map((line) => `  ${line}`)].join('\n'), { cause: error });
  }
}

/** Two demos in one database would drop each other's schema. */
async function takeDemoLock(client: DirectClient): Promise<void> {
  const { rows } = await client.query<{ pid: number; taken: boolean }>(
    `SELECT pg_backend_pid() AS pid, pg_try_advisory_lock(hashtextextended('${schema}', 0)) AS taken`,
  );
  if (rows[0]?.pid !== client.processID) {
    throw new Error(
      'DATABASE_URL leads to a connection pooler, which may give each statement another session.\n  Give the address of the server itself.',
    );
  }
  if (!rows[0].taken)
    throw new Error('Another demo runs in this database now. Wait for its end, or take another database.');
}

async function makeSchema(client: DirectClient): Promise<void> {
  const { rows } = await client.query<{ comment: string | null }>(
    `SELECT obj_description(oid, 'pg_namespace') AS comment FROM pg_namespace WHERE nspname = '${schema}'`,
  );
  const [found] = rows;
  if (found !== undefined && found.comment !== mark) {
    throw new Error(
      `There is a schema ${schema} in this database, and the demo did not make it: it is left as it is.\n  Rename it, or drop it yourself (DROP SCHEMA ${schema} CASCADE), or take another database.`,
    );
  }
  if (found !== undefined) fact('', 'it is there from an earlier demo: dropped, and made anew');
  const statements = [
    'BEGIN',
    `SET LOCAL lock_timeout = '10s'`,
    ...(found === undefined ? [] : [`DROP SCHEMA ${schema} CASCADE`]),
    `CREATE SCHEMA ${schema}`,
    `COMMENT ON SCHEMA ${schema} IS '${mark}'`,
    'COMMIT',
  ];
  await client.query(statements.join('; ')).catch((error: unknown) => {
    throw new Error(`Cannot make the schema ${schema}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  });
}
