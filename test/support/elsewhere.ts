/** Runs the built command line through another command that gives it its own namespaces. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

import { eventually, within } from './bounded.ts';
import { lockstepCommand } from './cli.ts';
import { skip } from './skip.ts';

interface ElsewhereResult {
  readonly code: number | null;
  readonly output: string;
  /** A performance.now() time. */
  readonly exitedAt: number;
}

export interface Elsewhere {
  /** The pid of the runner itself, not of the wrapper command, as this process sees it. */
  readonly pid: () => Promise<number>;
  readonly exited: Promise<ElsewhereResult>;
  /** Resolves once the output contains this text. */
  readonly says: (text: string) => Promise<void>;
  /** The wrapper command; everything that it started ends with it. */
  readonly end: () => void;
}

/** `before` is a wrapper command and its arguments, which receives the runner's command as its last arguments. */
export function startElsewhere(
  before: readonly string[],
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Elsewhere {
  const [command = '', ...rest] = before;
  const child = spawn(command, [...rest, ...lockstepCommand(), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const closed = once(child, 'close').then(([code]: unknown[]) => ({
    code: code as number | null,
    output,
    exitedAt: performance.now(),
  }));
  closed.catch(() => undefined);
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    pid: () =>
      eventually(
        'the process to be there',
        async () => (await descendants(child.pid ?? 0)).find(({ line }) => line.includes('lockstep'))?.pid,
      ),
    exited: within(
      closed,
      () => `the end of ${before.join(' ')} lockstep ${args.join(' ')}; it said:\n${output}`,
      100_000,
    ),
    says: async (text) => {
      await eventually(`"${text}" to be said`, async () => output.includes(text) || isOver());
      if (!output.includes(text)) throw new Error(`it ended without "${text}":\n${output}`);
    },
    end: () => void child.kill('SIGKILL'),
  };
}

/** Children and grandchildren with their command lines, or the process's title once it has set one. */
async function descendants(pid: number): Promise<{ pid: number; line: string }[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const found: { pid: number; line: string }[] = [];
  for (const child of children
    .split(' ')
    .filter((text) => text.trim() !== '')
    .map(Number)) {
    const line = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '');
    found.push({ pid: child, line }, ...(await descendants(child)));
  }
  // The wrapper's own command line contains it too.
  return found.filter(({ line }) => !/^(unshare|ip|nsenter)\0/.test(line));
}

/** Undefined when the command succeeded, else the reason for the failure. */
export async function whyNot(command: string, ...args: readonly string[]): Promise<string | undefined> {
  return await promisify(execFile)(command, [...args]).then(
    () => undefined,
    (error: unknown) =>
      `${command} ${args.join(' ')}: ${String((error as { stderr?: string }).stderr ?? error).trim()}`,
  );
}

/** Runs a command that must succeed. */
export async function run(command: string, ...args: readonly string[]): Promise<void> {
  const failure = await whyNot(command, ...args);
  if (failure !== undefined) throw new Error(failure);
}

/** Skips the tests of a suite with the reason; with LOCKSTEP_NO_SKIP, as in CI, fails them. */
export function skipUnless(context: Mocha.Context, what: string, reason: string | undefined): void {
  if (reason !== undefined) skip(context, `${what}: ${reason}`);
}
