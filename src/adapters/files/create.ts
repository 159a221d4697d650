/** Makes the files of a new migration, with the number after the highest one. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { MigratorError } from '../../core/errors.ts';
import { compareVersions, parseFileName, type Version } from '../../core/migration.ts';

export interface CreateOptions {
  /** Created if it does not exist. */
  readonly dir: string;
  readonly name: string;
  readonly now: Date;
}

/**
 * The paths of the new up and down file. Never overwrites.
 * @throws MigratorError MIGRATIONS_INVALID when the files can't be written.
 */
export async function createMigration({ dir, name, now }: CreateOptions): Promise<string[]> {
  try {
    await mkdir(dir, { recursive: true });
    const versions = (await readdir(dir)).flatMap((file) => parseFileName(file)?.version ?? []);
    const version = `${nextNumber(versions, now)}_${name}`;
    const up = join(dir, `${version}.up.sql`);
    const down = join(dir, `${version}.down.sql`);
    // wx fails if somebody else has just created the same file.
    await writeFile(up, `-- ${version}: what it changes\n`, { flag: 'wx' });
    await writeFile(down, `-- ${version}: how to undo it; delete this file if that is impossible\n`, { flag: 'wx' });
    return [up, down];
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new MigratorError('MIGRATIONS_INVALID', `cannot write new migration files in ${dir} (${code})`, {
      cause: error,
      hint: 'check --dir (LOCKSTEP_DIR) and its permissions; after EEXIST, somebody else has just created the file: run the command again',
    });
  }
}

/** As wide as the highest one; a time where that is a time. */
function nextNumber(versions: readonly Version[], now: Date): string {
  const newest = versions.toSorted(compareVersions).at(-1);
  const digits = newest === undefined ? '000' : (/^\d+/.exec(newest)?.[0] ?? '000');
  const next = String(BigInt(digits) + 1n).padStart(digits.length, '0');
  const timestamp = now.toISOString().replaceAll(/\D/g, '').slice(0, 14);
  return digits.length === timestamp.length && timestamp > digits ? timestamp : next;
}
