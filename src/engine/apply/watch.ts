/**
 * Watches a statement while it runs: reports one that runs for long, and cancels one that keeps others waiting for a
 * table.
 */
import type { Clock, Reporter } from '../../core/ports.ts';
import { cancelLongWait, withBlockers, type Watched } from './give-way.ts';

const FIRST_REPORT_MS = 10_000;
const REPORT_EVERY_MS = 30_000;

interface WatchPorts {
  readonly clock: Clock;
  readonly reporter: Reporter;
}

/** @throws MigratorError CONTENTION with the blockers when the statement was cancelled; every other error as it is. */
export async function watching<T>(watched: Watched, ports: WatchPorts, body: () => Promise<T>): Promise<T> {
  const ended = new AbortController();
  const reports = reportWhileRunning(watched, ports, ended.signal);
  const cancelled = cancelLongWait(watched, ports.clock, ended.signal);
  try {
    return await body();
  } catch (error) {
    throw await withBlockers(error, watched, cancelled, ports.clock);
  } finally {
    // With a reason, abort() does not create an error, which would cost more than everything else here.
    ended.abort(null);
    await Promise.all([reports, cancelled]);
  }
}

async function reportWhileRunning(
  { session, version }: Watched,
  { clock, reporter }: WatchPorts,
  ended: AbortSignal,
): Promise<void> {
  const startedAt = clock.now();
  const isOver = (): boolean => ended.aborted;
  for (let pause = FIRST_REPORT_MS; ; pause = REPORT_EVERY_MS) {
    await clock.sleep(pause, ended);
    if (isOver()) return;
    // Only a report: a failure to observe the session must not fail the run.
    const seen = await session.observe(ended).catch(() => undefined);
    if (isOver()) return;
    reporter.report({
      type: 'statement.running',
      version,
      elapsedMs: clock.now() - startedAt,
      blockers: seen?.blockers ?? [],
      progress: seen?.progress,
    });
  }
}
