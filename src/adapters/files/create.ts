/** Creates the files of a new migration, numbered as the directory numbers its own. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { MigratorError } from '../../core/errors.ts';
import { compareVersions, parseFileName, type Version } from '../../core/migration.ts';

export interface CreateOptions {
  /** Created if it does not exist. */
  readonly dir: string;
  readonly name: string;
  readonly now: Date;
  /** Number it with the time, whatever the directory does. */
  readonly timestamp?: boolean;
}

/**
 * The paths of the new up and down file. Never overwrites.
 * @throws MigratorError MIGRATIONS_INVALID when the files can't be written.
 */
export async function createMigration({ dir, name, ...options }: CreateOptions): Promise<string[]> {
  try {
    await mkdir(dir, { recursive: true });
    const versions = (await readdir(dir)).flatMap((file) => parseFileName(file)?.version ?? []);
    const version = `${nextNumber(versions.toSorted(compareVersions).at(-1), options)}_${name}`;
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

/** As the newest one: the next number, as wide; or the time, in the form that it has there. */
function nextNumber(newest: Version | undefined, { now, timestamp }: Pick<CreateOptions, 'now' | 'timestamp'>): string {
  const digits = /^\d+/.exec(newest ?? '')?.[0] ?? '000';
  const next = String(BigInt(digits) + 1n).padStart(digits.length, '0');
  const time = timeLike(digits, now) ?? (timestamp ? calendar(now, 14) : '');
  return BigInt(time) >= BigInt(next) ? time : next;
}

/** Now, in the form of a number that is a time: of the calendar, or since 1970 in seconds or milliseconds. */
function timeLike(digits: string, now: Date): string | undefined {
  if (/^(?:19|20)\d\d(?:0[1-9]|1[0-2])[0-3]\d(?:\d{4}|\d{6}|\d{9})?$/.test(digits)) return calendar(now, digits.length);
  if (/^1\d{9}$/.test(digits)) return String(Math.floor(now.getTime() / 1000));
  return /^1\d{12}$/.test(digits) ? String(now.getTime()) : undefined;
}

/** For example 20260131093000, in UTC. */
function calendar(now: Date, length: number): string {
  return now.toISOString().replaceAll(/\D/g, '').slice(0, length);
}
