/** `baseline`: records versions as applied without running them. */
import { MigratorError } from '../../core/errors.ts';
import type { HistoryState } from '../../core/history.ts';
import { compareVersions, type Migration, type Version } from '../../core/migration.ts';
import { namedVersion, versionGuess } from '../../core/plan/named-version.ts';
import type { Check, MigrationSource, Session } from '../../core/ports.ts';
import { connect, type ConnectPorts } from '../session/connect.ts';
import { withLock } from '../session/with-lock.ts';
import { spareInPart } from '../migrate/in-part.ts';
import type { InspectOptions } from './inspect.ts';
import { interruptedBy } from '../session/interrupting.ts';

export interface BaselineOptions extends InspectOptions {
  /** The newest version that the database already has. */
  readonly to: Version;
  readonly lockWaitMs: number;
}

export interface BaselineResult {
  readonly recorded: readonly Version[];
  /** Were in the history already. */
  readonly skipped: readonly Version[];
  readonly waitedMs: number;
}

export async function baseline(
  options: BaselineOptions,
  ports: ConnectPorts & { readonly source: MigrationSource },
): Promise<BaselineResult> {
  const { migrations } = await ports.source.read();
  const wanted = upTo(options.to, migrations);
  const { session, check } = await connect({ ...options, writes: true }, ports, options.signal);
  try {
    return await interruptedBy(options.signal, session, () => record(wanted, { session, check }, options, ports));
  } finally {
    await session.close();
  }
}

function record(
  wanted: readonly Migration[],
  { session, check }: { readonly session: Session; readonly check: Check },
  { lockWaitMs, signal }: BaselineOptions,
  ports: ConnectPorts,
): Promise<BaselineResult> {
  return withLock<BaselineResult>(
    {
      session,
      check,
      lockWaitMs,
      signal,
      settled: (now) => {
        if (!now.free || unrecorded(wanted, now.history).length > 0) return undefined;
        spareInPart(now.journal?.inPart ?? [], { recording: [], applied: now.history.applied }, ports.reporter);
        return result(wanted, [], 0);
      },
      body: async (waitedMs) => {
        const { history, journal } = session;
        await history.ensureTables();
        const state = await history.read();
        const todo = unrecorded(wanted, state);
        spareInPart(
          await journal.inPart(),
          { recording: todo.map(({ version }) => version), applied: state.applied },
          ports.reporter,
        );
        await history.baseline(todo);
        for (const { version } of todo) ports.reporter.report({ type: 'migration.baselined', version });
        return result(wanted, todo, waitedMs);
      },
    },
    ports,
  );
}

function upTo(given: Version, migrations: readonly Migration[]): Migration[] {
  const versions = migrations.map((migration) => migration.version);
  const to = namedVersion(given, versions);
  if (versions.includes(to)) return migrations.filter(({ version }) => compareVersions(version, to) <= 0);
  throw new MigratorError('CONFIG_INVALID', `--to ${to}: there is no such migration`, {
    hint: versionGuess(to, versions) ?? 'give a version as "lockstep status" shows it',
  });
}

function unrecorded(wanted: readonly Migration[], { applied }: HistoryState): Migration[] {
  const rows = new Set(applied.map((row) => row.version));
  return wanted.filter(({ version }) => !rows.has(version));
}

function result(wanted: readonly Migration[], todo: readonly Migration[], waitedMs: number): BaselineResult {
  const recorded = todo.map((migration) => migration.version);
  const skipped = wanted.map((migration) => migration.version).filter((version) => !recorded.includes(version));
  return { recorded, skipped, waitedMs };
}
