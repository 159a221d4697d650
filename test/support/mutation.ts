/** Builds the command line with something broken on purpose, by replacing exact pieces of its source. */
import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import type { Plugin } from 'esbuild';

import { buildBundle } from '../../scripts/build.ts';

export interface Replacement {
  /** From the root of the repository. */
  readonly file: string;
  /** Must be there exactly once. */
  readonly from: string;
  readonly to: string;
}

const root = resolve(import.meta.dirname, '../..');

/** @throws Error naming each piece that is not in its file, or not in the bundle: then the mutation has to follow the source. */
export async function buildMutant(outDir: string, replacements: readonly Replacement[]): Promise<void> {
  const left = new Set(replacements);
  const plugin: Plugin = {
    name: 'mutation',
    setup(build) {
      build.onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
        const mine = replacements.filter(({ file }) => file === relative(root, path));
        if (mine.length === 0) return undefined;
        let contents = await readFile(path, 'utf8');
        for (const replacement of mine) {
          if (contents.split(replacement.from).length !== 2) continue;
          contents = contents.replace(replacement.from, () => replacement.to);
          left.delete(replacement);
        }
        return { contents, loader: 'ts' };
      });
    },
  };
  await buildBundle({ outDir, plugins: [plugin] });
  const missed = [...left].map(({ file, from }) => `${file} has this not exactly once: ${from}`);
  if (missed.length > 0) throw new Error(missed.join('\n'));
}
