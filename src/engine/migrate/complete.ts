/** Completes, in a run that holds the lock anyway, what earlier runners left out of history and journal. */
import type { HistoryState } from '../../core/history.ts';
import type { Direction, Migration } from '../../core/migration.ts';
import type { Session } from '../../core/ports.ts';
import { isIrreversible, lacksStoredDown } from '../../core/plan/stored-down.ts';

/** Resolves with warnings for the user. */
export async function complete(
  migrations: readonly Migration[],
  { applied }: HistoryState,
  { history, journal }: Session,
  direction: Direction,
): Promise<readonly string[]> {
  // Rows of the original Go runner have no checksum, and count as unchanged.
  const bare = new Set(applied.filter((row) => row.checksum === undefined).map(({ version }) => version));
  await history.completeChecksums(migrations.filter(({ version }) => bare.has(version)));
  if (direction === 'down') return [];
  const rows = new Map(applied.map((row) => [row.version, row]));
  const unchanged = migrations.filter(({ version, up }) => {
    const row = rows.get(version);
    return row && (row.checksum === undefined || row.checksum === up.checksum);
  });
  if (unchanged.length > 0) {
    const stored = new Map((await journal.storedDowns()).map((one) => [one.version, one]));
    await journal.storeDowns(
      unchanged.filter((migration) => lacksStoredDown(migration, stored.get(migration.version))),
    );
    const saysSoNow = unchanged.filter(
      (migration) => isIrreversible(migration) && stored.get(migration.version)?.irreversible === false,
    );
    await journal.markIrreversible(saysSoNow.map(({ version }) => version));
  }
  return (await history.distrust()).map((why) => `rolling back from stored SQL will be refused: ${why}`);
}
