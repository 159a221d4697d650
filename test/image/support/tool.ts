/** Runs a program of the machine to its end, within a time limit, and keeps its output. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

export interface ToolResult {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ToolOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The program is killed after this time. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 5 * 60_000;

/** Runs it to the end, whatever the exit code. @throws Error on a timeout, with the output until then. */
export async function runTool(
  command: string,
  args: readonly string[],
  { env, cwd, timeoutMs = TIMEOUT_MS }: ToolOptions = {},
): Promise<ToolResult> {
  const child = spawn(command, [...args], { env: { ...process.env, ...env }, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr, overdue] = ['', '', false];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const limit = setTimeout(() => {
    overdue = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (overdue) throw new Error(`not within ${timeoutMs / 1000} s: ${command} ${args.join(' ')}\n${stdout}${stderr}`);
    return { code, stdout, stderr };
  } finally {
    clearTimeout(limit);
  }
}

/** Its stdout, without the final newline. @throws Error with all its output when it fails. */
export async function output(command: string, args: readonly string[], options: ToolOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runTool(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
  return stdout.trimEnd();
}

/** The path of a command. */
export async function programPath(name: string): Promise<string | undefined> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    const file = join(folder, name);
    const found = await access(file).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return undefined;
}

/** Why these programs cannot be used here, or undefined. */
export async function whyNotAll(...names: readonly string[]): Promise<string | undefined> {
  const paths = await Promise.all(names.map(async (name) => ({ name, path: await programPath(name) })));
  const absent = paths.filter(({ path }) => path === undefined).map(({ name }) => name);
  if (absent.length > 0)
    return `there is no ${absent.join(', no ')} on the PATH (Debian: apt-get install buildah podman runc)`;
  if (process.getuid?.() !== 0) return 'this needs root: it makes namespaces and mounts';
  return undefined;
}
