// Answers: where are packages that few need? In a folder with a package.json and a lock file of its own, installed when
// they are first needed.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Without their install scripts. @throws Error if npm fails. */
export function installApart(folder: string, tell: (text: string) => void): void {
  if (existsSync(join(folder, 'node_modules'))) return;
  tell(`npm ci in ${folder}`);
  const options = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  // npm names itself to the scripts that it runs.
  const npm = process.env['npm_execpath'];
  const [file, args] = npm === undefined ? ['npm', options] : [process.execPath, [npm, ...options]];
  const { status, error } = spawnSync(file, args, { cwd: folder, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`npm ci failed in ${folder}`, { cause: error });
}
