/** Reads the files `<version>.seed.sql`, which only `prove` loads. */
import { readdirSync } from 'node:fs';

import { MigratorError } from '../../core/errors.ts';
import { isSeed } from '../../core/file-names.ts';
import type { Version } from '../../core/migration.ts';
import { readText } from './read-text.ts';

/** Their texts by version. @throws MigratorError MIGRATIONS_INVALID naming those that cannot be read. */
export function readSeeds(dir: string): ReadonlyMap<Version, string> {
  const seeds = new Map<Version, string>();
  const problems: string[] = [];
  for (const name of readdirSync(dir).filter(isSeed)) {
    const read = readText(`${dir}/${name}`);
    if ('problem' in read) problems.push(`${name}: ${read.problem}`);
    else seeds.set(name.replace(/\.seed\.sql$/, ''), read.text);
  }
  if (problems.length === 0) return seeds;
  throw new MigratorError('MIGRATIONS_INVALID', `the seed files in ${dir} cannot be read`, { problems });
}
