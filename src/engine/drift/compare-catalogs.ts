/** In what do two catalogs differ, beyond texts that mean the same? */
import type { Catalog } from '../../core/catalog/catalog.ts';
import { diffCatalogs, type Difference } from '../../core/catalog/diff.ts';
import { asStatements, sameMeaning } from '../../core/catalog/same-meaning.ts';
import type { SqlParser } from '../../core/sql/script-plan.ts';

export async function compareCatalogs(expected: Catalog, found: Catalog, parser: SqlParser): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const difference of diffCatalogs(expected, found))
    if (!(await isOnlyText(difference, parser))) differences.push(difference);
  return differences;
}

async function isOnlyText({ deparsed, expected, found }: Difference, parser: SqlParser): Promise<boolean> {
  if (deparsed !== true || expected === undefined || found === undefined) return false;
  const others = asStatements(found);
  for (const [at, statement] of asStatements(expected).entries())
    if (sameMeaning(await parser.parse(statement), await parser.parse(others[at] ?? ''))) return true;
  return false;
}
