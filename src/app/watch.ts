/** Metrics, traces and the notice of a run; loaded only where one of them is asked for. Nothing here fails a run. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { systemClock } from '../adapters/clock/system-clock.ts';
import { replaceFile } from '../adapters/files/replace-file.ts';
import { post } from '../adapters/http/post.ts';
import { tracesConfig, type TracesConfig } from '../config/otel.ts';
import type { ReportingConfig } from '../config/reporting.ts';
import type { MigratorEvent } from '../core/events.ts';
import { releaseName } from '../core/release.ts';
import { RunRecorder, type RunRecord } from '../core/run-record.ts';
import { VERSION } from '../core/version.ts';
import { isChange, isDryRun, type Ending } from '../output/termination-message.ts';
import { metricsText, pushPath } from '../output/watch/metrics.ts';
import { noticeBody } from '../output/watch/notice.ts';
import { tracesDocument } from '../output/watch/traces.ts';
import type { ProcessContext } from './process-context.ts';

/** The limit for a post to a Pushgateway or a chat. */
const POST_MS = 2_000;

export interface WatchOptions {
  readonly config: ReportingConfig;
  readonly env: ProcessContext['env'];
  /** Spans may be wanted: the standard variables say more. */
  readonly traces: boolean;
  readonly startedAt: number;
  /** For the log. */
  readonly warn: (message: string) => void;
}

export class Watch {
  readonly #options: WatchOptions;
  readonly #recorder: RunRecorder;
  readonly #traces: TracesConfig | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#recorder = new RunRecorder(options.startedAt);
    const traces = options.traces ? tracesConfig(options.env) : undefined;
    if (traces && 'problem' in traces) options.warn(`no traces: ${traces.problem}`);
    else this.#traces = traces;
  }

  see(event: MigratorEvent): void {
    this.#recorder.see(event, systemClock.now());
  }

  /** Resolves when everything is written and sent, or after `ms`. Never rejects. */
  async end(ending: Ending, ms: number): Promise<void> {
    if (isDryRun(ending)) return;
    const { metricsFile, metricsPush, notifyFile } = this.#options.config.watch ?? {};
    const record = this.#recorder.recorded(systemClock.now());
    const limit = Math.min(ms, POST_MS);
    if (metricsFile !== undefined)
      await this.#best('write the metrics', () => replaceFile(metricsFile, metricsText(ending, record)));
    if (!this.#isWorthSending(ending)) return;
    await Promise.all([
      metricsPush && this.#best('push the metrics', () => this.#push(metricsPush, metricsText(ending, record), limit)),
      this.#traces && this.#best('send the trace', () => this.#sendTraces(ending, record, ms)),
      notifyFile !== undefined &&
        isNews(ending, record) &&
        this.#best('send the notice', () => this.#notify(notifyFile, this.#noticeOf(ending, record), limit)),
    ]);
  }

  /** Of a thousand replicas that had nothing to do, nobody wants to hear; of a Job, yes. */
  #isWorthSending(ending: Ending): boolean {
    const inJob = this.#options.config.events?.job !== undefined;
    return inJob || ending.error !== undefined || isChange(ending);
  }

  async #best(what: string, work: () => Promise<void> | void): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.warn(`could not ${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #push(address: string, body: string, timeoutMs: number): Promise<void> {
    const { identity, events } = this.#options.config;
    const { release = '', target } = identity;
    const url = new URL(address);
    // An address that names its group already is meant as it is.
    if (!url.pathname.includes('/metrics/job')) {
      const group = { namespace: events?.podNamespace, release: releaseName(release), target };
      url.pathname = url.pathname.replace(/\/+$/, '') + pushPath(group);
    }
    await post({ url, headers: { 'content-type': 'text/plain; version=0.0.4' }, body, timeoutMs });
  }

  async #sendTraces(ending: Ending, record: RunRecord, ms: number): Promise<void> {
    const traces = this.#traces;
    if (!traces) return;
    const { url, headers, timeoutMs, certificate, parent, traceState } = traces;
    const traceId = parent?.traceId ?? randomBytes(16).toString('hex');
    const newSpanId = (): string => randomBytes(8).toString('hex');
    const context = { traceId, parentSpanId: parent?.spanId, traceState, newSpanId };
    await post({
      url,
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(tracesDocument(ending, record, { resource: this.#resource(traces), context })),
      timeoutMs: Math.min(timeoutMs, ms),
      ca: certificate === undefined ? undefined : readFileSync(certificate, 'utf8'),
    });
  }

  #resource({ resource }: TracesConfig): Record<string, string | undefined> {
    const { identity, events } = this.#options.config;
    return {
      'service.version': VERSION,
      'k8s.namespace.name': events?.podNamespace,
      'k8s.pod.name': identity.pod,
      'k8s.job.name': events?.job,
      'lockstep.release': identity.release,
      'lockstep.target': identity.target,
      ...resource,
    };
  }

  #noticeOf(ending: Ending, { database }: RunRecord): string {
    return noticeBody(ending, { release: this.#options.config.identity.release, database });
  }

  async #notify(file: string, body: string, timeoutMs: number): Promise<void> {
    const url = URL.parse(readFileSync(file, 'utf8').trim());
    if (!url || !/^https?:$/.test(url.protocol)) throw new Error('its file holds no address of http or https');
    await post({ url, headers: { 'content-type': 'application/json' }, body, timeoutMs });
  }
}

/**
 * Something changed, or failed. A run that repeats what the journal says of an earlier failure, or that a signal ended
 * before it began with a migration, is no news.
 */
function isNews(ending: Ending, { steps }: RunRecord): boolean {
  const { error } = ending;
  if (isChange(ending)) return true;
  if (!error || error.details.recorded) return false;
  return error.code !== 'INTERRUPTED' || steps.length > 0;
}
