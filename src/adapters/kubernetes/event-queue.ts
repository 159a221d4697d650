/** Sends Events in order, in the background and in bounded time; failures never affect the run. */
import type { Clock } from '../../core/ports.ts';
import type { EventObject, Moment } from './event-object.ts';
import { PostError, type Poster } from './poster.ts';

/** The limit for one Event, including its retry and the pause before it. */
const POST_MS = 2_000;
const RETRY_PAUSE_MS = 500;

/** Builds an Event for a moment, which gives it its name and time. */
export type MakeEvent = (moment: Moment) => EventObject;

export interface EventQueuePorts {
  /** Called once, at the first Event. */
  readonly open: () => Promise<Poster>;
  readonly clock: Clock;
  /** For the log. */
  readonly warn: (message: string) => void;
}

export class EventQueue {
  readonly #ports: EventQueuePorts;
  readonly #ended = new AbortController();
  #poster: Promise<Poster> | undefined;
  #last: Promise<void> = Promise.resolve();
  #off = false;
  #warned = false;

  constructor(ports: EventQueuePorts) {
    this.#ports = ports;
  }

  add(make: MakeEvent): void {
    // The time at which it happened, even if the Event has to wait in the queue.
    const now = this.#ports.clock.now();
    this.#last = this.#last.then(() => this.#send(make, now));
  }

  /** Resolves when all are sent, or after `ms`; then the rest is dropped. */
  async flush(ms: number): Promise<void> {
    const { clock } = this.#ports;
    const done = new AbortController();
    await Promise.race([this.#last, clock.sleep(ms, done.signal)]);
    done.abort();
    this.#ended.abort();
  }

  async #send(make: MakeEvent, now: number): Promise<void> {
    if (this.#off || this.#ended.signal.aborted) return;
    try {
      this.#poster ??= this.#ports.open();
      const poster = await this.#poster;
      await this.#tryTwice(poster, make, now);
    } catch (error) {
      this.#failed(error);
    }
  }

  async #tryTwice(poster: Poster, make: MakeEvent, now: number): Promise<void> {
    const { clock } = this.#ports;
    const signal = AbortSignal.any([clock.deadline(POST_MS), this.#ended.signal]);
    const attempt = (): Promise<void> => poster.post(make({ now, random: clock.random() }), signal);
    try {
      await attempt();
    } catch (error) {
      if (!(error instanceof PostError) || !mayBeRetried(error)) throw error;
      // After a name conflict (409) no pause is needed: the next name is different.
      if (error.status !== 409) await clock.sleep(Math.min(error.retryAfterMs ?? RETRY_PAUSE_MS, POST_MS), signal);
      if (signal.aborted) throw error;
      await attempt();
    }
  }

  /** Logs one line per run. */
  #failed(error: unknown): void {
    // Dropped at the end of the run.
    if (this.#ended.signal.aborted) return;
    const reason = error instanceof Error ? error.message : String(error);
    const refused = error instanceof PostError && (error.status === 401 || error.status === 403);
    if (refused || !(error instanceof PostError)) {
      this.#off = true;
      this.#ports.warn(`this run sends no more Kubernetes Events: ${reason}`);
    } else if (!this.#warned) {
      this.#warned = true;
      this.#ports.warn(`could not send a Kubernetes Event: ${reason}`);
    }
  }
}

function mayBeRetried({ status = 0 }: PostError): boolean {
  return status === 409 || status === 429 || status >= 500;
}
