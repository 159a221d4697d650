/** `fleet status`: reads the state of many databases, some at a time. */
import { toMigratorError } from '../../core/errors.ts';
import type { TargetReport } from '../../core/fleet.ts';
import type { Migration } from '../../core/migration.ts';
import { ifVisible } from '../migrate/held-versions.ts';
import { connect, type ConnectPorts } from '../session/connect.ts';
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
      return await interruptedBy(options.signal, session, async () => ({
        target,
        seen: {
          rows: await readRows(opened, migrations, ports.reporter),
          // Whoever may not read the journal was warned when the rows were read.
          failed: await ifVisible(session.journal.lastFailure(), undefined, () => undefined),
          holder: await session.lock.holder(),
        },
      }));
    } finally {
      await session.close();
    }
  } catch (error) {
    return { target, error: toMigratorError(error) };
  }
}
