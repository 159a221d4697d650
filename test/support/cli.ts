/**
 * Runs the built command line in separate processes: the executable LOCKSTEP_TEST_EXECUTABLE, else by Node the build in
 * the directory LOCKSTEP_DIST, else in ./dist.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { within } from './bounded.ts';
import { atEnd } from './cleanup.ts';

/** One line of the JSON log on stderr. */
interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface CliResult {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly logs: readonly LogLine[];
  /** From spawn to exit. */
  readonly durationMs: number;
  /** A performance.now() time. */
  readonly exitedAt: number;
}

export interface CliOptions {
  /** The whole environment, usually `workspace().env`. Nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The directory of a build other than the one under test. */
  readonly dist?: string;
  /** The process is killed after this long, and `exited` rejects. */
  readonly timeoutMs?: number;
}

export interface CliProcess {
  readonly pid: number;
  /** Rejects only on timeout. */
  readonly exited: Promise<CliResult>;
  /** The first line with this `event`, or that matches the predicate: a past one, or the next one. Bounded. */
  readonly waitForLog: (which: string | ((line: LogLine) => boolean)) => Promise<LogLine>;
  readonly kill: (signal: NodeJS.Signals) => void;
}

const TIMEOUT_MS = 60_000;

/** Processes that a failed test may leave running; they are killed after the tests. */
let running: Set<ChildProcess> | undefined;

function track(child: ChildProcess): void {
  if (!running) {
    running = new Set();
    atEnd(async () => running?.forEach((left) => left.kill('SIGKILL')));
  }
  running.add(child);
  child.on('close', () => running?.delete(child));
}

/** The directory of the build under test. @throws Error when there is none. */
export function distFolder(): string {
  const given = process.env['LOCKSTEP_DIST'] ?? '';
  const folder = given === '' ? resolve(import.meta.dirname, '../../dist') : given;
  if (existsSync(join(folder, 'lockstep.mjs'))) return folder;
  throw new Error(
    `There is no lockstep.mjs in ${folder}: ${given === '' ? 'run "npm run build" first' : 'LOCKSTEP_DIST names another folder'}.`,
  );
}

/** The program that is `lockstep`, and its first arguments. */
export function lockstepCommand(dist?: string): readonly [file: string, ...args: string[]] {
  const executable = process.env['LOCKSTEP_TEST_EXECUTABLE'] ?? '';
  if (executable !== '' && dist === undefined) return [executable];
  return [process.execPath, join(dist ?? distFolder(), 'lockstep.mjs')];
}

/** Runs to the end, whatever the exit code. */
export async function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  return await startCli(args, options).exited;
}

/** @throws Error that begins with the process's reason, and ends with all of its output. */
export function expectExit({ code, signal, stdout, stderr, logs }: CliResult, expected: number): void {
  if (code === expected) return;
  const failed = logs.find(({ event }) => event === 'run.failed')?.['error'] as
    | { code?: string; summary?: string }
    | undefined;
  const reason = failed ? `: ${failed.code}: ${failed.summary}` : '';
  throw new Error(`exit ${code ?? signal} instead of ${expected}${reason}\n${stdout}${stderr}`);
}

export function startCli(args: readonly string[], { env, cwd, dist, timeoutMs = TIMEOUT_MS }: CliOptions): CliProcess {
  const startedAt = performance.now();
  const [file, ...first] = lockstepCommand(dist);
  const child = spawn(file, [...first, ...args], {
    env,
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  track(child);
  let stdout = '';
  let stderr = '';
  let exitedAt = 0;
  const watchers = new Set<() => void>();
  const tell = (): void => {
    for (const watcher of watchers) watcher();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    tell();
  });
  child.on('exit', () => (exitedAt = performance.now()));
  const closed = new Promise<CliResult>((done, failed) => {
    child.on('error', failed);
    child.on('close', (code, signal) => {
      done({ code, signal, stdout, stderr, logs: parseLogs(stderr), durationMs: exitedAt - startedAt, exitedAt });
      tell();
    });
  });
  const unfinished = (): string => `lockstep ${args.join(' ')} to end; it said:\n${stdout}${stderr}`;
  const exited = within(closed, unfinished, timeoutMs).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  // Awaiting it is optional; this prevents an unhandled rejection.
  exited.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    exited,
    kill: (signal) => void child.kill(signal),
    waitForLog: (which) => {
      const fits = typeof which === 'string' ? (line: LogLine): boolean => line.event === which : which;
      const found = new Promise<LogLine>((done, failed) => {
        const look = (): void => {
          const line = parseLogs(stderr).find(fits);
          if (line) done(line);
          else if (exitedAt > 0 && child.stderr.closed)
            failed(new Error(`lockstep ${args.join(' ')} ended without the log line; it said:\n${stderr}`));
          else return;
          watchers.delete(look);
        };
        watchers.add(look);
        look();
      });
      return within(
        found,
        () => `the log line ${typeof which === 'string' ? which : which.toString()}; there was:\n${stderr}`,
      );
    },
  };
}

function parseLogs(text: string): LogLine[] {
  // The last piece may be an incomplete line.
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine);
}
