/** Commands that only read: `status`, `history`, `lock`. */
import type { AppliedVersion, JournalEntry } from '../../core/history.ts';
import type { HeldVersion } from '../../core/plan/held-versions.ts';
import { unfinished } from '../../core/plan/in-part.ts';
import type { Migration, Version } from '../../core/migration.ts';
import type { Journal, MigrationSource, Reporter, Session } from '../../core/ports.ts';
import type { LockReport } from '../../core/reports.ts';
import type { RunnerIdentity } from '../../core/runner.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';
import { statusOf, type VersionStatus } from '../../core/plan/plan.ts';
import { connect, type ConnectPorts, type Opened } from '../session/connect.ts';
import { ifVisible } from '../migrate/held-versions.ts';
import { invalidIndexes } from '../migrate/invalid-indexes.ts';
import { readSquashed } from '../migrate/squashed.ts';
import { interruptedBy } from '../session/interrupting.ts';

export interface InspectOptions {
  readonly runner: RunnerIdentity;
  readonly connectWaitMs: number;
  readonly signal: AbortSignal;
}

/** Every version in the files or the database. */
export async function readStatus(
  options: InspectOptions,
  ports: ConnectPorts & { readonly source: MigrationSource; readonly parser: SqlParser },
): Promise<VersionStatus[]> {
  const { migrations } = await ports.source.read();
  const { session, check } = await connect({ ...options, writes: false }, ports, options.signal);
  try {
    const { applied } = check.history;
    const rows = await interruptedBy(options.signal, session, () =>
      readRows({ session, check }, migrations, ports.reporter),
    );
    const done = new Set(applied.map(({ version }) => version));
    const invalid = await interruptedBy(options.signal, session, () =>
      invalidIndexes(
        migrations.filter(({ version }) => done.has(version)),
        session,
        ports.parser,
      ),
    );
    return rows.map((row) => ({
      ...row,
      ...(invalid.has(row.version) && { invalidIndexes: invalid.get(row.version) ?? [] }),
    }));
  } finally {
    await session.close();
  }
}

/** The state of every version, by history and journal. */
export async function readRows(
  { session, check }: Opened,
  migrations: readonly Migration[],
  reporter: Reporter,
): Promise<VersionStatus[]> {
  const { applied } = check.history;
  const seen = await ifVisible(readJournalFacts(session.journal, migrations, applied), NOTHING_SEEN, (message) =>
    reporter.report({ type: 'warning', message }),
  );
  return statusOf(migrations, applied, { ...seen, inPart: unfinished(check.journal?.inPart ?? [], applied) });
}

interface Seen {
  readonly heldVersions: readonly HeldVersion[];
  readonly squashed: ReadonlySet<Version>;
}

const NOTHING_SEEN: Seen = { heldVersions: [], squashed: new Set() };

async function readJournalFacts(
  journal: Journal,
  migrations: readonly Migration[],
  applied: readonly AppliedVersion[],
): Promise<Seen> {
  return { heldVersions: await journal.heldVersions(), squashed: await readSquashed(migrations, applied, journal) };
}

/** The journal, oldest entry first. */
export function readJournal(options: InspectOptions, ports: ConnectPorts): Promise<readonly JournalEntry[]> {
  return inSession(options, ports, (session) => session.journal.read());
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
