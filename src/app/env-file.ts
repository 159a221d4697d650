/** What does `--env-file` add to the environment? */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

import { MigratorError } from '../core/errors.ts';
import type { ProcessContext } from './process-context.ts';

/**
 * The environment with the variables of the file; those that are set already win, as for `node --env-file`.
 * @throws MigratorError CONFIG_INVALID when the file cannot be read.
 */
export function withEnvFile(path: string, env: ProcessContext['env']): ProcessContext['env'] {
  try {
    return { ...parseEnv(readFileSync(path, 'utf8')), ...env };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new MigratorError('CONFIG_INVALID', `cannot read the file of --env-file: ${path} (${code})`, {
      cause: error,
      hint: 'check --env-file (LOCKSTEP_ENV_FILE) and the permissions of the file',
    });
  }
}
