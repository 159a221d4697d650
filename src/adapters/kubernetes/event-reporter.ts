/** A Reporter that tells Kubernetes what happens in a run. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Direction } from '../../core/migration.ts';
import type { Clock, Reporter } from '../../core/ports.ts';
import { Digest } from './digest.ts';
import { eventObject, type Place } from './event-object.ts';
import { EventQueue } from './event-queue.ts';
import type { InCluster, Poster } from './poster.ts';

export interface EventReporterOptions extends InCluster {
  readonly direction: Direction;
  /** The namespace is the service account's where nobody says it. */
  readonly place: Omit<Place, 'namespace'> & { readonly namespace?: string | undefined };
  readonly clock: Clock;
  /** For the log. */
  readonly warn: (message: string) => void;
}

export interface EventReporter extends Reporter {
  /** Resolves when all Events are sent, or after `ms`. Never rejects. */
  flush(ms: number): Promise<void>;
}

/** Undefined without a service account. */
export async function createEventReporter(options: EventReporterOptions): Promise<EventReporter | undefined> {
  const { direction, clock, warn, serviceAccountDir } = options;
  if (!existsSync(join(serviceAccountDir, 'token'))) return undefined;
  const namespace =
    options.place.namespace ?? (await readFile(join(serviceAccountDir, 'namespace'), 'utf8').catch(() => '')).trim();
  const place: Place = { ...options.place, namespace };
  const digest = new Digest({ direction, inJob: place.job !== undefined, now: () => clock.now() });
  const queue = new EventQueue({ open: () => open(options, namespace), clock, warn });
  return {
    report(event) {
      const text = digest.of(event);
      if (text) queue.add((moment) => eventObject(text, direction, place, moment));
    },
    flush: (ms) => queue.flush(ms),
  };
}

/** @throws Error that says why there can be no Events. */
async function open(cluster: InCluster, namespace: string): Promise<Poster> {
  if (namespace === '') throw new Error('the namespace of the pod is not known; set LOCKSTEP_POD_NAMESPACE');
  const { createPoster } = await import('./kubernetes-client.ts').catch((cause: unknown) => {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the Kubernetes client cannot be loaded (it needs Node 22.19 or newer): ${said}`, { cause });
  });
  return createPoster(cluster);
}
