/** A real PgBouncer in front of a test server, for as long as a test runs. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import pg from 'pg';

import { eventually } from './bounded.ts';
import { skip } from './skip.ts';

type PoolMode = 'session' | 'transaction' | 'statement';

export interface PgBouncer {
  /** The server's address through the pooler, with the original parameters. */
  readonly url: string;
  /** The pids of the pooler's current backends. */
  backends(): Promise<number[]>;
  stop(): Promise<void>;
}

interface PgBouncerOptions {
  readonly mode: PoolMode;
  /** The maximum number of backends; 20 by default. */
  readonly size?: number;
  /**
   * False keeps a client's session state on its backend. By default PgBouncer sends DISCARD ALL after the client has
   * left.
   */
  readonly resets?: boolean;
}

/** The user of the pooler's own console. */
const ADMIN = 'pooler_admin';

/** On the PATH, or in the directory of Debian's package. */
function program(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, 'pgbouncer')).find((file) => existsSync(file));
}

/** Skips the tests on a machine without PgBouncer, with the reason; with LOCKSTEP_NO_SKIP, as in CI, they fail. */
export function requirePgBouncer(context: Mocha.Context): void {
  if (program() !== undefined) return;
  skip(
    context,
    'There is no pgbouncer on the PATH nor in /usr/sbin, so the tests of poolers do not run (Debian: apt-get install pgbouncer).',
  );
}

/** @throws Error with PgBouncer's own message when it does not start. */
export async function startPgBouncer(
  url: string,
  { mode, size = 20, resets = true }: PgBouncerOptions,
): Promise<PgBouncer> {
  const server = new URL(url);
  const account = unprivileged();
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-pgbouncer-'));
  const port = await freePort();
  const settings = join(folder, 'pgbouncer.ini');
  await writeFile(join(folder, 'users.txt'), `"${server.username}" ""\n"${ADMIN}" ""\n`);
  await writeFile(settings, settingsFor(server, { mode, size, resets, port, folder }));
  await chmod(folder, 0o755);
  if (account !== undefined) await chown(folder, account.uid, account.gid);
  const process = spawn(program() ?? 'pgbouncer', ['--quiet', settings], {
    ...account,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  process.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = String(port);
  const bouncer: PgBouncer = {
    url: through.href,
    backends: () => backendsOf(port),
    stop: async () => {
      await end(process);
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await eventually('PgBouncer to answer', async () => {
      if (hasEnded(process))
        throw new Error(`PgBouncer ended: ${said}${await readFile(join(folder, 'log'), 'utf8').catch(() => '')}`);
      return await backendsOf(port).then(
        () => true,
        () => false,
      );
    });
  } catch (error) {
    await bouncer.stop();
    throw error;
  }
  return bouncer;
}

interface Place {
  readonly mode: PoolMode;
  readonly size: number;
  readonly resets: boolean;
  readonly port: number;
  readonly folder: string;
}

function settingsFor(server: URL, { mode, size, resets, port, folder }: Place): string {
  const password =
    server.password === '' ? '' : ` password='${decodeURIComponent(server.password).replaceAll("'", "''")}'`;
  return `[databases]
* = host=${server.hostname} port=${server.port === '' ? '5432' : server.port} user=${decodeURIComponent(server.username)}${password}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
logfile = ${join(folder, 'log')}
auth_type = trust
auth_file = ${join(folder, 'users.txt')}
admin_users = ${ADMIN}
pool_mode = ${mode}
default_pool_size = ${size}
max_client_conn = 200
${resets ? '' : 'server_reset_query =\n'}`;
}

async function backendsOf(port: number): Promise<number[]> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: ADMIN,
    database: 'pgbouncer',
    connectionTimeoutMillis: 2_000,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<{ remote_pid: number | string }>('SHOW SERVERS');
    return rows.map((row) => Number(row.remote_pid));
  } finally {
    await client.end();
  }
}

/** PgBouncer refuses to run as root. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const nobody = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  if (nobody === null) throw new Error('PgBouncer does not run as root, and there is no account "nobody".');
  return { uid: Number(nobody[1]), gid: Number(nobody[2]) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function end(process: ChildProcess): Promise<void> {
  if (hasEnded(process)) return;
  const closed = once(process, 'close');
  // SIGTERM ends it at once, SIGINT once its clients have left.
  process.kill('SIGTERM');
  await closed;
}

function hasEnded(process: ChildProcess): boolean {
  return process.exitCode !== null || process.signalCode !== null;
}
