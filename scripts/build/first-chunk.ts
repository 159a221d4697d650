/** Answers: which modules lie in the chunk that every run loads? */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';

/**
 * One chunk for all that `first` imports. What is loaded on need, later, shares modules with it; esbuild would part it
 * by who shares what into a dozen files, each of which takes a millisecond to load. When each of the others says that
 * it needs `first`, which is loaded anyway, they all share the whole.
 */
export function firstChunk(first: string, others: readonly string[]): Plugin {
  return {
    name: 'first chunk',
    setup(build) {
      const { absWorkingDir = '.' } = build.initialOptions;
      const onNeed = new Set(others.map((file) => join(absWorkingDir, file)));
      build.onResolve({ filter: /^\./ }, ({ path, kind, resolveDir }) => {
        const file = join(resolveDir, path);
        if (kind === 'dynamic-import' && file !== join(absWorkingDir, first)) onNeed.add(file);
        return undefined;
      });
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        if (!onNeed.has(path)) return undefined;
        return {
          contents: `${await readFile(path, 'utf8')}\nimport ${JSON.stringify(join(absWorkingDir, first))};`,
          loader: 'ts',
        };
      });
    },
  };
}
