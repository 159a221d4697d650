/** Waits idle for the lock, reports who holds it, leaves when nothing is left to do, and always releases it. */
import { MigratorError } from '../../core/errors.ts';
import type { Check, Clock, QueuedLock, Reporter, Session } from '../../core/ports.ts';
import { describeHolder, type Holder } from '../../core/runner.ts';
import { jitter } from './jitter.ts';

const FIRST_REPORT_MS = 5_000;
const REPORT_EVERY_MS = 30_000;
/** NOTIFY usually wakes a waiter; polling is for holders that were killed. Jitter at most halves it. */
const POLL_MS = 1_000;
/** After an attempt that failed although the lock had no holder: other runners were checking it at the same moment. */
const MISSED_MS = 50;
/** More in a row are no coincidence: a session holds the key in another mode. */
const MISSES_BY_CHANCE = 20;

/** What a check says of the lock. */
type LockCheck = Pick<Check, 'free' | 'holder'>;

/** A session, as far as its lock goes. */
export interface Lockable<C extends LockCheck = Check> extends Pick<Session, 'configure' | 'lost' | 'outlivesUs'> {
  readonly lock: QueuedLock;
  check(): Promise<C>;
}

export interface WithLockOptions<T, C extends LockCheck = Check> {
  readonly session: Lockable<C>;
  /** The newest check, decided on first. */
  readonly check: C;
  /** A result when the lock is not needed (any more). */
  readonly settled: (check: C) => T | undefined | Promise<T | undefined>;
  /** What needs the lock. */
  readonly body: (waitedMs: number) => Promise<T>;
  /** How long to wait for the lock, in milliseconds. */
  readonly lockWaitMs: number;
  readonly signal: AbortSignal;
}

interface Locked {
  readonly session: Pick<Lockable, 'lock' | 'lost'>;
}

interface WithLockPorts {
  readonly reporter: Reporter;
  readonly clock: Clock;
}

/** @throws MigratorError LOCK_TIMEOUT naming the holder. */
export async function withLock<T, C extends LockCheck = Check>(
  options: WithLockOptions<T, C>,
  ports: WithLockPorts,
): Promise<T> {
  const { session, settled, signal } = options;
  const wait = new Wait(options, ports);
  try {
    for (let check = options.check; ; check = await session.check()) {
      signal.throwIfAborted();
      const result = await settled(check);
      if (result !== undefined) return result;
      await session.configure();
      if (check.free && (await session.lock.tryAcquire())) return await whileLocked(options, wait, ports);
      await wait.forRelease(check.holder);
    }
  } finally {
    // Leave the queue: the session's next user would look like a waiter.
    if (session.outlivesUs && !session.lost.aborted) await wait.end().catch(() => undefined);
  }
}

async function whileLocked<T>(
  { session, body }: Locked & Pick<WithLockOptions<T>, 'body'>,
  wait: Wait,
  { reporter }: WithLockPorts,
): Promise<T> {
  const { lock, lost } = session;
  try {
    await wait.end();
    reporter.report({ type: 'lock.acquired', key: lock.key, waitedMs: wait.elapsedMs });
    return await body(wait.elapsedMs);
  } finally {
    // A lost session has released the lock already; an error here must not hide an earlier one.
    if (!lost.aborted) {
      await lock.release().then(
        () => {
          reporter.report({ type: 'lock.released', key: lock.key });
        },
        () => undefined,
      );
    }
  }
}

/** One wait for the lock: since when, whether in the queue, and when to report next. */
class Wait {
  readonly #session: Locked['session'];
  readonly #lockWaitMs: number;
  readonly #signal: AbortSignal;
  readonly #reporter: Reporter;
  readonly #clock: Clock;
  readonly #since: number;
  #queued = false;
  #missed = 0;
  #nextReportMs = FIRST_REPORT_MS;

  constructor(
    { session, lockWaitMs, signal }: Locked & Pick<WithLockOptions<unknown>, 'lockWaitMs' | 'signal'>,
    { reporter, clock }: WithLockPorts,
  ) {
    this.#session = session;
    this.#lockWaitMs = lockWaitMs;
    this.#signal = signal;
    this.#reporter = reporter;
    this.#clock = clock;
    this.#since = clock.now();
  }

  get elapsedMs(): number {
    return this.#clock.now() - this.#since;
  }

  /** Sleeps idle until a release is announced, or for one polling interval. */
  async forRelease(seen: Holder | undefined): Promise<void> {
    const { lock, lost } = this.#session;
    if (this.elapsedMs >= this.#lockWaitMs) throw await this.#timeout(seen);
    this.#missed = seen ? 0 : this.#missed + 1;
    const byChance = this.#missed <= MISSES_BY_CHANCE;
    const holder = seen ?? (byChance ? undefined : await lock.holder());
    if (!holder) {
      await this.#clock.sleep(jitter(this.#clock, byChance ? MISSED_MS : POLL_MS), this.#signal);
      return;
    }
    if (!this.#queued) {
      this.#queued = true;
      this.#report(holder);
      // The caller checks once more after this, so that a release in between is not missed.
      await lock.joinQueue();
      return;
    }
    if (this.elapsedMs >= this.#nextReportMs) {
      this.#nextReportMs = this.elapsedMs + REPORT_EVERY_MS;
      this.#report((await lock.holder()) ?? holder);
    }
    const woken = new AbortController();
    const stop = AbortSignal.any([this.#signal, lost, woken.signal]);
    const pause = Math.min(jitter(this.#clock, POLL_MS), Math.max(0, this.#lockWaitMs - this.elapsedMs));
    await Promise.race([this.#clock.sleep(pause, stop), lock.nextRelease()]);
    woken.abort();
    lost.throwIfAborted();
  }

  async end(): Promise<void> {
    if (!this.#queued) return;
    this.#queued = false;
    await this.#session.lock.leaveQueue();
  }

  #report(holder: Holder): void {
    this.#reporter.report({ type: 'lock.waiting', key: this.#session.lock.key, waitedMs: this.elapsedMs, holder });
  }

  async #timeout(seen: Holder | undefined): Promise<MigratorError> {
    const holder = (await this.#session.lock.holder()) ?? seen;
    const by = holder ? `held by ${describeHolder(holder)}` : 'other sessions keep trying for it';
    return new MigratorError(
      'LOCK_TIMEOUT',
      `the lock was not free within --lock-wait=${this.#lockWaitMs / 1000}s: ${by}`,
      {
        holder,
        hint:
          'wait for that runner and run again; if it hangs, look with "lockstep lock" and end it with' +
          ` "lockstep lock --terminate"${holder ? ` (or SELECT pg_terminate_backend(${holder.pid}))` : ''}`,
      },
    );
  }
}
