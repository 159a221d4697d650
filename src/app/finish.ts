/** Ends a command: reports its failure, writes the termination message, and flushes Events and log. */
import type { LogReporter } from '../adapters/logs/log-reporter.ts';
import { writeTerminationLog } from '../adapters/kubernetes/termination-log.ts';
import type { ReportingConfig } from '../config/reporting.ts';
import { formatError } from '../output/error-text.ts';
import { terminationMessage, type Ending } from '../output/termination-message.ts';
import type { KubernetesEvents } from './kubernetes-events.ts';
import type { Watch } from './watch.ts';
import type { ProcessContext } from './process-context.ts';

/** The limit for all Events that are not sent yet. */
const FLUSH_MS = 3_000;
/** After a signal a run must end within 5 s, of which cancelling a statement may take 2 s. */
const FLUSH_AFTER_SIGNAL_MS = 1_500;

export interface Reporting {
  readonly config: ReportingConfig;
  readonly log: LogReporter;
  readonly events: KubernetesEvents | undefined;
  /** Metrics, traces and notices, where they are asked for. */
  readonly watch: Watch | undefined;
  /** In text; in JSON it always does. */
  readonly logTellsFailure: boolean;
}

/** Reports the end of the command everywhere, and resolves with its exit code, which nothing here changes. */
export async function reportEnding(
  ended: Omit<Ending, 'target'>,
  { config, log, events, watch, logTellsFailure }: Reporting,
  context: ProcessContext,
): Promise<number> {
  const ending = { ...ended, target: config.identity.target };
  const { error } = ending;
  if (error) {
    if (logTellsFailure || config.log.format === 'json') log.report({ type: 'run.failed', error });
    else context.stderr.write(`${formatError(error)}\n`);
    events?.report({ type: 'run.failed', error });
  }
  // First what needs nobody else: a second signal may end the process at any moment.
  try {
    writeTerminationLog(terminationMessage(ending), config.terminationLog);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    log.report({ type: 'warning', message: `could not write the termination message: ${reason}` });
  }
  const ms = context.signal.aborted ? FLUSH_AFTER_SIGNAL_MS : FLUSH_MS;
  await Promise.all([events?.flush(ms), watch?.end(ending, ms)]);
  await log.flush();
  return error?.exit ?? 0;
}
