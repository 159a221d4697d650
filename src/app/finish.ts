/** The last words of a command: its failure, the termination message, what Events and log lines are still under way. */
import type { LogReporter } from '../adapters/logs/log-reporter.ts';
import { writeTerminationLog } from '../adapters/kubernetes/termination-log.ts';
import type { ReportingConfig } from '../config/reporting.ts';
import { formatError } from '../output/error-text.ts';
import { terminationMessage, type Ending } from '../output/termination-message.ts';
import type { KubernetesEvents } from './kubernetes-events.ts';
import type { ProcessContext } from './process-context.ts';

/** For all Events that are still to be sent. */
const FLUSH_MS = 3_000;
/** Whoever sent a signal waits: 2 s may have gone into cancelling a statement, and 5 s are all there is. */
const FLUSH_AFTER_SIGNAL_MS = 1_500;

export interface Reporting {
  readonly config: ReportingConfig;
  readonly log: LogReporter;
  readonly events: KubernetesEvents | undefined;
  /** In text; in JSON it always does. */
  readonly logTellsFailure: boolean;
}

/** Tells how the command ended, everywhere, and resolves with its exit code. Nothing here changes that code. */
export async function reportEnding(
  ending: Ending,
  { config, log, events, logTellsFailure }: Reporting,
  context: ProcessContext,
): Promise<number> {
  const { error } = ending;
  if (error) {
    if (logTellsFailure || config.log.format === 'json') log.report({ type: 'run.failed', error });
    else context.stderr.write(`${formatError(error)}\n`);
    events?.report({ type: 'run.failed', error });
  }
  // First what needs nobody else: a second signal may end us at any moment.
  try {
    writeTerminationLog(terminationMessage(ending), config.terminationLog);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    log.report({ type: 'warning', message: `the termination message could not be written: ${reason}` });
  }
  await events?.flush(context.signal.aborted ? FLUSH_AFTER_SIGNAL_MS : FLUSH_MS);
  await log.flush();
  return error?.exit ?? 0;
}
