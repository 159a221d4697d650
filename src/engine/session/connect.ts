/** Waits for the database: tries to open a session, with growing pauses, until a deadline. */
import { MigratorError, toMigratorError } from '../../core/errors.ts';
import type { Check, Clock, Database, Reporter, Session } from '../../core/ports.ts';
import type { RunnerIdentity } from '../../core/runner.ts';
import { jitter } from './jitter.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** Even with `--connect-wait=0`, one attempt gets the time that it needs. */
const SHORTEST_ATTEMPT_MS = 3_000;

export interface ConnectOptions {
  readonly runner: RunnerIdentity;
  /** How long to wait for the database, in milliseconds. */
  readonly connectWaitMs: number;
  /** A standby or a read-only server counts as not there yet. */
  readonly writes: boolean;
}

/** What is opened: a session of any kind. */
interface Openable extends Pick<Session, 'address' | 'database' | 'pid' | 'close'> {
  check(): Promise<Pick<Check, 'writesRefused'>>;
}

interface Opener<S extends Openable> extends Pick<Database, 'secretChanged'> {
  open(runner: RunnerIdentity, signal: AbortSignal): Promise<S>;
}

interface OpenedAs<S extends Openable> {
  readonly session: S;
  readonly check: Awaited<ReturnType<S['check']>>;
}

export interface ConnectPorts<S extends Openable = Session> {
  readonly database: Opener<S>;
  readonly reporter: Reporter;
  readonly clock: Clock;
}

export type Opened = OpenedAs<Session>;

/**
 * A session and its first check.
 * @throws MigratorError DATABASE_UNAVAILABLE after the deadline; at once when waiting cannot help.
 */
export async function connect<S extends Openable = Session>(
  options: ConnectOptions,
  { database, reporter, clock }: ConnectPorts<S>,
  signal: AbortSignal,
): Promise<OpenedAs<S>> {
  const { session, check } = await keepTrying(
    {
      connectWaitMs: options.connectWaitMs,
      reporter,
      clock,
      secretChanged: (stop: AbortSignal) => database.secretChanged(stop),
    },
    (limit) => openOnce(options, database, limit),
    signal,
  );
  reporter.report({ type: 'session.opened', address: session.address, database: session.database, pid: session.pid });
  return { session, check };
}

export interface KeepTryingOptions {
  readonly connectWaitMs: number;
  readonly clock: Clock;
  readonly reporter: Reporter;
  readonly secretChanged?: ((signal: AbortSignal) => Promise<void>) | undefined;
}

/** The same for any way to connect: `attempt` gives up when its signal aborts. */
export async function keepTrying<T>(
  { connectWaitMs, clock, reporter, secretChanged }: KeepTryingOptions,
  attempt: (limit: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const deadline = clock.now() + connectWaitMs;
  // Until the session has its own settings, only this limit detects a server that never answers.
  const limitMs = Math.max(connectWaitMs, SHORTEST_ATTEMPT_MS);
  const limit = AbortSignal.any([signal, clock.deadline(limitMs)]);
  let last: MigratorError | undefined;
  for (let count = 1; ; count += 1) {
    try {
      return await attempt(limit);
    } catch (cause) {
      signal.throwIfAborted();
      const error: MigratorError = limit.aborted ? (last ?? overdue(cause, limitMs)) : toMigratorError(cause);
      last = error;
      const left = deadline - clock.now();
      if (error.code !== 'DATABASE_UNAVAILABLE' && !awaitsSecret(error) && !isTableLocked(error)) throw error;
      if (left <= 0) throw gaveUp(error, connectWaitMs);
      const retryInMs = Math.min(left, jitter(clock, FIRST_PAUSE_MS * 2 ** Math.min(count - 1, 10), LONGEST_PAUSE_MS));
      reporter.report({ type: 'database.waiting', attempt: count, retryInMs, error });
      await pause(retryInMs, { secretChanged, clock }, signal);
      signal.throwIfAborted();
    }
  }
}

/** Ends early when a secret has changed and the next attempt may succeed. */
async function pause(
  ms: number,
  { secretChanged, clock }: Pick<KeepTryingOptions, 'secretChanged' | 'clock'>,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  await Promise.race([clock.sleep(ms, stop), ...(secretChanged ? [secretChanged(stop)] : [])]);
  over.abort();
}

function awaitsSecret({ details }: MigratorError): boolean {
  return details.awaitsSecret === true;
}

/** Another session has the history locked, for example by VACUUM FULL, and the error names it. */
function isTableLocked({ code, details }: MigratorError): boolean {
  return code === 'CONTENTION' && details.blockers !== undefined;
}

async function openOnce<S extends Openable>(
  { runner, writes }: ConnectOptions,
  database: Opener<S>,
  signal: AbortSignal,
): Promise<OpenedAs<S>> {
  const session = await database.open(runner, signal);
  try {
    const check = (await session.check()) as OpenedAs<S>['check'];
    if (writes && check.writesRefused) throw notWritable(session.address, check.writesRefused);
    return { session, check };
  } catch (error) {
    await session.close();
    throw error;
  }
}

function notWritable(address: string, why: 'standby' | 'read-only'): MigratorError {
  return why === 'standby'
    ? new MigratorError('DATABASE_UNAVAILABLE', `${address} is a standby, which accepts no writes`, {
        hint: 'give the address of the primary',
      })
    : new MigratorError('DATABASE_UNAVAILABLE', `${address} is read-only (default_transaction_read_only is on)`, {
        hint: 'wait until the server accepts writes again, or find out who made it read-only',
      });
}

function overdue(cause: unknown, limitMs: number): MigratorError {
  if (cause instanceof MigratorError && awaitsSecret(cause)) return cause;
  return new MigratorError('DATABASE_UNAVAILABLE', `the database did not answer within ${limitMs / 1000} s`, { cause });
}

function gaveUp(error: MigratorError, connectWaitMs: number): MigratorError {
  return new MigratorError(error.code, `${error.summary} (gave up after --connect-wait=${connectWaitMs / 1000}s)`, {
    ...error.details,
    hint: error.hint ?? 'check the address and that the server runs, or wait longer with --connect-wait',
    cause: error,
  });
}
