/** What hooks share in their own thread and in the caller's: import, time limit, and errors. */
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';

import { MigratorError } from '../../../core/errors.ts';
import type { Version } from '../../../core/migration.ts';
import { boundedWords } from '../../../core/server-words.ts';
import { whenAborted } from '../../../core/until-aborted.ts';
import type { Hook } from './hook-context.ts';

/** How long a hook may continue after it was asked to stop. */
const STOP_GRACE_MS = 2_000;

export interface RunOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** @throws Error if the module's default export is not a function. */
export async function importHook(path: string): Promise<Hook> {
  const module = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
  if (typeof module.default === 'function') return module.default as Hook;
  throw new Error(`the default export of ${path} is not a function`);
}

/**
 * The message with the position in the hook's file, if the error has one; for a syntax error, at least the imported
 * file.
 */
export function describe(error: unknown, path: string | undefined): string {
  if (!(error instanceof Error)) return boundedWords(String(error));
  const message = boundedWords(error.message);
  const file = path === undefined ? undefined : basename(path);
  const start = file === undefined ? -1 : (error.stack?.indexOf(`${file}:`) ?? -1);
  const place = start === -1 ? undefined : /^[^:]+:\d+(?::\d+)?/.exec(error.stack?.slice(start) ?? '')?.[0];
  if (place !== undefined) return `${message} (${place})`;
  // Bun's errors of syntax are of a class of their own, without a stack.
  const isOfSyntax = error instanceof SyntaxError || error.stack === undefined;
  return isOfSyntax && file !== undefined ? `${message} (importing ${file})` : message;
}

/** Waits for the hook; asks it to stop on the signal or after the timeout, and gives it a moment to do so. */
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
      stop(timeUp.aborted ? '--hook-timeout is over' : 'the run is ending');
      grace = setTimeout(reject, STOP_GRACE_MS, new Error('the hook continued after it was asked to stop'));
    });
  });
  try {
    await Promise.race([ended, overdue]);
  } catch (error) {
    signal.throwIfAborted();
    if (!timeUp.aborted) throw error;
    throw new MigratorError(
      'HOOK_FAILED',
      `the hook of ${version} did not finish within --hook-timeout=${timeoutMs / 1000}s`,
      {
        version,
        cause: error,
        hint: 'make the hook faster, or raise --hook-timeout; it must be idempotent, because it runs again',
      },
    );
  } finally {
    // A later signal does not concern this hook, and must not keep the process alive for the grace period.
    stopListening();
    clearTimeout(grace);
  }
}

export function hookFailed(version: Version, message: string, cause?: unknown): MigratorError {
  return new MigratorError('HOOK_FAILED', `the hook of ${version} failed: ${message}`, {
    version,
    cause,
    hint: 'nothing was recorded: correct the hook (or the data it found) and run again; it must be idempotent',
  });
}

/** The hook's connection failed or was lost: the hook itself is not to blame. */
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
        'nothing was recorded; make sure that the server accepts the up to 4 connections of a hook, then run again',
    },
  );
  return failed.with({ awaitsSecret: false });
}
