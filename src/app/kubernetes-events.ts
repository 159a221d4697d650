/**
 * Loads the sender of Kubernetes Events only when there is one to send: a replica with nothing to do never loads it.
 */
import { systemClock } from '../adapters/clock/system-clock.ts';
import type { EventReporter } from '../adapters/kubernetes/event-reporter.ts';
import type { ReportingConfig } from '../config/reporting.ts';
import type { MigratorEvent, MigratorEventType } from '../core/events.ts';
import type { Direction } from '../core/migration.ts';
import type { ProcessContext } from './process-context.ts';

/** Only these events may be the first one of a run to become a Kubernetes Event. */
const WAKING: readonly MigratorEventType[] = [
  'database.waiting',
  'lock.waiting',
  'run.planned',
  'tenants.planned',
  'tenants.waiting',
  'run.failed',
];
const WAKING_IN_JOB: readonly MigratorEventType[] = ['migration.all-skipped', 'database.ahead', 'tenants.finished'];

export function wakes({ type }: MigratorEvent, inJob: boolean): boolean {
  return WAKING.includes(type) || (inJob && WAKING_IN_JOB.includes(type));
}

export interface KubernetesEventsOptions {
  readonly config: ReportingConfig;
  readonly direction: Direction;
  readonly context: ProcessContext;
  /** For the log. */
  readonly warn: (message: string) => void;
}

export class KubernetesEvents {
  readonly #options: KubernetesEventsOptions;
  #reporter: Promise<EventReporter | undefined> | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(options: KubernetesEventsOptions) {
    this.#options = options;
  }

  report(event: MigratorEvent): void {
    const { config } = this.#options;
    if (!this.#reporter && (!this.#mayBeOn || !wakes(event, config.events?.job !== undefined))) return;
    const reporter = (this.#reporter ??= this.#load());
    this.#last = this.#last.then(async () => (await reporter)?.report(event));
  }

  /** Resolves when all Events are sent, or after `ms`. Never rejects. */
  async flush(ms: number): Promise<void> {
    await this.#last;
    await (await this.#reporter)?.flush(ms);
  }

  get #mayBeOn(): boolean {
    const { config, context: context } = this.#options;
    const mode = config.events?.mode ?? 'off';
    return mode === 'on' || (mode === 'auto' && (context.env['KUBERNETES_SERVICE_HOST'] ?? '') !== '');
  }

  async #load(): Promise<EventReporter | undefined> {
    const { config, warn } = this.#options;
    try {
      const reporter = await this.#create();
      if (!reporter && config.events?.mode === 'on')
        warn('no Kubernetes Events, despite --events=on: there is no cluster or no service account here');
      return reporter;
    } catch (error) {
      warn(`no Kubernetes Events: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  async #create(): Promise<EventReporter | undefined> {
    const { config, context: context, direction, warn } = this.#options;
    const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = context.env;
    const { events, identity } = config;
    if (!events || host === '' || port === '') return undefined;
    const { createEventReporter } = await import('../adapters/kubernetes/event-reporter.ts');
    const { podNamespace: namespace, podUid, container, initContainer, job, jobUid, serviceAccountDir } = events;
    const place = { namespace, pod: identity.pod ?? context.hostname, podUid, container, initContainer, job, jobUid };
    return await createEventReporter({
      direction,
      place,
      target: identity.target,
      host,
      port,
      serviceAccountDir,
      clock: systemClock,
      warn,
    });
  }
}
