/** Runs `--password-command`: without a shell, and with a time limit. */
import { spawn } from 'node:child_process';

import { MigratorError } from '../../../core/errors.ts';
import { oneLine } from '../../../core/text/one-line.ts';
import { notThereYet } from './secret-file.ts';
import { whenAborted } from '../../../core/until-aborted.ts';

const LIMIT_MS = 30_000;
/** More than any token or error message needs. */
const MOST_BYTES = 65_536;
const MOST_SHOWN = 1_000;

/**
 * Returns what it prints, without the line break at the end.
 * @throws MigratorError DATABASE_UNAVAILABLE if it fails, prints nothing or takes too long; CONFIG_INVALID if it cannot
 * be started.
 */
export async function runPasswordCommand(
  [program = '', ...args]: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const out = collect(child.stdout);
  const err = collect(child.stderr);
  const { promise: ended, resolve, reject } = Promise.withResolvers<string>();
  child.on('error', reject);
  child.on('close', (code, by) =>
    resolve(code === null ? `was killed by ${by}` : code === 0 ? '' : `exited with ${code}`),
  );
  const stop = (): void => {
    child.kill('SIGKILL');
    // Its own children may hold the pipes open.
    for (const stream of [child.stdout, child.stderr]) stream.destroy();
    resolve(signal.aborted ? 'printed nothing in time' : `printed nothing within ${LIMIT_MS / 1000} s`);
  };
  const stopListening = whenAborted(limit, stop);
  try {
    const failure = await ended;
    const password = out().replace(/\r?\n$/, '');
    if (failure !== '') throw failed(program, failure, err(), password);
    if (password === '') throw failed(program, 'printed nothing', err(), password);
    return password;
  } catch (cause) {
    if (cause instanceof MigratorError) throw cause;
    throw new MigratorError(
      'CONFIG_INVALID',
      `--password-command: cannot start ${program} (${(cause as NodeJS.ErrnoException).code})`,
      {
        cause,
        hint: 'the first word must be an executable program in this image; no shell is used',
      },
    );
  } finally {
    stopListening();
  }
}

/** Collects a stream up to a limit, and drops the rest. */
function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('error', () => undefined);
  stream.on('data', (chunk: Buffer) => {
    if (bytes < MOST_BYTES) chunks.push(chunk);
    bytes += chunk.length;
  });
  return () => Buffer.concat(chunks).toString('utf8').slice(0, MOST_BYTES);
}

/** Shows its stderr, but never the password that it printed. */
function failed(program: string, what: string, said: string, password: string): MigratorError {
  const hidden = password === '' ? said : said.replaceAll(password, '***');
  const shown = oneLine(hidden);
  const reason = shown === '' ? '' : `: ${shown.length > MOST_SHOWN ? `${shown.slice(0, MOST_SHOWN)}…` : shown}`;
  return notThereYet(
    `--password-command: ${program} ${what}${reason}`,
    'run the program by hand, as the same user and with the same environment as this runner',
  );
}
