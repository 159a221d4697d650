/** Reads what is in a database in one round trip; PostgreSQL 14 to 18. */
import { catalogOf, type Catalog, type CatalogRow, type Kind, type PartKind } from '../../../core/catalog/catalog.ts';
import type { SessionContext } from '../state/context.ts';
import { literal } from '../wire/sql.ts';
import { otherQueries } from './others.ts';
import { RELATION_QUERIES } from './relations.ts';

/** Without Lockstep's own tables; the role that owns them is written `@owner`. */
export async function readCatalog({ wire, settings, relation }: SessionContext): Promise<Catalog> {
  const ours = [relation.oid, relation.journalOid].flatMap((oid) => oid ?? []);
  const queries = [...RELATION_QUERIES, ...otherQueries(settings.serverVersion)];
  const results = await wire.transaction('read', [setPlace(relation.oid, ours), ...queries], { promptly: false });
  return catalogOf(
    Math.floor(settings.serverVersion / 10_000),
    results.slice(1).flatMap(({ rows }) => rows.map(rowOf)),
  );
}

/** Without a history, the role that would own it. */
function setPlace(history: string | undefined, ours: readonly string[]): string {
  const owner =
    history === undefined ? 'current_user::regrole::oid' : `(SELECT relowner FROM pg_class WHERE oid = ${history})`;
  return `SELECT set_config('lockstep.catalog_owner', ${owner}::text, true), set_config('lockstep.catalog_ours', ${literal(`{${ours.join()}}`)}, true)`;
}

function rowOf([kind, name, part, partName, is, properties]: readonly (string | null)[]): CatalogRow {
  return {
    kind: kind as Kind,
    name: name ?? '',
    ...(part != null && { part: { kind: part as PartKind, name: partName ?? '', is: is ?? '' } }),
    properties: JSON.parse(properties ?? '{}') as Readonly<Record<string, string>>,
  };
}
