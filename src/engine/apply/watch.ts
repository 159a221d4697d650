/** Speaks while a statement runs for long: how far it is, and who blocks it. */
import type { Version } from '../../core/migration.ts';
import type { Clock, Reporter, Session } from '../../core/ports.ts';

const FIRST_REPORT_MS = 10_000;
const REPORT_EVERY_MS = 30_000;

interface Watched {
  readonly session: Session;
  readonly version: Version;
}

export async function watching<T>(
  watched: Watched,
  ports: { readonly clock: Clock; readonly reporter: Reporter },
  body: () => Promise<T>,
): Promise<T> {
  const ended = new AbortController();
  const watch = speak(watched, ports, ended.signal);
  try {
    return await body();
  } finally {
    // With a reason it need not make an error, which costs more than all else here.
    ended.abort(null);
    await watch;
  }
}

async function speak(
  { session, version }: Watched,
  { clock, reporter }: { readonly clock: Clock; readonly reporter: Reporter },
  ended: AbortSignal,
): Promise<void> {
  const startedAt = clock.now();
  const isOver = (): boolean => ended.aborted;
  for (let pause = FIRST_REPORT_MS; ; pause = REPORT_EVERY_MS) {
    await clock.sleep(pause, ended);
    if (isOver()) return;
    // Only told, so whatever keeps us from looking is no failure of the run.
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
