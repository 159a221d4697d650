// Answers: where does a server live, and as whom does it run? A temporary folder that goes when its process ends,
// however it ends.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chown, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const PREFIX = 'lockstep-postgres-';

/** The account to run as: PostgreSQL refuses root, so root becomes `nobody`. */
export interface Account {
  uid: number;
  gid: number;
  /** What spawn() needs to become it; nothing when we are it. */
  become: { uid?: number; gid?: number };
}

export function serverAccount(): Account {
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

/** A folder for temporary files that the server's account can enter: TMPDIR may be a private one. */
export function sharedTmpdir({ become }: Account): string {
  const usable = [tmpdir(), '/tmp'].find(
    (dir) =>
      spawnSync('/bin/sh', ['-c', 'cd "$1" && [ -w . ]', 'probe', dir], { ...become, cwd: '/', stdio: 'ignore' })
        .status === 0,
  );
  if (usable === undefined)
    throw new Error(`Neither ${tmpdir()} nor /tmp can be written by the account that runs PostgreSQL.`);
  return usable;
}

/** @param tmp Of sharedTmpdir(). */
export async function makeFolder(tmp: string, { uid, gid }: Account): Promise<string> {
  await removeLeftovers(tmp);
  const folder = await mkdtemp(join(tmp, `${PREFIX}${process.pid}-`));
  await chown(folder, uid, gid);
  return folder;
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

/**
 * Runs beside the server: when our end of its stdin closes, even because we were killed, it ends the server and removes
 * the folder.
 */
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

/** @returns the watchdog, which acts as soon as its stdin ends. */
export function watchFolder(folder: string, { become }: Account): ChildProcess {
  const watchdog = spawn('/bin/sh', ['-c', watchdogScript, 'lockstep-postgres-watchdog', folder], {
    ...become,
    // Ctrl-C in a terminal must not end it before its work is done.
    detached: true,
    cwd: dirname(folder),
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // It may have gone first, when somebody ended it.
  watchdog.stdin.on('error', () => undefined);
  watchdog.on('error', () => undefined);
  watchdog.unref();
  (watchdog.stdin as unknown as { unref(): void }).unref();
  return watchdog;
}
