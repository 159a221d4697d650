/** Decides which migrations an `import` records as applied, or why it is refused. */
import { MigratorError } from '../errors.ts';
import { foreignTool } from './foreign-table.ts';
import type { AppliedVersion } from '../history.ts';
import type { Migration, Version } from '../migration.ts';
import type { TableName } from '../table-name.ts';
import type { ForeignTable, ImportTool } from './foreign-history.ts';
import { matchFiles } from './match-files.ts';
import { TOOLS } from './tools.ts';

export interface ImportFacts {
  readonly tool: ImportTool;
  readonly table: ForeignTable;
  readonly migrations: readonly Migration[];
  readonly applied: readonly AppliedVersion[];
  /** Versions that the journal has seen applied or rolled back. */
  readonly journaled: ReadonlySet<Version>;
}

/** A migration to be recorded as applied. */
export interface ImportedMigration {
  readonly migration: Migration;
  /** As the other tool calls it. */
  readonly label: string;
  /** As the server wrote it; undefined if the other tool does not know. */
  readonly appliedAt?: string | undefined;
}

export interface ImportPlan {
  readonly record: readonly ImportedMigration[];
  /** Already in Lockstep's history. */
  readonly skipped: readonly Version[];
  /** Files that are not in Lockstep's history now. */
  readonly pending: readonly Version[];
  readonly warnings: readonly string[];
}

/** The new name of a table that has the name of Lockstep's. */
export function setAside({ schema, name }: TableName): TableName {
  return { ...(schema !== undefined && { schema }), name: `${name}_old` };
}

/** Where the tool's table may be, the likeliest first: an earlier import may have renamed it. */
export function placesOf(tool: ImportTool, named: TableName | undefined, ours: TableName): TableName[] {
  const table = named ?? { name: TOOLS[tool].table };
  return table.name === ours.name ? [table, setAside(table)] : [table];
}

/**
 * @throws MigratorError HISTORY_CONFLICT for a table of the wrong tool, for unfinished migrations, and for versions
 * without a file.
 */
export function planImport({ tool, table, migrations, applied, journaled }: ImportFacts): ImportPlan {
  requireShape(tool, table);
  const { title, settle } = TOOLS[tool];
  const history = TOOLS[tool].read(table.rows);
  if (history.unfinished.length > 0) {
    throw new MigratorError('HISTORY_CONFLICT', `${title} has an unfinished migration`, {
      problems: history.unfinished,
      hint: `${settle ?? `settle it with ${title}`}; then import again`,
    });
  }
  const { meant, warnings } = matchFiles(title, history, migrations);
  const recorded = new Set(applied.map(({ version }) => version));
  const wanted = migrations.flatMap((migration): ImportedMigration[] => {
    const foreign = meant.get(migration.version);
    return foreign ? [{ migration, label: foreign.label, appliedAt: foreign.appliedAt }] : [];
  });
  const missing = wanted.filter(({ migration: { version } }) => !recorded.has(version));
  const known = (one: ImportedMigration): boolean => journaled.has(one.migration.version);
  return {
    record: missing.filter((one) => !known(one)),
    skipped: wanted.map(({ migration }) => migration.version).filter((version) => recorded.has(version)),
    pending: migrations.map(({ version }) => version).filter((version) => !recorded.has(version)),
    warnings: [
      ...history.remarks,
      ...warnings,
      ...missing
        .filter(known)
        .map(
          ({ migration: { version } }) =>
            `${version} was applied and rolled back here since then: it is not recorded again`,
        ),
    ],
  };
}

function requireShape(tool: ImportTool, { name, columns }: ForeignTable): void {
  const { title, shape = title } = TOOLS[tool];
  const found = foreignTool(columns);
  if (found === shape) return;
  throw new MigratorError('HISTORY_CONFLICT', `table ${name.schema}.${name.name} is not a ${title} table`, {
    problems: [`its columns are ${columns.join(', ')}${found === undefined ? '' : `: it is a table of ${found}`}`],
    hint: 'name the tool of this table with --from, or another table with --from-table',
  });
}
