// Answers: does dist/ hold what src/ says? Bundles it again if not; the types and the library in lib/ are not needed to
// run.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { buildCommand } from '../build.ts';
import { executable, root } from './runner.ts';
import { duration, fact } from './screen.ts';

export async function buildIfOlder(): Promise<void> {
  const built = await changedAt(executable);
  const sources = await readdir(join(root, 'src'), { recursive: true });
  const paths = [...sources.map((name) => join('src', name)), 'package.json', 'package-lock.json', 'scripts/build.ts'];
  const changed = await Promise.all(paths.map((path) => changedAt(join(root, path))));
  if (built > Math.max(...changed)) return;
  const begin = performance.now();
  await buildCommand(join(root, 'dist'));
  fact('dist/', `built in ${duration(performance.now() - begin)}`);
}

/** 0 for what is not there. */
async function changedAt(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.mtimeMs ?? 0;
}
