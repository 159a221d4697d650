/** What the server says of the history table and its journal. */
import type { TableShape } from '../../../core/foreign-table.ts';
import type { TableName } from '../../../core/table-name.ts';
import { FOUND_SCHEMA, foundSchema, identified, journalName, type RelationFacts } from './relation.ts';
import type { ResultSet } from './simple-query.ts';
import { escapeLiteral, qualified, regclass } from './sql.ts';

/** How many statements `relationQueries` gives. */
export const RELATION_QUERIES = 3;

/**
 * Plain reads of one catalog each, put together here: a join, or JSON made by the server, costs a new session's planner
 * several times as much as the tables' few rows.
 */
export function relationQueries(table: TableName): string[] {
  const { schema, name } = table;
  const history = regclass(schema, name);
  const journal =
    schema === undefined
      ? `pg_catalog.to_regclass(pg_catalog.quote_ident(${foundSchema(name)}) || ${escapeLiteral(`.${qualified(undefined, journalName(name))}`)})`
      : regclass(schema, journalName(name));
  const category = '(SELECT t.typcategory FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid)';
  return [
    `SELECT ${history}::oid, i.type, coalesce(${FOUND_SCHEMA}, ${schema === undefined ? 'pg_catalog.current_schema()' : namedSchema(schema)}),` +
      ` pg_catalog.obj_description(${history}, 'pg_class') FROM ${identified(history)} i`,
    `SELECT a.attrelid, a.attnum, a.attname, ${category}, a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''` +
      ` FROM pg_catalog.pg_attribute a WHERE a.attrelid IN (${history}, ${journal}) AND a.attnum > 0 AND NOT a.attisdropped`,
    `SELECT indkey[0] FROM pg_catalog.pg_index WHERE indrelid = ${history}` +
      ' AND indisunique AND indisvalid AND indnkeyatts = 1 AND indpred IS NULL',
  ];
}

/** Null when there is none. */
function namedSchema(schema: string): string {
  return `CASE WHEN pg_catalog.to_regnamespace(${escapeLiteral(qualified(undefined, schema))}) IS NOT NULL THEN ${escapeLiteral(schema)} END`;
}

export function readRelation(results: readonly ResultSet[]): Omit<RelationFacts, 'key'> {
  const [relations, attributes, indexes] = results.map(({ rows }) => rows);
  const [oid, kind, schema, comment] = relations?.[0] ?? [];
  const columns = (attributes ?? [])
    .map(([relation, number, name, category, needed]) => ({ relation, number: Number(number), name: name ?? '', category: category ?? '', needed: needed === 't' }))
    .sort((a, b) => a.number - b.number);
  const ofHistory = columns.filter(({ relation }) => relation === oid);
  const ofJournal = columns.filter(({ relation }) => relation !== oid).map(({ name }) => name);
  const key = ofHistory.find(({ name }) => name === 'version')?.number;
  const shape: TableShape = {
    kind: kind ?? '',
    columns: ofHistory.map(({ name, category, needed }) => ({ name, category, needed })),
    unique: (indexes ?? []).some(([first]) => Number(first) === key),
  };
  return {
    schema: schema ?? null,
    shape: oid == null ? null : shape,
    comment: comment ?? null,
    journal: ofJournal.length === 0 ? null : ofJournal,
  };
}
