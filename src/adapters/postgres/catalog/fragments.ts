/** SQL that the queries of the catalog share. All of it runs under our own path, so that names come with their schema. */
import type { Kind, PartKind } from '../../../core/catalog/catalog.ts';

export interface CatalogQuery {
  /** Of what it tells: kinds of objects or of parts. */
  readonly kinds: readonly (Kind | PartKind)[];
  readonly sql: string;
  /** Of what belongs to a relation, whose oid stands behind the other columns: the same for those in $1 alone. */
  readonly some?: string;
}

/** Set for one transaction: the role that is written `@owner`, and the tables that are ours. */
const OWNER = `current_setting('lockstep.catalog_owner')::oid`;
const OURS = `(current_setting('lockstep.catalog_ours')::oid[])`;

/** `kind, name, part, part name, part text, properties`: what each query answers. */
export function object(kind: string, name: string, properties: Readonly<Record<string, string>>): string {
  return `SELECT ${kind}, ${name}, NULL, NULL, NULL, ${json(properties)}`;
}

export function part(
  kind: string,
  name: string,
  one: { readonly part: string; readonly name: string; readonly is: string },
  properties: Readonly<Record<string, string>>,
): string {
  return `SELECT ${kind}, ${name}, '${one.part}', quote_ident(${one.name}), ${one.is}, ${json(properties)}`;
}

/** A property that is null is left out. */
function json(properties: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(properties).map(([key, sql]) => `'${key}', (${sql})`);
  return `json_strip_nulls(json_build_object(${pairs.join(', ')}))`;
}

export function role(oid: string): string {
  return `CASE ${oid} WHEN 0 THEN 'PUBLIC' WHEN ${OWNER} THEN '@owner' ELSE quote_ident(pg_get_userbyid(${oid})) END`;
}

/** A line for each role whose privileges are not those of `initial`, and for each that has lost all of them. */
export function grants(acl: string, initial: string): string {
  const lines = (from: string): string =>
    `SELECT grantee, string_agg(privilege_type || CASE WHEN is_grantable THEN '*' ELSE '' END, ', ' ORDER BY privilege_type) AS what` +
    ` FROM aclexplode(${from}) GROUP BY grantee`;
  return (
    `CASE WHEN ${acl} IS NOT NULL THEN (SELECT string_agg(${role('coalesce(a.grantee, i.grantee)')} || ': ' || coalesce(a.what, 'nothing'), E'\\n'` +
    ` ORDER BY ${role('coalesce(a.grantee, i.grantee)')} COLLATE "C")` +
    ` FROM (${lines(acl)}) a FULL JOIN (${lines(initial)}) i ON i.grantee = a.grantee WHERE a.what IS DISTINCT FROM i.what) END`
  );
}

/** Schemas that are not PostgreSQL's own. */
export function isUsersSchema(name: string): string {
  return `${name} !~ '^pg_' AND ${name} <> 'information_schema'`;
}

/** What an extension has brought is part of it; what the server made for another object is part of that one. */
export function isOwnThing(catalog: string, oid: string, kinds = `'e', 'i'`): string {
  return `NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = ${oid} AND e.deptype IN (${kinds}))`;
}

/** Relations `c` of some kinds, without ours, with `r.kind` and `r.name`; and what else is joined. */
export function relations(kinds: string, join = '', where = 'true'): string {
  return (
    `pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND ${isUsersSchema('n.nspname')}` +
    ` CROSS JOIN LATERAL (SELECT ${qualifiedName('n.nspname', 'c.relname')} AS name, ${RELATION_KIND} AS kind) r` +
    ` ${join} WHERE ${where} AND c.relkind IN (${kinds}) AND c.oid <> ALL (${OURS}) AND ${isOwnThing('pg_class', 'c.oid', `'e'`)}` +
    ` AND NOT EXISTS (SELECT FROM pg_depend o WHERE c.relkind = 'S' AND o.classid = 'pg_class'::regclass AND o.objid = c.oid` +
    ` AND o.refclassid = 'pg_class'::regclass AND o.refobjid = ANY (${OURS}) AND o.deptype IN ('a', 'i'))`
  );
}

export const WITH_COLUMNS = `'r', 'p', 'f', 'v', 'm', 'c'`;

const RELATION_KIND = `CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'c' THEN 'type' ELSE 'table' END`;

export function qualifiedName(schema: string, name: string): string {
  return `quote_ident(${schema}) || '.' || quote_ident(${name})`;
}

export function comment(oid: string, catalog: string): string {
  return `obj_description(${oid}, '${catalog}')`;
}

/** Null where it is the usual one. */
export function unless(usual: string, value: string): string {
  return `CASE WHEN NOT (${usual}) THEN ${value} END`;
}
