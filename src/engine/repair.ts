/** `repair`: brings history and journal into line with the files, and says first what it will do. */
import { describeRepair, planRepair, unknownOnly, versionOf, wrongRename, type RepairWish } from '../core/repair.ts';
import type { MigrationSource } from '../core/ports.ts';
import type { RepairReport } from '../core/reports.ts';
import { connect, type ConnectPorts } from './connect.ts';
import { holdLock } from './hold-lock.ts';
import type { InspectOptions } from './inspect.ts';
import { interruptedBy } from './interrupting.ts';

export interface RepairOptions extends InspectOptions {
  readonly wish: RepairWish;
  readonly dryRun: boolean;
  readonly lockWaitMs: number;
}

export async function repair(
  options: RepairOptions,
  ports: ConnectPorts & { readonly source: MigrationSource },
): Promise<RepairReport> {
  const { wish, dryRun, lockWaitMs, signal } = options;
  const { migrations } = await ports.source.read();
  const { session, check } = await connect({ ...options, writes: true }, ports, signal);
  const body = async (): Promise<RepairReport> => {
    const { history } = session;
    if (!dryRun) await history.ensureTables();
    const { applied } = await history.read();
    const [storedDowns, incomplete] = [await history.storedDowns(), await history.incompleteStatements()];
    const facts = { migrations, applied, storedDowns, incomplete, holds: await history.holds() };
    const unknown = unknownOnly(facts, wish.only) ?? wrongRename(facts, wish.rename);
    if (unknown) throw unknown;
    const actions = planRepair(facts, wish);
    const steps = actions.map((action) => ({ version: versionOf(action), action: describeRepair(action) }));
    for (const step of steps) ports.reporter.report({ type: 'repair.planned', ...step, dryRun });
    if (!dryRun) await history.repair(actions);
    return { dryRun, steps };
  };
  try {
    return await interruptedBy(signal, session, () =>
      holdLock<RepairReport>({ session, check, settled: () => undefined, body, lockWaitMs, signal }, ports),
    );
  } finally {
    await session.close();
  }
}
