/** Reads a file whose secret somebody else writes: a mounted Secret, a sidecar that fetches tokens. */
import { readFileSync } from 'node:fs';

import { MigratorError } from '../../../core/errors.ts';

/**
 * The text of a file, whatever its mode bits. `what` is its name in messages.
 * @throws MigratorError DATABASE_UNAVAILABLE if it does not exist or is empty, which may change, else CONFIG_INVALID.
 */
export function readSecretFile(path: string, what: string): string {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const { code = 'error' } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw notThereYet(
        `${what} ${path} does not exist`,
        'mount the Secret there, check what writes the file, or correct the path',
      );
    throw new MigratorError('CONFIG_INVALID', `${what} ${path} cannot be read (${code})`, {
      cause,
      hint: 'the path must be a file that this user can read',
    });
  }
  if (text.trim() === '') throw notThereYet(`${what} ${path} is empty`, 'check what writes the file');
  return text;
}

/** An error that may go away: somebody else provides the secret, maybe later. */
export function notThereYet(summary: string, hint: string): MigratorError {
  return new MigratorError('DATABASE_UNAVAILABLE', summary, { awaitsSecret: true, hint });
}

/** The current contents of the files; a file that cannot be read counts as empty. */
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
