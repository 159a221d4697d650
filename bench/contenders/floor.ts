// Answers: how fast could it be at all? Two small programs, bundled with the settings of our own bundle.
import { join } from 'node:path';
import { build } from 'esbuild';

import { banner, bundleOptions } from '../../scripts/build.ts';
import type { Contender } from './contender.ts';

/** What Node itself takes. */
export const emptyNode: Contender = {
  name: 'node, nothing to run',
  onNode: true,
  prepare: async (folder) => ({ file: process.execPath, args: ['--eval', '0'], env: {}, cwd: folder }),
};

export const floor = bundled('floor (pg, one query)', 'floor-program.ts');

/** Says `waiting`, and leaves after a NOTIFY on `done`. */
export const floorWaiter = bundled('floor (pg, LISTEN, one query)', 'floor-waiter.ts');

function bundled(name: string, program: string): Contender {
  return {
    name,
    onNode: true,
    async prepare(folder, url) {
      const outfile = join(folder, 'floor.mjs');
      const entry = join(import.meta.dirname, program);
      await build({ ...bundleOptions, entryPoints: [entry], outfile, outExtension: {}, banner: { js: banner } });
      return { file: process.execPath, args: [outfile], env: { DATABASE_URL: url }, cwd: folder };
    },
  };
}
