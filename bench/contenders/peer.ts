// Answers: where do the other migrators come from? From bench/peers, a package of its own, which is installed when it
// is first needed.
import { spawnSync } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from '../command.ts';

const home = resolve(import.meta.dirname, '../peers');

/** @throws Error if npm fails. */
export function installPeers(tell: (text: string) => void): void {
  if (existsSync(join(home, 'node_modules'))) return;
  tell('installs the other migrators: npm ci in bench/peers');
  const options = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  // npm names itself to the scripts that it runs.
  const npm = process.env['npm_execpath'];
  const [file, args] = npm === undefined ? ['npm', options] : [process.execPath, [npm, ...options]];
  const { status, error } = spawnSync(file, args, { cwd: home, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`npm ci failed in ${home}`, { cause: error });
}

/** A file of bench/peers. */
export function peerFile(path: string): string {
  return join(home, path);
}

/** A script run by our Node in `folder`, which gets the packages as a user's project has them. */
export async function nodeCommand(
  folder: string,
  url: string,
  [script, ...args]: readonly [string, ...string[]],
): Promise<Command> {
  await symlink(join(home, 'node_modules'), join(folder, 'node_modules'));
  return { file: process.execPath, args: [peerFile(script), ...args], env: { DATABASE_URL: url }, cwd: folder };
}
