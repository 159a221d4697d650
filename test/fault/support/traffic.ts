/** Counts messages as they pass, and resolves after a given number of further ones. */
import { within } from '../../support/bounded.ts';

/** Longer than any pause of a runner: it polls every second, and reconnects after at most 5 s. */
const SILENCE_MS = 45_000;

export class Traffic {
  #count = 0;
  readonly #watchers = new Set<() => void>();

  count(): void {
    this.#count += 1;
    this.look();
  }

  /** Wakes up all waiters to check again after another change. */
  look(): void {
    for (const watcher of this.#watchers) watcher();
  }

  /** Resolves after `messages` more, or when no runner is left to send any. */
  async more(messages: number, nobodyMoves: () => boolean): Promise<void> {
    const until = this.#count + messages;
    const there = Promise.withResolvers<undefined>();
    const look = (): void => {
      if (this.#count >= until || nobodyMoves()) there.resolve(undefined);
    };
    this.#watchers.add(look);
    look();
    try {
      await within(there.promise, () => `the runners to send ${until - this.#count} more messages`, SILENCE_MS);
    } finally {
      this.#watchers.delete(look);
    }
  }
}
