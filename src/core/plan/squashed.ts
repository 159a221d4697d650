/** Which applied versions have no file any more because the oldest files were squashed into one. */
import type { AppliedVersion } from '../history.ts';
import { compareVersions, type Migration, type Version } from '../migration.ts';

/** Applied, and older than the oldest file. */
export function olderThanFiles(migrations: readonly Migration[], applied: readonly AppliedVersion[]): Version[] {
  const [oldest] = migrations;
  return oldest
    ? applied.map(({ version }) => version).filter((version) => compareVersions(version, oldest.version) < 0)
    : [];
}

/** `recorded`: versions that `baseline` or `import` recorded without running them. They include everything older. */
export function squashedVersions(older: readonly Version[], recorded: readonly Version[]): ReadonlySet<Version> {
  return new Set(older.filter((version) => recorded.some((one) => compareVersions(one, version) > 0)));
}
