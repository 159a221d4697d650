/** Runs the program that gives the password: without a shell, and never for long. */
import { spawn } from 'node:child_process';

import { MigratorError } from '../../../core/errors.ts';
import { oneLine } from '../../../core/text/one-line.ts';
import { notThereYet } from './secret-file.ts';
import { whenAborted } from '../../../core/until-aborted.ts';

const LIMIT_MS = 30_000;
/** Far more than a token, and than a reason. */
const MOST_BYTES = 65_536;
const MOST_SHOWN = 1_000;

/**
 * What it prints, without the line break at its end.
 * @throws MigratorError DATABASE_UNAVAILABLE when it fails, prints nothing or takes too long; CONFIG_INVALID when it can't be started.
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
    resolve(code === null ? `was ended by ${by}` : code === 0 ? '' : `ended with ${code}`),
  );
  const stop = (): void => {
    child.kill('SIGKILL');
    // Its own children may hold the pipes open.
    for (const stream of [child.stdout, child.stderr]) stream.destroy();
    resolve(signal.aborted ? 'gave nothing in time' : `gave nothing within ${LIMIT_MS / 1000} s`);
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
        hint: 'the first word must be a program of this image that may be executed; no shell is used',
      },
    );
  } finally {
    stopListening();
  }
}

/** What a stream gives, up to a bound; what comes after that is dropped. */
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

/** With what it has said, but never with what it has printed as the password. */
function failed(program: string, what: string, said: string, password: string): MigratorError {
  const hidden = password === '' ? said : said.replaceAll(password, '***');
  const shown = oneLine(hidden);
  const reason = shown === '' ? '' : `: ${shown.length > MOST_SHOWN ? `${shown.slice(0, MOST_SHOWN)}…` : shown}`;
  return notThereYet(
    `--password-command: ${program} ${what}${reason}`,
    'run the program by hand, with the rights and the environment of this runner',
  );
}
