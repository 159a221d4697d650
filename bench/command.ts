// Answers: how is a command run, and what did it take? Wall time, CPU and memory, measured alike for every program.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** Added to a PATH, a HOME and nothing else. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface Cost {
  readonly wallMs: number;
  /** User and system time of the process and of those that it waited for; undefined where nobody can tell. */
  readonly cpuMs: number | undefined;
  /** The peak resident memory of the largest process among them, in MB of 10⁶ bytes. */
  readonly memoryMb: number | undefined;
}

export interface Ended extends Cost {
  /** The exit code, the name of a signal, or `hangs` when the time was up. */
  readonly exit: number | string;
  readonly output: string;
  /** By Date.now(). */
  readonly exitedAt: number;
}

export interface Running {
  readonly ended: Promise<Ended>;
  /** All that it has said until now. */
  readonly said: () => string;
}

const patienceMs = 120_000;
const script = join(import.meta.dirname, 'wait4.pl');
const running = new Set<ChildProcess>();

/** Whether CPU and memory can be told: wait4(2) by Perl, which nearly every Linux has. */
export const canTellCost =
  process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch) && spawnSync('perl', ['-v']).status === 0;

/** For the last moment: what still runs must not outlive the bench. */
export function killCommands(): void {
  for (const child of running) killGroup(child);
}

/** Runs to the end. @throws Error with all that it said, if that is not 0. */
export async function run(command: Command): Promise<Ended> {
  const ended = await start(command).ended;
  if (ended.exit === 0) return ended;
  throw new Error(
    `${[command.file, ...command.args].join(' ')}: ${typeof ended.exit === 'number' ? `exit ${ended.exit}` : ended.exit}\n${ended.output}`,
  );
}

/** `cost: false` leaves CPU and memory out, and with them the process that asks for them. */
export function start(command: Command, { timeoutMs = patienceMs, cost = canTellCost } = {}): Running {
  const words = [command.file, ...command.args];
  const [file = '', ...args] = cost ? ['perl', script, process.arch, ...words] : words;
  const begin = performance.now();
  const child = spawn(file, args, {
    cwd: command.cwd,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...command.env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    // A group of its own, so that the measuring process and what it measures end together.
    detached: true,
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  const report = text(child.stdio[3] as Readable);
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  let hangs = false;
  let exitedAt = 0;
  let wallMs = 0;
  const timer = setTimeout(() => {
    hangs = true;
    killGroup(child);
  }, timeoutMs);
  child.on('error', reject);
  child.on('exit', () => {
    exitedAt = Date.now();
    wallMs = performance.now() - begin;
  });
  child.on('close', (code, signal) => {
    clearTimeout(timer);
    running.delete(child);
    report.then((line) => {
      const told = readReport(line);
      const exit = told?.exit ?? code ?? signal ?? '';
      resolve({
        wallMs,
        cpuMs: undefined,
        memoryMb: undefined,
        output,
        exitedAt,
        ...told,
        exit: hangs ? 'hangs' : exit,
      });
    }, reject);
  });
  return { ended: promise, said: () => output };
}

function readReport(line: string): (Cost & { exit: number | string }) | undefined {
  const [wall, cpu, kilobytes, status] = line.trim().split(' ').map(Number);
  if (wall === undefined || cpu === undefined || kilobytes === undefined || status === undefined) return undefined;
  const exit = (status & 127) === 0 ? status >> 8 : `signal ${status & 127}`;
  return { wallMs: wall / 1000, cpuMs: cpu / 1000, memoryMb: (kilobytes * 1024) / 1e6, exit };
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}
