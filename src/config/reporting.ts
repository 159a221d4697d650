/** How a run is told: the log, who it is, Kubernetes Events, the termination message. */
import type { CommandName } from '../core/runner.ts';
import type { OptionValues } from './option-values.ts';
import { belongsTo, type RawOptions } from './options.ts';
import { readSettings, type Environment, type Facts } from './settings.ts';
import { targetOf } from './target.ts';
import { whereDefined } from './omit-undefined.ts';

interface LogConfig {
  readonly format: 'text' | 'json';
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly color: 'auto' | 'always' | 'never';
}

interface IdentityConfig {
  readonly pod?: string;
  /** Of a fleet. */
  readonly target?: string;
  readonly release?: string;
  readonly image?: string;
}

interface EventsConfig {
  readonly mode: 'auto' | 'on' | 'off';
  readonly serviceAccountDir: string;
  readonly podNamespace?: string;
  readonly podUid?: string;
  readonly container?: string;
  readonly initContainer: boolean;
  readonly job?: string;
  readonly jobUid?: string;
}

/** What of a run is written or sent when it ends. */
interface WatchConfig {
  readonly metricsFile?: string;
  readonly metricsPush?: string;
  readonly notifyFile?: string;
}

/** How what happens is told. */
export interface ReportingConfig {
  readonly log: LogConfig;
  readonly identity: IdentityConfig;
  readonly terminationLog?: string;
  /** Of the commands that send Events. */
  readonly events?: EventsConfig;
  /** Of `up` and `down`. */
  readonly watch?: WatchConfig;
}

/** As far as the settings can be believed when some of them are wrong. */
export function reportingDespiteErrors(raw: RawOptions, env: Environment, facts: Facts): ReportingConfig {
  return reportingConfig(raw.command, readSettings(raw, env, facts).values);
}

export function reportingConfig(command: CommandName, values: OptionValues): ReportingConfig {
  const { logFormat, logLevel, color, terminationLog, metricsFile, metricsPush, notifyFile } = values;
  const watch = whereDefined({ metricsFile, metricsPush, notifyFile });
  return {
    log: { format: logFormat ?? 'json', level: logLevel, color },
    identity: identityConfig(values),
    ...whereDefined({
      terminationLog,
      events: belongsTo('events', command) ? eventsConfig(values) : undefined,
      watch: belongsTo('metricsFile', command) ? watch : undefined,
    }),
  };
}

function eventsConfig({ events, serviceAccountDir, initContainer, ...values }: OptionValues): EventsConfig {
  const { podNamespace, podUid, container, job, jobUid } = values;
  return {
    mode: events,
    serviceAccountDir,
    initContainer,
    ...whereDefined({ podNamespace, podUid, container, job, jobUid }),
  };
}

function identityConfig({ pod, release, image, ...values }: OptionValues): IdentityConfig {
  return whereDefined({ pod, target: targetOf(values), release, image });
}
