// Answers: where do the other migrators come from? From bench/peers, a package of its own, which is installed when it
// is first needed.
import { symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { installApart } from '../../scripts/build/install-apart.ts';
import type { Command } from '../command.ts';

const home = resolve(import.meta.dirname, '../peers');

/** @throws Error if npm fails. */
export function installPeers(tell: (text: string) => void): void {
  installApart(home, tell);
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
