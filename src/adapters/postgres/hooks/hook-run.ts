/** What is the same for a hook in a thread of its own and in the caller's: how it is found, bounded, and how its failure is told. */
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';

import { MigratorError } from '../../../core/errors.ts';
import type { Version } from '../../../core/migration.ts';
import { boundedWords } from '../../../core/server-words.ts';
import { whenAborted } from '../../../core/until-aborted.ts';
import type { Hook } from './hook-context.ts';

/** How long a hook may go on after it was told to stop. */
const STOP_GRACE_MS = 2_000;

export interface RunOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** @throws Error when the module has no function as its default export. */
export async function importHook(path: string): Promise<Hook> {
  const module = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
  if (typeof module.default === 'function') return module.default as Hook;
  throw new Error(`${path} does not export a function as its default`);
}

/** With the place in the hook's own file, where the error knows one; of a syntax error, at least what was being imported. */
export function describe(error: unknown, path: string | undefined): string {
  if (!(error instanceof Error)) return boundedWords(String(error));
  const message = boundedWords(error.message);
  const file = path === undefined ? undefined : basename(path);
  const start = file === undefined ? -1 : (error.stack?.indexOf(`${file}:`) ?? -1);
  const place = start === -1 ? undefined : /^[^:]+:\d+(?::\d+)?/.exec(error.stack?.slice(start) ?? '')?.[0];
  if (place !== undefined) return `${message} (${place})`;
  return error instanceof SyntaxError && file !== undefined ? `${message} (importing ${file})` : message;
}

/** Waits for the hook; tells it to stop on the signal or after its time, and gives it a moment to do so. */
export async function bounded(
  version: Version,
  ended: Promise<void>,
  { timeoutMs, signal }: RunOptions,
  stop: (reason: string) => void,
): Promise<void> {
  const timeUp = timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : new AbortController().signal;
  let grace: NodeJS.Timeout | undefined;
  let stopListening = (): void => undefined;
  const overdue = new Promise<never>((_resolve, reject) => {
    stopListening = whenAborted(AbortSignal.any([signal, timeUp]), () => {
      stop(timeUp.aborted ? 'the time of this hook is up' : 'the run is ending');
      grace = setTimeout(reject, STOP_GRACE_MS, new Error('the hook went on after it was told to stop'));
    });
  });
  try {
    await Promise.race([ended, overdue]);
  } catch (error) {
    signal.throwIfAborted();
    if (!timeUp.aborted) throw error;
    throw new MigratorError(
      'HOOK_FAILED',
      `the hook of ${version} was not done within --hook-timeout=${timeoutMs / 1000}s`,
      {
        version,
        cause: error,
        hint: 'make the hook faster, or give it more time; it must be idempotent, for it runs again',
      },
    );
  } finally {
    // A signal that comes later is none of this hook's, and must not keep the process for the time of grace.
    stopListening();
    clearTimeout(grace);
  }
}

export function hookFailed(version: Version, message: string, cause?: unknown): MigratorError {
  return new MigratorError('HOOK_FAILED', `the hook of ${version} failed: ${message}`, {
    version,
    cause,
    hint: 'nothing was recorded: correct the hook (or what it found) and run again; it must be idempotent',
  });
}

/** `failure` is of a connection that the hook was to have: the hook is not to blame. */
export function notConnected(version: Version, failure: MigratorError): MigratorError {
  const failed = new MigratorError(
    failure.code,
    `the connection of the hook of ${version} failed: ${failure.summary}`,
    {
      ...failure.details,
      version,
      cause: failure,
      hint:
        failure.hint ??
        'nothing was recorded; see that the server lets the hook in (it has up to 4 connections of its own), then run again',
    },
  );
  return failed.with({ awaitsSecret: false });
}
