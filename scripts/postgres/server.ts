// Answers: how does a real PostgreSQL start, restart and stop for tests, demo and bench? It ends with the process that
// started it.
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { chown, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { makeFolder, serverAccount, sharedTmpdir, watchFolder, type Account } from './folder.ts';
import { environment, programs } from './programs.ts';

export interface PostgresOptions {
  /** Server settings, as in postgresql.conf; they win over the ones below. */
  settings?: Record<string, string>;
  /**
   * The major version, else LOCKSTEP_POSTGRES, else 18. The older ones are there once scripts/matrix.ts has installed
   * them.
   */
  version?: number;
  /** How clients on 127.0.0.1 prove who they are; with scram-sha-256 a random password is made. */
  auth?: 'trust' | 'scram-sha-256';
  /** The TCP port; a free one without it. */
  port?: number;
  /** Also shows the server's log on stderr when the server stops. */
  log?: boolean;
}

export interface Postgres {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly dataDir: string;
  readonly logFile: string;
  /** The account that the server runs as: files it must read (a TLS key) belong to it. */
  readonly owner: { uid: number; gid: number };
  /** Changes with each restart. */
  readonly postmasterPid: number;
  /** `fast` ends sessions in order; `immediate` is a crash: the server recovers from its log. The port stays. */
  restart(mode: 'fast' | 'immediate'): Promise<void>;
  /** Ends the server and removes its data. A second call does nothing. */
  stop(): Promise<void>;
}

const host = '127.0.0.1';
const user = 'postgres';
const database = 'postgres';
const readyWithinMs = 30_000;
const stopWithinMs = 5_000;

const defaultSettings: Record<string, string> = {
  listen_addresses: host,
  unix_socket_directories: '',
  max_connections: '300',
  shared_buffers: '64MB',
  // A crash of the server loses nothing without it, only a crash of the machine does.
  fsync: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] %q%a ',
};

async function freePort(): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

class Server implements Postgres {
  readonly host = host;
  readonly user = user;
  readonly database = database;
  port = 0;
  readonly password: string | undefined;
  readonly dataDir: string;
  readonly logFile: string;
  readonly owner: { uid: number; gid: number };
  readonly #folder: string;
  readonly #native: string;
  readonly #account: Account;
  readonly #options: PostgresOptions;
  #watchdog: ChildProcess | undefined;
  #postmaster: ChildProcess | undefined;

  constructor(place: { folder: string; native: string; account: Account }, options: PostgresOptions) {
    this.#folder = place.folder;
    this.#native = place.native;
    this.#account = place.account;
    this.#options = options;
    this.owner = { uid: place.account.uid, gid: place.account.gid };
    this.dataDir = join(place.folder, 'data');
    this.logFile = join(place.folder, 'server.log');
    this.password = options.auth === 'scram-sha-256' ? randomBytes(12).toString('hex') : undefined;
  }

  get url(): string {
    return `postgres://${user}${this.password === undefined ? '' : `:${this.password}`}@${host}:${this.port}/${database}`;
  }

  get postmasterPid(): number {
    const pid = this.#postmaster?.pid;
    if (pid === undefined) throw new Error('The PostgreSQL server is not running.');
    return pid;
  }

  /** Makes the data folder and starts the server, on another port if somebody took the one that was free. */
  async start(): Promise<void> {
    this.#watchdog = watchFolder(this.#folder, this.#account);
    await this.#initdb();
    for (let attempt = 1; ; attempt += 1) {
      this.port = this.#options.port ?? (await freePort());
      if (await this.#startPostmaster()) return;
      if (attempt === 3) throw new Error(`PostgreSQL did not start:\n${await this.#logTail()}`);
    }
  }

  async restart(mode: 'fast' | 'immediate'): Promise<void> {
    await this.#endPostmaster(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    for (let attempt = 1; !(await this.#startPostmaster()); attempt += 1) {
      if (attempt === 3) throw new Error(`PostgreSQL did not start again:\n${await this.#logTail()}`);
      await sleep(200);
    }
  }

  async stop(): Promise<void> {
    await this.#endPostmaster('SIGINT');
    if (this.#options.log === true) process.stderr.write(await readFile(this.logFile, 'utf8').catch(() => ''));
    await rm(this.#folder, { recursive: true, force: true });
    const watchdog = this.#watchdog;
    this.#watchdog = undefined;
    watchdog?.stdin?.end();
  }

  async #initdb(): Promise<void> {
    const { auth = 'trust' } = this.#options;
    const passwordFile = join(this.#folder, 'password');
    if (this.password !== undefined) {
      await writeFile(passwordFile, this.password, { mode: 0o600 });
      await chown(passwordFile, this.#account.uid, this.#account.gid);
    }
    const initdb = spawn(
      join(this.#native, 'bin', 'initdb'),
      [
        `--pgdata=${this.dataDir}`,
        `--username=${user}`,
        '--encoding=UTF8',
        '--locale=C',
        '--auth-local=trust',
        `--auth-host=${auth}`,
        '--no-sync',
        '--no-instructions',
        ...(this.password === undefined ? [] : [`--pwfile=${passwordFile}`]),
      ],
      { ...this.#account.become, cwd: this.#folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let output = '';
    initdb.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    initdb.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(initdb, 'close')) as [number | null];
    if (code !== 0) throw new Error(`initdb failed (exit ${code ?? 'by a signal'}):\n${output}`);
    await rm(passwordFile, { force: true });
  }

  /** True when the server accepts connections, false when it ended instead. */
  async #startPostmaster(): Promise<boolean> {
    const settings = { ...defaultSettings, ...this.#options.settings, port: String(this.port) };
    const log = openSync(this.logFile, 'a', 0o644);
    const postmaster = spawn(
      join(this.#native, 'bin', 'postgres'),
      ['-D', this.dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      // Ctrl-C in a terminal is for those who use the server; they stop it when they are done.
      { ...this.#account.become, detached: true, cwd: this.#folder, env: environment, stdio: ['ignore', log, log] },
    );
    closeSync(log);
    postmaster.unref();
    await once(postmaster, 'spawn');
    this.#postmaster = postmaster;
    const deadline = Date.now() + readyWithinMs;
    while (!hasEnded(postmaster)) {
      if (await this.#isReady(postmaster.pid)) return true;
      if (Date.now() > deadline)
        throw new Error(`PostgreSQL was not ready within ${readyWithinMs / 1000} s:\n${await this.#logTail()}`);
      await sleep(15);
    }
    this.#postmaster = undefined;
    return false;
  }

  /**
   * Whether this very server accepts connections: it says so in the last line of its pid file, where pg_ctl looks too.
   */
  async #isReady(pid: number | undefined): Promise<boolean> {
    const lines = (await readFile(join(this.dataDir, 'postmaster.pid'), 'utf8').catch(() => ''))
      .split('\n')
      .map((line) => line.trim());
    return lines[0] === String(pid) && ['ready', 'standby'].includes(lines[7] ?? '');
  }

  async #endPostmaster(first: 'SIGINT' | 'SIGQUIT'): Promise<void> {
    const postmaster = this.#postmaster;
    this.#postmaster = undefined;
    if (postmaster === undefined) return;
    for (const signal of [first, 'SIGQUIT', 'SIGKILL'] as const) {
      if (hasEnded(postmaster)) return;
      postmaster.kill(signal);
      const deadline = Date.now() + stopWithinMs;
      while (!hasEnded(postmaster) && Date.now() < deadline) await sleep(10);
    }
  }

  async #logTail(): Promise<string> {
    return (await readFile(this.logFile, 'utf8').catch(() => '(no log)')).split('\n').slice(-30).join('\n');
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Starts a server that ends with this process, at the latest. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const account = serverAccount();
  const tmp = sharedTmpdir(account);
  const native = await programs(options.version, account, tmp);
  const folder = await makeFolder(tmp, account);
  const server = new Server({ folder, native, account }, options);
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}
