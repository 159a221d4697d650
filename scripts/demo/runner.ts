// Answers: what does one replica do? Runs `lockstep up` as a process of its own, and follows its log: one JSON object a
// line.
import { spawn, type ChildProcess } from 'node:child_process';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

export const root = resolve(import.meta.dirname, '../..');
export const executable = join(root, 'dist/lockstep.mjs');

/** The fields of a log line that are looked at; docs/ has them all. */
export interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly event: string;
  readonly version?: string;
  readonly durationMs?: number;
  readonly waitedMs?: number;
  readonly count?: number;
  readonly text?: string;
  readonly holder?: { readonly pid: number; readonly applicationName: string };
  readonly error?: { readonly code: string; readonly summary: string; readonly next?: string };
}

/** What a replica did, from its log and its exit. */
export interface Replica {
  readonly name: string;
  readonly applied: string[];
  skipped: number;
  /** Since when it waited for the lock and until when; moments in milliseconds. */
  waitedFrom: number | undefined;
  waitedUntil: number | undefined;
  /** When it recorded its last migration, and when its run was over. */
  lastAppliedAt: number | undefined;
  finishedAt: number | undefined;
  totalMs: number;
  /** The exit code, or the name of the signal that ended it. */
  exit: number | string;
}

export interface RunnerOptions {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Its reason is the name of the signal to end the runner with. */
  readonly signal: AbortSignal;
  readonly onLine: (line: LogLine) => void;
  /** What is no log line: a crash of Node itself. */
  readonly onText: (text: string) => void;
}

/** A runner gives up its work within 5 s after a signal. */
const killAfterMs = 8_000;
const running = new Set<ChildProcess>();

/** For the last moment: what still runs must not outlive the demo. */
export function killRunners(): void {
  for (const child of running) child.kill('SIGKILL');
}

export async function runReplica(name: string, { args, env, signal, onLine, onText }: RunnerOptions): Promise<Replica> {
  const replica: Replica = {
    name,
    applied: [],
    skipped: 0,
    waitedFrom: undefined,
    waitedUntil: undefined,
    lastAppliedAt: undefined,
    finishedAt: undefined,
    totalMs: 0,
    exit: '',
  };
  const begin = performance.now();
  const child = spawn(process.execPath, [executable, ...args], {
    cwd: root,
    env: { ...env, LOCKSTEP_POD: name },
    stdio: ['ignore', 'ignore', 'pipe'],
    // Ctrl-C in a terminal reaches a whole process group; the demo passes it on itself, once.
    detached: true,
  });
  running.add(child);
  createInterface({ input: child.stderr }).on('line', (text) => {
    const line = parseLine(text);
    if (line === undefined) onText(text);
    else {
      remember(replica, line);
      onLine(line);
    }
  });
  const { promise: ended, resolve: end, reject } = Promise.withResolvers<number | string>();
  child.on('error', reject);
  child.on('close', (code, killedBy) => end(code ?? killedBy ?? ''));
  let kill: NodeJS.Timeout | undefined;
  const interrupt = (): void => {
    child.kill(signal.reason as NodeJS.Signals);
    kill = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  };
  if (signal.aborted) interrupt();
  else signal.addEventListener('abort', interrupt, { once: true });
  try {
    replica.exit = await ended;
    replica.totalMs = performance.now() - begin;
    return replica;
  } finally {
    clearTimeout(kill);
    signal.removeEventListener('abort', interrupt);
    running.delete(child);
  }
}

function parseLine(text: string): LogLine | undefined {
  try {
    const line = JSON.parse(text) as LogLine | null;
    return typeof line?.event === 'string' ? line : undefined;
  } catch {
    return undefined;
  }
}

function remember(replica: Replica, line: LogLine): void {
  const at = Date.parse(line.time);
  switch (line.event) {
    case 'lock.waiting':
      replica.waitedFrom ??= at - (line.waitedMs ?? 0);
      return;
    case 'lock.acquired':
      replica.waitedUntil ??= at;
      return;
    case 'migration.applied':
      replica.applied.push(line.version ?? '');
      replica.lastAppliedAt = at;
      return;
    case 'migration.skipped':
      replica.skipped += 1;
      return;
    case 'migrations.skipped':
      replica.skipped += line.count ?? 0;
      return;
    case 'migration.all-skipped':
      replica.waitedUntil ??= at;
      replica.skipped += line.count ?? 0;
      return;
    case 'run.finished':
    case 'run.failed':
      replica.waitedUntil ??= at;
      replica.finishedAt = at;
      return;
  }
}
