// Answers: how is Lockstep run? Its bundle, by Node; beside it an older one, and an executable that needs no Node.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildIfOlder } from '../../scripts/demo/fresh-build.ts';
import { pairs, writeFiles, type Contender } from './contender.ts';

/** LOCKSTEP_DIST names the folder of another build, as for the tests. */
const given = process.env['LOCKSTEP_DIST'] ?? '';
const dist = given === '' ? resolve(import.meta.dirname, '../../dist') : resolve(given);

export const lockstep = lockstepIn('lockstep', dist);

/** LOCKSTEP_OLD_DIST names the folder of a build to be compared with, and LOCKSTEP_TEST_EXECUTABLE an executable. */
const { LOCKSTEP_OLD_DIST: old = '', LOCKSTEP_TEST_EXECUTABLE: executable = '' } = process.env;
export const otherBuilds: readonly Contender[] = [
  ...(old === '' ? [] : [lockstepIn('lockstep before', resolve(old))]),
  ...(executable === '' ? [] : [lockstepAs('lockstep on Bun', [resolve(executable)])]),
];

function lockstepIn(name: string, folder: string): Contender {
  return lockstepAs(name, [process.execPath, join(folder, 'lockstep.mjs')]);
}

function lockstepAs(name: string, [file, ...first]: readonly [string, ...string[]]): Contender {
  return {
    name,
    onNode: file === process.execPath,
    async prepare(files, url, migrations) {
      await writeFiles(files, pairs(migrations));
      return { file, args: [...first, 'up', '--dir', files], env: { DATABASE_URL: url }, cwd: files };
    },
  };
}

export async function buildLockstep(): Promise<void> {
  if (given === '') await buildIfOlder();
  if (!existsSync(join(dist, 'lockstep.mjs'))) throw new Error(`There is no lockstep.mjs in ${dist}.`);
}
