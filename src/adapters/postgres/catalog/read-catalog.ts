/** Reads what is in a database in one round trip; PostgreSQL 14 to 18. */
import { catalogOf, type Catalog, type CatalogRow, type Kind, type PartKind } from '../../../core/catalog/catalog.ts';
import type { SessionContext } from '../state/context.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import { literal } from '../wire/sql.ts';
import { serverErrorOf } from '../wire/sqlstate.ts';
import type { CatalogQuery } from './fragments.ts';
import { otherQueries } from './others.ts';
import { RELATION_QUERIES } from './relations.ts';

/** Without Lockstep's own tables; the role that owns them is written `@owner`. */
export async function readCatalog(context: SessionContext): Promise<Catalog> {
  const { serverVersion } = context.settings;
  const queries = [...RELATION_QUERIES, ...otherQueries(serverVersion)];
  const { results, unseen } = await readAll(
    context,
    queries.map(({ sql }) => sql),
  ).then(
    (all) => ({ results: all, unseen: [] }),
    (error: unknown) => readWhatIsAllowed(context, queries, error),
  );
  const catalog = catalogOf(
    majorOf(context),
    results.flatMap(({ rows }) => rows.map(rowOf)),
  );
  return unseen.length === 0 ? catalog : { ...catalog, unseen };
}

export function majorOf({ settings: { serverVersion } }: SessionContext): number {
  return Math.floor(serverVersion / 10_000);
}

export async function readAll(
  { wire, relation }: SessionContext,
  statements: readonly string[],
): Promise<readonly ResultSet[]> {
  const ours = [relation.oid, relation.journalOid].flatMap((oid) => oid ?? []);
  const all = [setPlace(relation.oid, ours), ...statements];
  return (await wire.transaction('read', all, { promptly: false })).slice(1);
}

/** An administrator may have taken SELECT on a catalog from PUBLIC. */
async function readWhatIsAllowed(
  context: SessionContext,
  queries: readonly CatalogQuery[],
  error: unknown,
): Promise<{ readonly results: readonly ResultSet[]; readonly unseen: Catalog['unseen'] & {} }> {
  if (serverErrorOf(error)?.sqlstate !== '42501') throw error;
  const [found] = await context.wire.message(
    `SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v') AND NOT has_any_column_privilege(oid, 'SELECT')`,
  );
  const closed = (found?.rows ?? []).map(([name]) => new RegExp(String.raw`\b${name ?? ''}\b`));
  const isOpen = ({ sql }: CatalogQuery): boolean => !closed.some((name) => name.test(sql));
  const left = queries.filter((query) => !isOpen(query));
  if (left.length === 0) throw error;
  return {
    results: await readAll(
      context,
      queries.filter(isOpen).map(({ sql }) => sql),
    ),
    unseen: left.flatMap(({ kinds }) => kinds),
  };
}

/** Without a history, the role that would own it. */
function setPlace(history: string | undefined, ours: readonly string[]): string {
  const owner =
    history === undefined ? 'current_user::regrole::oid' : `(SELECT relowner FROM pg_class WHERE oid = ${history})`;
  return `SELECT set_config('lockstep.catalog_owner', ${owner}::text, true), set_config('lockstep.catalog_ours', ${literal(`{${ours.join()}}`)}, true)`;
}

export function rowOf([kind, name, part, partName, is, properties]: readonly (string | null)[]): CatalogRow {
  return {
    kind: kind as Kind,
    name: name ?? '',
    ...(part != null && { part: { kind: part as PartKind, name: partName ?? '', is: is ?? '' } }),
    properties: JSON.parse(properties ?? '{}') as Readonly<Record<string, string>>,
  };
}
