/** Asks the journal which versions without a file are squashed, but only when there may be any. */
import type { AppliedVersion } from '../../core/history.ts';
import { compareVersions, type Migration, type Version } from '../../core/migration.ts';
import type { Journal } from '../../core/ports.ts';
import { olderThanFiles, squashedVersions } from '../../core/plan/squashed.ts';
import { ifVisible } from './held-versions.ts';

export async function readSquashed(
  migrations: readonly Migration[],
  applied: readonly AppliedVersion[],
  journal: Journal,
): Promise<ReadonlySet<Version>> {
  const older = olderThanFiles(migrations, applied);
  const [first] = older.toSorted(compareVersions);
  if (first === undefined) return new Set();
  const above = applied.map(({ version }) => version).filter((version) => compareVersions(version, first) > 0);
  // A role that may not read the journal gets more warnings than necessary.
  return squashedVersions(older, await ifVisible(journal.baselined(above), [], () => undefined));
}
