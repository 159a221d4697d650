/** The metrics of one run in Prometheus' text format; docs/metrics.md explains them. */
import type { RunRecord } from '../../core/run-record.ts';
import { VERSION } from '../../core/version.ts';
import type { Ending } from '../termination-message.ts';

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** With a line break at the end. */
export function metricsText({ outcome, error }: Ending, record: RunRecord): string {
  const { startedAt, endedAt, lockWait, inSchemas } = record;
  const done = outcome ? outcome.done.map((step) => ({ ...step, count: 1 })) : inSchemas;
  const lastRun = (name: string, help: string, value: number): Metric => ({
    name: `lockstep_last_run_${name}`,
    help,
    samples: [{ value }],
  });
  const metrics: Metric[] = [
    lastRun('timestamp_seconds', 'When the last run ended, in seconds since the epoch.', endedAt / 1000),
    lastRun('duration_seconds', 'How long the last run took.', (endedAt - startedAt) / 1000),
    lastRun(
      'lock_wait_seconds',
      'How long the last run waited for the lock.',
      lockWait ? (lockWait.endedAt - lockWait.startedAt) / 1000 : 0,
    ),
    lastRun('exit_code', 'The exit code of the last run.', error?.exit ?? 0),
    lastRun(
      'applied_migrations',
      'How many migrations the last run applied.',
      done.reduce((sum, { direction, count }) => sum + (direction === 'up' ? count : 0), 0),
    ),
    {
      name: 'lockstep_last_run_migration_duration_seconds',
      help: 'How long each migration of the last run took.',
      samples: done.map(({ version, direction, durationMs }) => ({
        labels: { version, direction },
        value: durationMs / 1000,
      })),
    },
    {
      name: 'lockstep_last_success_timestamp_seconds',
      help: 'When the last run that succeeded ended, in seconds since the epoch.',
      samples: error ? [] : [{ value: endedAt / 1000 }],
    },
    {
      name: 'lockstep_pending_migrations',
      help: 'How many migrations of the files are not applied.',
      samples: pendingOf({ outcome, error }).map((value) => ({ value })),
    },
    {
      name: 'lockstep_build_info',
      help: 'The version of Lockstep that ran last.',
      samples: [{ labels: { version: VERSION }, value: 1 }],
    },
  ];
  return metrics
    .filter(({ samples }) => samples.length > 0)
    .map(metricText)
    .join('\n');
}

/** A run that failed before it read the history knows of nothing pending, which does not mean that nothing is. */
function pendingOf({ outcome, error }: Pick<Ending, 'outcome' | 'error'>): number[] {
  if (!outcome || (error && outcome.pending.length === 0)) return [];
  return [outcome.pending.length];
}

function metricText({ name, help, samples }: Metric): string {
  const lines = samples.map(({ labels = {}, value }) => `${name}${labelText(labels)} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines, ''].join('\n');
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

/** What a Pushgateway groups by. */
export interface Group {
  readonly namespace?: string | undefined;
  readonly release?: string | undefined;
  readonly target?: string | undefined;
}

/**
 * The path of the group behind the gateway's own address. Neither the pod nor the revision is in it: their groups would
 * stay for ever.
 */
export function pushPath(group: Group): string {
  const labels = Object.entries({ job: 'lockstep', ...group }).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [pathLabel(name, value)],
  );
  return `/metrics/${labels.join('/')}`;
}

/** A value with a slash is written in base64 (the Pushgateway's README, "URL"). */
function pathLabel(name: string, value: string): string {
  return value.includes('/')
    ? `${name}@base64/${Buffer.from(value).toString('base64url')}`
    : `${name}/${encodeURIComponent(value)}`;
}
