/** A file in which somebody else puts a secret: a mounted Secret, a sidecar that fetches tokens. */
import { readFileSync } from 'node:fs';

import { MigratorError } from '../../../core/errors.ts';

/**
 * Its text, whatever its mode bits. `what` is how messages call it.
 * @throws MigratorError DATABASE_UNAVAILABLE when it is missing or empty, which may pass, else CONFIG_INVALID.
 */
export function readSecretFile(path: string, what: string): string {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const { code = 'error' } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw notThereYet(
        `${what} ${path} is not there`,
        'mount the Secret there, look at what writes the file, or correct the path',
      );
    throw new MigratorError('CONFIG_INVALID', `${what} ${path} cannot be read (${code})`, {
      cause,
      hint: 'the path must lead to a file that this user may read',
    });
  }
  if (text.trim() === '') throw notThereYet(`${what} ${path} is empty`, 'look at what writes the file');
  return text;
}

/** Somebody else writes it, maybe only in a moment. */
export function notThereYet(summary: string, hint: string): MigratorError {
  return new MigratorError('DATABASE_UNAVAILABLE', summary, { awaitsSecret: true, hint });
}

/** What the files hold now; a file that can't be read counts as empty. */
export function contentsOf(paths: readonly string[]): string {
  return paths
    .map((path) => {
      try {
        return readFileSync(path, 'utf8');
      } catch {
        return '';
      }
    })
    .join('\0');
}
