/** Do the rows that seeds have loaded survive a rollback? */
import type { Difference } from '../../core/catalog/diff.ts';
import { MigratorError } from '../../core/errors.ts';
import type { Migration, Version } from '../../core/migration.ts';
import type { RowSum, TableColumns, Trial } from '../../core/scratch.ts';

export interface KeptRows {
  readonly columns: TableColumns;
  readonly sums: ReadonlyMap<string, RowSum>;
}

export async function keepRows(trial: Trial, tables: Iterable<string>): Promise<KeptRows> {
  const columns = await trial.columns([...tables]);
  return { columns, sums: await trial.sums(columns) };
}

/** In the same database later; a table or a column that is gone is the catalog's to tell. */
export async function lostRows({ columns, sums }: KeptRows, trial: Trial): Promise<readonly Difference[]> {
  const now = await trial.columns([...columns.keys()]);
  const left = new Map(
    [...columns].filter(([table, list]) => list.every((column) => now.get(table)?.includes(column))),
  );
  return differences(sums, await trial.sums(left));
}

/** In two databases, by the columns that both have. */
export async function rowDifferences(
  before: Trial,
  after: Trial,
  tables: readonly string[],
): Promise<readonly Difference[]> {
  const [one, other] = [await before.columns(tables), await after.columns(tables)];
  const shared = new Map(
    [...one].flatMap(([table, list]) => {
      const columns = list.filter((column) => other.get(table)?.includes(column));
      return columns.length === 0 ? [] : [[table, columns] as const];
    }),
  );
  return differences(await before.sums(shared), await after.sums(shared));
}

function differences(expected: ReadonlyMap<string, RowSum>, found: ReadonlyMap<string, RowSum>): Difference[] {
  return [...found].flatMap(([table, sum]): Difference[] => {
    const before = expected.get(table);
    if (!before || (before.count === sum.count && before.checksum === sum.checksum)) return [];
    const what = { object: `rows of table ${table}`, change: 'different' } as const;
    return before.count === sum.count
      ? [{ ...what, property: 'checksum', expected: before.checksum, found: sum.checksum }]
      : [{ ...what, property: 'count', expected: before.count, found: sum.count }];
  });
}

/** @throws MigratorError MIGRATIONS_INVALID naming every seed that belongs to no version. */
export function refuseStraySeeds(seeds: ReadonlyMap<Version, string>, migrations: readonly Migration[]): void {
  const versions = new Set(migrations.map(({ version }) => version));
  const stray = [...seeds.keys()].filter((version) => !versions.has(version));
  if (stray.length === 0) return;
  throw new MigratorError('MIGRATIONS_INVALID', 'there are seeds without a version', {
    problems: stray.map((version) => `${version}.seed.sql: there is no ${version}.up.sql`),
  });
}
