/** Keeps a run from applying what was rolled back on purpose, and ends holds that have served. */
import { MigratorError } from '../core/errors.ts';
import { heldError, judgeHolds, type EndedHold, type Hold, type HoldAsker } from '../core/hold.ts';
import type { Migration } from '../core/migration.ts';
import type { History, Reporter } from '../core/ports.ts';

/** The holds that end with this run. @throws MigratorError HISTORY_CONFLICT when one binds it. */
export function refuseHeld(holds: readonly Hold[], migrations: readonly Migration[], asker: HoldAsker): readonly EndedHold[] {
  const { binding, ended } = judgeHolds(holds, migrations, asker);
  if (binding.length > 0) throw heldError(binding);
  return ended;
}

/** For commands that only look: a role that may read the history alone is told that it does not see everything. */
export async function ifVisible<T>(read: Promise<T>, otherwise: T, warn: (message: string) => void): Promise<T> {
  return await read.catch((error: unknown) => {
    if (!(error instanceof MigratorError) || error.code !== 'ACCESS_REFUSED') throw error;
    warn('this role may not read the journal, so what is held looks pending to it: grant it SELECT on that table, too');
    return otherwise;
  });
}

/** Written before anything is applied: a new release has ended the hold also if it then fails. */
export async function endHolds(
  ended: readonly EndedHold[],
  history: History,
  reporter: Reporter,
): Promise<void> {
  await history.endHolds(ended);
  tellEnded(ended, reporter, false);
}

export function tellEnded(ended: readonly EndedHold[], reporter: Reporter, dryRun: boolean): void {
  for (const { hold, because } of ended) reporter.report({ type: 'hold.ended', hold, because, dryRun });
}
