/** Commands that only look: `status`, `history`, `lock`. */
import type { JournalEntry } from '../core/history.ts';
import { unfinished } from '../core/in-part.ts';
import type { MigrationSource, Session } from '../core/ports.ts';
import type { LockReport } from '../core/reports.ts';
import type { RunnerIdentity } from '../core/runner.ts';
import { statusOf, type VersionStatus } from '../core/plan.ts';
import { connect, type ConnectPorts } from './connect.ts';
import { ifVisible } from './held.ts';
import { interruptedBy } from './interrupting.ts';

export interface InspectOptions {
  readonly runner: RunnerIdentity;
  readonly connectWaitMs: number;
  readonly signal: AbortSignal;
}

/** Every version that files or database know. */
export async function readStatus(
  options: InspectOptions,
  ports: ConnectPorts & { readonly source: MigrationSource },
): Promise<VersionStatus[]> {
  const { migrations } = await ports.source.read();
  const { session, check } = await connect({ ...options, writes: false }, ports, options.signal);
  try {
    const { applied } = check.history;
    const holds = await interruptedBy(options.signal, session, () =>
      ifVisible(session.history.holds(), [], (message) => ports.reporter.report({ type: 'warning', message })),
    );
    return statusOf(migrations, applied, { holds, inPart: unfinished(check.journal?.inPart ?? [], applied) });
  } finally {
    await session.close();
  }
}

/** The journal, oldest entry first. */
export function readJournal(options: InspectOptions, ports: ConnectPorts): Promise<readonly JournalEntry[]> {
  return inSession(options, ports, (session) => session.history.journal());
}

export function inspectLock(
  options: InspectOptions & { readonly terminate: boolean },
  ports: ConnectPorts,
): Promise<LockReport> {
  return inSession(options, ports, async ({ lock }) => {
    const holder = await lock.holder();
    const report = { key: lock.key, holder, waiters: await lock.waiters() };
    if (!options.terminate || !holder) return report;
    return { ...report, terminated: await lock.terminate(holder) };
  });
}

async function inSession<T>(
  options: InspectOptions,
  ports: ConnectPorts,
  body: (session: Session) => Promise<T>,
): Promise<T> {
  const { session } = await connect({ ...options, writes: false }, ports, options.signal);
  try {
    return await interruptedBy(options.signal, session, () => body(session));
  } finally {
    await session.close();
  }
}
