// Answers: how fast could it be at all? floor-program.ts, bundled with the settings of our own bundle.
import { join } from 'node:path';
import { build } from 'esbuild';

import { banner, bundleOptions } from '../../scripts/build.ts';
import type { Contender } from './contender.ts';

const program = join(import.meta.dirname, 'floor-program.ts');

/** What Node itself takes. */
export const emptyNode: Contender = {
  name: 'node, nothing to run',
  onNode: true,
  prepare: async (folder) => ({ file: process.execPath, args: ['--eval', '0'], env: {}, cwd: folder }),
};

export const floor: Contender = {
  name: 'floor (pg, one query)',
  onNode: true,
  async prepare(folder, url) {
    const outfile = join(folder, 'floor.mjs');
    await build({ ...bundleOptions, entryPoints: [program], outfile, outExtension: {}, banner: { js: banner } });
    return { file: process.execPath, args: [outfile], env: { DATABASE_URL: url }, cwd: folder };
  },
};
