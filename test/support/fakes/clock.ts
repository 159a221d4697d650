/** Clocks for tests: one that a test advances, and one that a scheduler advances. */
import type { Clock } from '../../../src/core/ports.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export class FakeClock implements Clock {
  readonly #sleepers = new Set<Sleeper>();
  readonly #random: () => number;
  #now = 0;

  /** Near 1 pauses have their full length; at 0 jitter halves them. */
  constructor(random: () => number = () => 0.999_999) {
    this.#random = random;
  }

  now(): number {
    return this.#now;
  }

  random(): number {
    return this.#random();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return;
    const { promise, resolve }: PromiseWithResolvers<void> = Promise.withResolvers();
    const wake = (): void => {
      resolve();
    };
    const sleeper = { at: this.#now + ms, wake };
    this.#sleepers.add(sleeper);
    signal?.addEventListener('abort', wake, { once: true });
    await promise;
    this.#sleepers.delete(sleeper);
    signal?.removeEventListener('abort', wake);
  }

  deadline(ms: number): AbortSignal {
    const controller = new AbortController();
    const wake = (): void => controller.abort(new Error(`the deadline of ${ms} ms is over`));
    this.#sleepers.add({ at: this.#now + ms, wake });
    return controller.signal;
  }

  /** Advances the clock, and runs every sleeper that wakes up on the way. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#next(); next && next.at <= end; next = this.#next()) {
      this.#wake(next);
      await settle();
    }
    this.#now = end;
  }

  /** Advances from one sleeper to the next until `work` has ended. @throws Error when it waits for something else. */
  async until<T>(work: Promise<T>): Promise<T> {
    const progress = { ended: false };
    const end = (): void => {
      progress.ended = true;
    };
    work.then(end, end);
    await settle();
    while (!progress.ended) {
      const next = this.#next();
      if (!next) throw new Error('nobody sleeps, and the work has not ended');
      this.#wake(next);
      await settle();
    }
    return await work;
  }

  #next(): Sleeper | undefined {
    return [...this.#sleepers].sort((a, b) => a.at - b.at)[0];
  }

  #wake(sleeper: Sleeper): void {
    this.#now = Math.max(this.#now, sleeper.at);
    this.#sleepers.delete(sleeper);
    sleeper.wake();
  }
}

/** Resolves when all work that needs no time has run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Delays the next call, for any duration. */
export type Turn = (label: string) => Promise<unknown>;

/** Time passes only by sleeping, and `turn` decides who wakes up when. No deadline ever comes. */
export function clockOf(turn: Turn): Clock {
  let now = 0;
  return {
    now: () => now,
    random: () => 0.5,
    deadline: () => new AbortController().signal,
    async sleep(ms, signal) {
      const until = now + ms;
      await Promise.race([turn('sleep'), aborted(signal)]);
      if (signal?.aborted !== true) now = Math.max(now, until);
    },
  };
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) resolve();
    else signal?.addEventListener('abort', () => resolve(), { once: true });
  });
}
