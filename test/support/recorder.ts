/** A Reporter that keeps every event, and lets a test wait for later ones. */
import type { MigratorEvent, MigratorEventOf, MigratorEventType } from '../../src/core/events.ts';
import type { Reporter } from '../../src/core/ports.ts';
import { within } from './bounded.ts';

export class Recorder implements Reporter {
  readonly events: MigratorEvent[] = [];
  readonly #given = new Set<MigratorEvent>();
  readonly #listeners = new Set<() => void>();

  report(event: MigratorEvent): void {
    this.events.push(event);
    for (const listener of this.#listeners) listener();
  }

  of<T extends MigratorEventType>(type: T): MigratorEventOf<T>[] {
    return this.events.filter((event): event is MigratorEventOf<T> => event.type === type);
  }

  /** The first such event that `next` has not returned yet: a past one, or the next one. Bounded. */
  async next<T extends MigratorEventType>(
    type: T,
    predicate: (event: MigratorEventOf<T>) => boolean = () => true,
    ms?: number,
  ): Promise<MigratorEventOf<T>> {
    const found = Promise.withResolvers<MigratorEventOf<T>>();
    const look = (): void => {
      const event = this.of(type).find((one) => !this.#given.has(one) && predicate(one));
      if (!event) return;
      this.#given.add(event);
      this.#listeners.delete(look);
      found.resolve(event);
    };
    this.#listeners.add(look);
    look();
    try {
      const seen = (): string => this.events.map((event) => event.type).join(', ');
      return await within(found.promise, () => `the event ${type}; there were: ${seen()}`, ms);
    } finally {
      this.#listeners.delete(look);
    }
  }
}
