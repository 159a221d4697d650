/**
 * In which schema a table without one is: asked under the user's path, kept in settings of the transaction, and used
 * under our own path. What is asked under the user's path has no operator, and names every function's schema.
 */
import type { TableName } from '../../../core/table-name.ts';
import type { Statements } from '../wire/statements.ts';
import { escapeLiteral, qualified, regclass } from '../wire/sql.ts';

/**
 * What PostgreSQL calls a relation, as a FROM item with `type` and `schema` (quoted); one row of NULLs when there is
 * none.
 */
export function identified(relation: string): string {
  return `pg_catalog.pg_identify_object('pg_catalog.pg_class'::pg_catalog.regclass, ${relation}, 0)`;
}

/** Why `search_path` is what it is, from `pg_settings`, asked only where the answer matters: the view takes a while. */
const SOURCE = `(SELECT s.source FROM pg_catalog.pg_settings s WHERE s.name OPERATOR(pg_catalog.=) 'search_path')`;

/**
 * `current`: the schema where unqualified names are made, quoted, or ''. `found`: the one where the name is found, or
 * ''. Where the name is not in `current`, the second column says who chose the path.
 */
export function keepPlace(message: Statements, name: string): void {
  const current = `pg_catalog.quote_ident(pg_catalog.current_schema())`;
  const inCurrent = `pg_catalog.to_regclass(pg_catalog.format('%I.%I', coalesce(pg_catalog.current_schema(), 'pg_catalog'), ${escapeLiteral(name)}))`;
  const keep = (setting: string, value: string): string =>
    `pg_catalog.set_config('lockstep.${setting}', coalesce(${value}, ''), true)`;
  message.add(
    `SELECT ${keep('current', current)}, CASE WHEN ${inCurrent} IS NULL THEN ${SOURCE} END,` +
      ` ${keep('found', `(SELECT i.schema FROM ${identified(regclass(undefined, name))} i)`)}`,
    'place',
  );
}

/** Sets and gives the place, quoted: where the table is, else where it would be made; '' without any schema. */
export function place(name: string): string {
  const current = `current_setting('lockstep.current')`;
  const found = `current_setting('lockstep.found')`;
  const isMadeThere = `${found} IN ('', 'pg_temp') OR to_regclass(nullif(${current}, '') || ${escapeLiteral(`.${qualified(undefined, name)}`)}) IS NOT NULL`;
  return `set_config('lockstep.place', CASE WHEN ${isMadeThere} THEN ${current} ELSE ${found} END, true)`;
}

/** Makes an unqualified name mean the relation in that place. Under this search_path, use no operators. */
export const AT_PLACE = `SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', nullif(pg_catalog.current_setting('lockstep.place'), ''), 'pg_temp'), true)`;

/** SQL for the regclass of a table in the place; null when there is none. */
export function placed({ schema, name }: TableName): string {
  if (schema !== undefined) return regclass(schema, name);
  return `pg_catalog.to_regclass(nullif(pg_catalog.current_setting('lockstep.place'), '') || ${escapeLiteral(`.${qualified(undefined, name)}`)})`;
}

/** SQL for the name of the place's schema, as it is called. */
export const PLACE_NAME = `(parse_ident(nullif(current_setting('lockstep.place'), '')))[1]`;
