/**
 * The key of runs that work in one schema alone, held in shared mode by every run over many schemas: they share the
 * work, and those others, the original Go runner among them, are kept out.
 */
import type { QueuedLock } from '../../../core/ports.ts';
import type { Holder } from '../../../core/runner.ts';
import { channelOf, queueKeyOf } from '../lock/advisory-lock.ts';
import { holderQuery, readHolder } from '../lock/holder.ts';
import { identifier } from '../wire/sql.ts';
import type { Wire } from '../wire/wire.ts';

export class Gate implements QueuedLock {
  readonly key: string;
  readonly #wire: Wire;
  #released: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(wire: Wire, key: string) {
    this.#wire = wire;
    this.key = key;
    wire.listen('notification', ({ channel }: { readonly channel: string }) => {
      if (channel === channelOf(key)) this.#released.resolve();
    });
  }

  async tryAcquire(): Promise<boolean> {
    const [result] = await this.#wire.message(`SELECT pg_try_advisory_lock_shared(${this.key})`);
    return result?.rows[0]?.[0] === 't';
  }

  async release(): Promise<void> {
    await this.#wire.message(
      `SELECT pg_advisory_unlock_shared(${this.key}); NOTIFY ${identifier(channelOf(this.key))}`,
    );
  }

  async joinQueue(): Promise<void> {
    await this.#wire.message(
      `SELECT pg_try_advisory_lock_shared(${queueKeyOf(this.key)}); LISTEN ${identifier(channelOf(this.key))}`,
    );
  }

  async leaveQueue(): Promise<void> {
    await this.#wire.message(
      `UNLISTEN ${identifier(channelOf(this.key))}; SELECT pg_advisory_unlock_shared(${queueKeyOf(this.key)})`,
    );
  }

  async nextRelease(): Promise<void> {
    await this.#released.promise;
    this.#released = Promise.withResolvers();
  }

  async holder(): Promise<Holder | undefined> {
    const [result] = await this.#wire.message(holderQuery(this.key));
    return readHolder(result?.rows[0]?.[0]);
  }
}
