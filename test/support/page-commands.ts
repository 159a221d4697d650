/**
 * Reads the blocks of commands on a page of the docs, and runs them like a reader: as written, in order, in one
 * shell, in one initially fresh directory.
 *
 *     const blocks = await commandBlocks('docs/rollback.md');
 *     await runBlocks(blocks, { cwd: await freshClone(), env, instead: { 'postgresql://app@localhost/shop': url } });
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { within } from './bounded.ts';
import { distFolder } from './cli.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const RUN_MS = 120_000;

export interface CommandBlock {
  /** The number of its first line on the page. */
  readonly line: number;
  /** Its text, without the indentation of a list. */
  readonly text: string;
  /** The output that the page shows: the next block, if it has no language and follows directly. */
  readonly shown: string | undefined;
}

/** The blocks of a page of the repository, in order. */
export async function commandBlocks(page: string): Promise<CommandBlock[]> {
  const text = await readFile(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^( *)```(?:sh|bash|shell|console)\n(.*?)^\1```$(?:\n\n\1```\n(.*?)^\1```$)?/gms)].map(
    ({ index, 1: indent = '', 2: body = '', 3: shown }) => ({
      line: text.slice(0, index).split('\n').length + 1,
      text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      shown: shown?.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  );
}

/** npm commands that a clone for tests does not need, or that would run the tests recursively. */
const DONE = ['ci', 'run build', 'cit'];

/**
 * A directory like a clone, with the packages and the build under test; writes do not affect the repository. Without
 * `db`, `.git`.
 */
export async function freshClone(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'lockstep-page-')));
  const entries = (await readdir(ROOT)).filter((name) => !['.git', 'dist', 'db'].includes(name));
  for (const name of entries) await symlink(join(ROOT, name), join(folder, name));
  await symlink(distFolder(), join(folder, 'dist'));
  const npm = join(folder, '.bin', 'npm');
  await mkdir(join(folder, '.bin'));
  await writeFile(
    npm,
    `#!/bin/sh\ncase "$*" in ${DONE.map((words) => `"${words}"`).join(' | ')}) ;; *) PATH="\${PATH#*:}" exec npm "$@" ;; esac\n`,
  );
  await chmod(npm, 0o755);
  return folder;
}

export interface PageRun {
  readonly cwd: string;
  /** In addition to PATH and HOME. */
  readonly env: Readonly<Record<string, string>>;
  /** Replacements for example text, such as an address. Each must occur. */
  readonly instead?: Readonly<Record<string, string>>;
}

/**
 * The output of each block, stdout and stderr interleaved. @throws Error with the output of the block in which a
 * command failed.
 */
export async function runBlocks(
  blocks: readonly CommandBlock[],
  { cwd, env, instead = {} }: PageRun,
): Promise<string[]> {
  const mark = (index: number): string => `--- block ${index} is done ---`;
  let script = `exec 2>&1\nset -e\n${blocks.map(({ text }, index) => `${text}\necho '${mark(index)}'\n`).join('')}`;
  for (const [example, real] of Object.entries(instead)) {
    if (!script.includes(example)) throw new Error(`no block has ${example}`);
    script = script.replaceAll(example, real);
  }
  const child = spawn('bash', ['-c', script], {
    cwd,
    env: { HOME: process.env['HOME'] ?? '', ...env, PATH: `${join(cwd, '.bin')}:${process.env['PATH'] ?? ''}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  try {
    await within(once(child, 'close'), () => `the page's commands to end; they said:\n${output}`, RUN_MS);
  } finally {
    child.kill('SIGKILL');
  }
  return blocks.map(({ line, text }, index) => {
    const end = output.indexOf(mark(index));
    if (end === -1) throw new Error(`the block at line ${line} failed:\n${text}\nIt said:\n${output}`);
    const said = output.slice(0, end);
    output = output.slice(end + mark(index).length + 1);
    return said;
  });
}
