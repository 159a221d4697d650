/** A Reporter that sends Kubernetes Events. */
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
  /** Of a fleet. */
  readonly target?: string | undefined;
  /** Without a namespace, the service account's is used. */
  readonly place: Omit<Place, 'namespace'> & { readonly namespace?: string | undefined };
  readonly clock: Clock;
  /** For the log. */
  readonly warn: (message: string) => void;
}

export interface EventReporter extends Reporter {
  /** Resolves when all Events are sent, or after `ms`. Never rejects. */
  flush(ms: number): Promise<void>;
}

/** Undefined if there is no service account. */
export async function createEventReporter(options: EventReporterOptions): Promise<EventReporter | undefined> {
  const { direction, target, clock, warn, serviceAccountDir } = options;
  if (!existsSync(join(serviceAccountDir, 'token'))) return undefined;
  const namespace =
    options.place.namespace ?? (await readFile(join(serviceAccountDir, 'namespace'), 'utf8').catch(() => '')).trim();
  const place: Place = { ...options.place, namespace };
  const digest = new Digest({ direction, target, inJob: place.job !== undefined, now: () => clock.now() });
  const queue = new EventQueue({ open: () => open(options, namespace), clock, warn });
  return {
    report(event) {
      const text = digest.of(event);
      if (text) queue.add((moment) => eventObject(text, direction, place, moment));
    },
    flush: (ms) => queue.flush(ms),
  };
}

/** @throws Error saying why no Events can be sent. */
async function open(cluster: InCluster, namespace: string): Promise<Poster> {
  if (namespace === '') throw new Error('the namespace of the pod is unknown; set LOCKSTEP_POD_NAMESPACE');
  const { createPoster } = await import('./kubernetes-client.ts').catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`cannot load the Kubernetes client (it needs Node 22.19 or newer): ${reason}`, { cause });
  });
  return createPoster(cluster);
}
