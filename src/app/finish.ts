/** The last words of a command: its failure, the termination message, what Events and log lines are still under way. */
import type { LogReporter } from '../adapters/logs/log-reporter.ts';
import { writeTerminationLog } from '../adapters/kubernetes/termination-log.ts';
import type { TellingConfig } from '../config/reporting.ts';
import type { MigratorError } from '../core/errors.ts';
import { formatError } from '../output/error-text.ts';
import { terminationMessage, type Ending } from '../output/termination-message.ts';
import type { KubernetesEvents } from './kubernetes-events.ts';
import type { World } from './process-context.ts';

/** For all Events that are still to be sent. */
const FLUSH_MS = 3_000;
/** Whoever sent a signal waits: 2 s may have gone into cancelling a statement, and 5 s are all there is. */
const FLUSH_AFTER_SIGNAL_MS = 1_500;

export interface Telling {
  readonly config: TellingConfig;
  readonly log: LogReporter;
  readonly events: KubernetesEvents | undefined;
}

/** Tells how the command ended, everywhere, and resolves with its exit code. Nothing here changes that code. */
export async function tellEnding(ending: Ending, { config, log, events }: Telling, world: World): Promise<number> {
  const { error } = ending;
  if (error) {
    tellFailure(error, config, log, world);
    events?.report({ type: 'run.failed', error });
  }
  // First what needs nobody else: a second signal may end us at any moment.
  try {
    writeTerminationLog(terminationMessage(ending), config.terminationLog);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    log.report({ type: 'warning', message: `the termination message could not be written: ${reason}` });
  }
  await events?.flush(world.signal.aborted ? FLUSH_AFTER_SIGNAL_MS : FLUSH_MS);
  await log.flush();
  return error?.exit ?? 0;
}

function tellFailure(error: MigratorError, config: TellingConfig, log: LogReporter, world: World): void {
  if (config.log.format === 'json') log.report({ type: 'run.failed', error });
  else world.stderr.write(`${formatError(error)}\n`);
}
