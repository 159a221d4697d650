/** Which databases does a directory of addresses name? */
import { readdir } from 'node:fs/promises';

import { MigratorError } from '../../core/errors.ts';

/** In the order of names. @throws MigratorError CONFIG_INVALID for a directory that cannot be read or names none. */
export async function namesOfTargets(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    const { code = 'error' } = cause as NodeJS.ErrnoException;
    throw new MigratorError('CONFIG_INVALID', `--targets-dir: ${folder} cannot be read (${code})`, { cause });
  });
  // A mounted Secret's keys are links; what begins with two dots is the kubelet's.
  const names = entries.filter((entry) => !entry.isDirectory() && !entry.name.startsWith('..')).map(({ name }) => name);
  if (names.length > 0) return names.sort();
  throw new MigratorError('CONFIG_INVALID', `--targets-dir: there is no file in ${folder}`, {
    hint: 'it needs a file for each database, with its address',
  });
}
