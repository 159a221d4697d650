/** `wait`: returns when nothing is pending; it only reads. */
import { inPartRemarks, unfinished, type VersionInPart } from '../../core/plan/in-part.ts';
import type { Migration, Version } from '../../core/migration.ts';
import { pendingVersions } from '../../core/plan/plan.ts';
import type { Check, Clock, MigrationSource, Reporter, Session } from '../../core/ports.ts';
import { describeHolder, onlyAddsToHistory, type Holder } from '../../core/runner.ts';
import { connect, type ConnectPorts } from '../session/connect.ts';
import { jitter } from '../session/jitter.ts';
import { ifVisible, refuseHeldVersions } from '../migrate/held-versions.ts';
import type { InspectOptions } from './inspect.ts';
import { afterFailure, reportingFailures, timedOut } from './not-applied.ts';
import { interruptedBy } from '../session/interrupting.ts';

const POLL_MS = 1_000;

export interface WaitOptions extends InspectOptions {
  /** How long to wait, in milliseconds; 0 looks once. */
  readonly timeoutMs: number;
  /** Whether to end at a failure of what is waited for, once no runner is at work. */
  readonly failOnFailure: boolean;
}

export interface WaitPorts extends ConnectPorts {
  readonly source: MigrationSource;
  readonly reporter: Reporter;
  readonly clock: Clock;
}

/** The versions that are there now. @throws MigratorError PENDING when the time is up. */
export async function waitUntilApplied(options: WaitOptions, ports: WaitPorts): Promise<readonly Version[]> {
  const { migrations } = await ports.source.read();
  const deadline = ports.clock.now() + options.timeoutMs;
  for (;;) {
    const { session, check } = await connect(
      {
        ...options,
        connectWaitMs: Math.min(options.connectWaitMs, Math.max(0, deadline - ports.clock.now())),
        writes: false,
      },
      ports,
      options.signal,
    );
    try {
      await interruptedBy(options.signal, session, () =>
        poll(session, check, { ...options, migrations, deadline }, ports),
      );
      return migrations.map((migration) => migration.version);
    } catch (error) {
      options.signal.throwIfAborted();
      // If the server restarts meanwhile, wait for it as at the start.
      if (!session.lost.aborted || ports.clock.now() >= deadline) throw error;
    } finally {
      await session.close();
    }
  }
}

async function poll(
  session: Session,
  first: Check,
  {
    migrations,
    deadline,
    timeoutMs,
    failOnFailure,
    runner,
    signal,
  }: WaitOptions & { readonly migrations: readonly Migration[]; readonly deadline: number },
  { clock, reporter }: WaitPorts,
): Promise<void> {
  let lastReport = '';
  const since = deadline - timeoutMs;
  const warned = new Set<string>();
  const warn = (message: string): void => {
    if (!warned.has(message)) reporter.report({ type: 'warning', message });
    warned.add(message);
  };
  const failureOf = reportingFailures(session, migrations, { reporter, warn });
  for (let check = first; ; check = await session.check()) {
    const { files, others } = standing(check, migrations);
    for (const message of inPartRemarks(others, [])) warn(message);
    const pending = [...pendingVersions(migrations, check.history.applied), ...files.map(({ version }) => version)];
    const rollsBack = rollbackAtWork(check);
    if (pending.length === 0 && (check.free || (check.holder && !rollsBack))) return;
    if (pending.length > 0 && !rollsBack) await refuseHeld(session, pending, { release: runner.release, warn });
    const failure = await failureOf(pending);
    const message = rollsBack ? `waiting until ${describeHolder(rollsBack)} is done` : waitingFor(pending);
    const waited = { migrations, pending, inPart: files, failure, waitedMs: clock.now() - since };
    if (failOnFailure && check.free && failure) throw afterFailure(failure, waited);
    if (clock.now() >= deadline) throw timedOut(message, timeoutMs, waited);
    if (message !== lastReport) reporter.report({ type: 'wait.pending', message, pending });
    lastReport = message;
    await clock.sleep(jitter(clock, POLL_MS), signal);
    signal.throwIfAborted();
  }
}

/** Whoever holds the lock and may remove applied versions. */
function rollbackAtWork({ holder }: Check): Holder | undefined {
  return holder !== undefined && !onlyAddsToHistory(holder) ? holder : undefined;
}

/** Versions that a rollback holds will not be applied by this release. */
async function refuseHeld(
  { journal }: Session,
  pending: readonly Version[],
  { release, warn }: { readonly release: string | undefined; readonly warn: (message: string) => void },
): Promise<void> {
  refuseHeldVersions(await ifVisible(journal.heldVersions(), [], warn), pending, { release, reapply: [] });
}

function waitingFor(pending: readonly Version[]): string {
  if (pending.length === 0) return 'nothing is pending, but other sessions are about to take the lock';
  return `waiting for ${pending.length} pending: ${pending.slice(0, 5).join(', ')}${pending.length > 5 ? ', …' : ''}`;
}

/** Versions in part: of these files, which `wait` waits for, and of others. */
function standing(
  { journal, history }: Check,
  migrations: readonly Migration[],
): { readonly files: readonly VersionInPart[]; readonly others: readonly VersionInPart[] } {
  const here = new Set(migrations.map(({ version }) => version));
  const inPart = unfinished(journal?.inPart ?? [], history.applied);
  return {
    files: inPart.filter(({ version, direction }) => direction === 'down' && here.has(version)),
    others: inPart.filter(({ version }) => !here.has(version)),
  };
}
