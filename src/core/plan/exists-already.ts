/** Recognises a first migration that creates what already exists: the database was migrated without Lockstep before. */
import type { MigratorError } from '../errors.ts';
import type { AppliedVersion } from '../history.ts';
import type { Migration } from '../migration.ts';

/** duplicate_column, _database, _function, _schema, _table, _object (PostgreSQL manual, appendix A). */
const EXISTS: ReadonlySet<string> = new Set(['42701', '42P04', '42723', '42P06', '42P07', '42710']);

/** Adds a hint to the error if none of the files was recorded before this run. */
export function withoutHistory(
  error: MigratorError,
  migrations: readonly Migration[],
  applied: readonly AppliedVersion[],
): MigratorError {
  const recorded = new Set(applied.map(({ version }) => version));
  if (!EXISTS.has(error.details.server?.sqlstate ?? '') || migrations.some(({ version }) => recorded.has(version)))
    return error;
  return error.with({
    hint:
      `${error.next}. If the database already has what these files create, record that instead: "lockstep baseline --to VERSION",` +
      ' or "lockstep import --from TOOL" if another tool has applied them',
  });
}
