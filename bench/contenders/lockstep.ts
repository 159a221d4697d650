// Answers: how is Lockstep run? Its bundle, by Node.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildIfOlder } from '../../scripts/demo/fresh-build.ts';
import { pairs, writeFiles, type Contender } from './contender.ts';

/** LOCKSTEP_DIST names the folder of another build, as for the tests. */
const given = process.env['LOCKSTEP_DIST'] ?? '';
const dist = given === '' ? resolve(import.meta.dirname, '../../dist') : resolve(given);

export const lockstep: Contender = {
  name: 'lockstep',
  onNode: true,
  async prepare(folder, url, migrations) {
    await writeFiles(folder, pairs(migrations));
    return {
      file: process.execPath,
      args: [join(dist, 'lockstep.mjs'), 'up', '--dir', folder],
      env: { DATABASE_URL: url },
      cwd: folder,
    };
  },
};

export async function buildLockstep(): Promise<void> {
  if (given === '') await buildIfOlder();
  if (!existsSync(join(dist, 'lockstep.mjs'))) throw new Error(`There is no lockstep.mjs in ${dist}.`);
}
