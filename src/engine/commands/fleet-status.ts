/** `fleet status`: reads the state of many databases, some at a time. */
import { toMigratorError, type MigratorError } from '../../core/errors.ts';
import { missingVersions, type TargetReport } from '../../core/fleet.ts';
import type { Migration } from '../../core/migration.ts';
import { planOrThrow, planUp, type VersionStatus } from '../../core/plan/plan.ts';
import { ifVisible } from '../migrate/held-versions.ts';
import { requireNothingLost } from '../migrate/plan-run.ts';
import { connect, type ConnectPorts, type Opened } from '../session/connect.ts';
import { interruptedBy } from '../session/interrupting.ts';
import { readRows, type InspectOptions } from './inspect.ts';

export interface Target {
  readonly name: string;
  /** @throws MigratorError when the target cannot be reached: that is its row. */
  readonly open: () => { readonly options: InspectOptions; readonly ports: ConnectPorts };
}

export interface FleetOptions {
  /** How many targets are read at a time. */
  readonly parallel: number;
  readonly signal: AbortSignal;
}

/**
 * In the order of `targets`; a target that cannot be read does not stop the others.
 * @throws MigratorError INTERRUPTED when the signal aborts.
 */
export async function readFleet(
  targets: readonly Target[],
  migrations: readonly Migration[],
  { parallel, signal }: FleetOptions,
): Promise<TargetReport[]> {
  const reports: TargetReport[] = [];
  const queue = targets.entries();
  const work = async (): Promise<void> => {
    for (const [index, target] of queue) {
      signal.throwIfAborted();
      reports[index] = await readTarget(target, migrations);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, targets.length) }, work));
  signal.throwIfAborted();
  return reports;
}

export async function readTarget(
  { name: target, open }: Target,
  migrations: readonly Migration[],
): Promise<TargetReport> {
  try {
    const { options, ports } = open();
    const opened = await connect({ ...options, writes: false }, ports, options.signal);
    const { session } = opened;
    try {
      return await interruptedBy(options.signal, session, async () => {
        const rows = await readRows(opened, migrations, ports.reporter);
        // Whoever may not read the journal was warned when the rows were read.
        const failed = await ifVisible(session.journal.lastFailure(), undefined, () => undefined);
        const holder = await session.lock.holder();
        const error =
          holder || missingVersions(rows).length === 0 ? undefined : await refusal(opened, migrations, rows);
        return { target, seen: { rows, failed, holder }, ...(error && { error }) };
      });
    } finally {
      await session.close();
    }
  } catch (error) {
    return { target, error: toMigratorError(error) };
  }
}

/** Why `up` would refuse these versions whatever they do: such a run leaves nothing in the journal. */
async function refusal(
  { session, check: { history } }: Opened,
  migrations: readonly Migration[],
  rows: readonly VersionStatus[],
): Promise<MigratorError | undefined> {
  const files = new Set(migrations.map(({ version }) => version));
  const done = rows.filter(({ version, state }) => state === 'applied' && !files.has(version));
  const facts = {
    squashed: new Set(done.map(({ version }) => version)),
    inPart: rows.flatMap(({ inPart }) => inPart ?? []),
  };
  try {
    await ifVisible(requireNothingLost(history, session), undefined, () => undefined);
    planOrThrow(planUp(migrations, history.applied, { target: { kind: 'latest' }, strict: false, ...facts }));
    return undefined;
  } catch (error) {
    return toMigratorError(error);
  }
}
