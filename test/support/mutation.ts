/** Builds the command line with a deliberate defect, by replacing exact pieces of its source. */
import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import type { Plugin } from 'esbuild';

import { buildBundle } from '../../scripts/build.ts';

export interface Replacement {
  /** Relative to the root of the repository. */
  readonly file: string;
  /** Must occur exactly once. */
  readonly from: string;
  readonly to: string;
}

const root = resolve(import.meta.dirname, '../..');

/** A line for each piece that does not occur exactly once in its file. */
export async function misfits(replacements: readonly Replacement[]): Promise<string[]> {
  const found = await Promise.all(
    replacements.map(async ({ file, from }) => (await readFile(resolve(root, file), 'utf8')).split(from).length - 1),
  );
  return replacements.flatMap(({ file, from }, index) =>
    found[index] === 1 ? [] : [`${file} has this ${found[index]} times, not once: ${from}`],
  );
}

/**
 * @throws Error that names each piece that is not in its file or not in the bundle: then the mutation must be updated
 * to the source.
 */
export async function buildMutant(outDir: string, replacements: readonly Replacement[]): Promise<void> {
  const problems = await misfits(replacements);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const left = new Set(replacements);
  const plugin: Plugin = {
    name: 'mutation',
    setup(build) {
      build.onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
        const mine = replacements.filter(({ file }) => file === relative(root, path));
        if (mine.length === 0) return undefined;
        let contents = await readFile(path, 'utf8');
        for (const replacement of mine) {
          contents = contents.replace(replacement.from, () => replacement.to);
          left.delete(replacement);
        }
        return { contents, loader: 'ts' };
      });
    },
  };
  await buildBundle({ outDir, plugins: [plugin] });
  if (left.size > 0) throw new Error(`not in the bundle: ${[...left].map(({ file }) => file).join(', ')}`);
}
