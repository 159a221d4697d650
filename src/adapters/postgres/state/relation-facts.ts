/** What the server says of the history table and its journal. */
import type { TableShape } from '../../../core/import/foreign-table.ts';
import type { TableName } from '../../../core/table-name.ts';
import { identified, placed, PLACE_NAME } from './place.ts';
import { journalName, type RelationFacts } from './relation.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import type { Statements } from '../wire/statements.ts';
import { escapeLiteral, qualified } from '../wire/sql.ts';

type Query = 'relation' | 'attributes' | 'indexes';

/**
 * Plain reads of one catalog each, put together here: a join, or JSON made by the server, costs a new session's planner
 * several times as much as the tables' few rows. Under our own path.
 */
export function relationQueries(table: TableName): Readonly<Record<Query, string>> {
  const { schema, name } = table;
  const history = placed(table);
  const journal = placed({ ...table, name: journalName(name) });
  const category = '(SELECT t.typcategory FROM pg_type t WHERE t.oid = a.atttypid)';
  return {
    relation:
      `SELECT ${history}::oid, ${journal}::oid, i.type, ${schema === undefined ? PLACE_NAME : namedSchema(schema)},` +
      ` obj_description(${history}, 'pg_class') FROM ${identified(history)} i`,
    attributes:
      `SELECT a.attrelid, a.attnum, a.attname, ${category}, a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''` +
      ` FROM pg_attribute a WHERE a.attrelid IN (${history}, ${journal}) AND a.attnum > 0 AND NOT a.attisdropped`,
    indexes: `SELECT indkey[0] FROM pg_index WHERE indrelid = ${history} AND indisunique AND indisvalid AND indnkeyatts = 1 AND indpred IS NULL`,
  };
}

/** Null when there is none. */
function namedSchema(schema: string): string {
  return `CASE WHEN to_regnamespace(${escapeLiteral(qualified(undefined, schema))}) IS NOT NULL THEN ${escapeLiteral(schema)} END`;
}

export function readRelation(message: Statements, results: readonly ResultSet[]): Omit<RelationFacts, 'key'> {
  const rows = (name: Query): ResultSet['rows'] => message.result(name, results)?.rows ?? [];
  const [oid, journalOid, kind, schema, comment] = rows('relation')[0] ?? [];
  const columns = rows('attributes')
    .map(([relation, number, name, category, needed]) => ({
      relation,
      number: Number(number),
      name: name ?? '',
      category: category ?? '',
      needed: needed === 't',
    }))
    .sort((a, b) => a.number - b.number);
  const ofHistory = columns.filter(({ relation }) => relation === oid);
  const ofJournal = columns.filter(({ relation }) => relation === journalOid).map(({ name }) => name);
  const key = ofHistory.find(({ name }) => name === 'version')?.number;
  const shape: TableShape = {
    kind: kind ?? '',
    columns: ofHistory.map(({ name, category, needed }) => ({ name, category, needed })),
    unique: rows('indexes').some(([first]) => Number(first) === key),
  };
  return {
    schema: schema ?? null,
    shape: oid == null ? null : shape,
    comment: comment ?? null,
    oid: oid ?? null,
    journal: journalOid == null ? null : ofJournal,
    journalOid: journalOid ?? null,
  };
}

/** Whether an ordinary table has the name. */
export function isTable(message: Statements, results: readonly ResultSet[]): boolean {
  return readRelation(message, results).shape?.kind === 'table';
}
