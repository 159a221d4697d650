/** Finds another tool's table, and takes it over: its table out of the way, ours in its place, and all rows at once. */
import { MigratorError } from '../../../core/errors.ts';
import type { ForeignRow, ForeignTable } from '../../../core/import/foreign-history.ts';
import { setAside } from '../../../core/import/plan-import.ts';
import type { TableName } from '../../../core/table-name.ts';
import { asOurselves, type SessionContext } from './context.ts';
import { escapeLiteral, identifier, qualified, regclass } from './sql.ts';
import { makeTables } from './tables.ts';
import type { Wire } from './wire.ts';

/** For the other tool's table. */
const LOCK_TIMEOUT = '5s';

/** @throws MigratorError HISTORY_CONFLICT when a table that is none of these has the name of ours. */
export async function findForeignTable(context: SessionContext, places: readonly TableName[]): Promise<ForeignTable | undefined> {
  const { relation, wire } = context;
  const names = places.flatMap(({ schema, name }) => (schema === undefined ? [{ schema: relation.schema, name }, { name }] : [{ schema, name }]));
  // Who holds its table, such as the other tool, must not hold us up for ever.
  const [, result] = await wire.message(`SET lock_timeout = '${LOCK_TIMEOUT}';\n${placesQuery(names)}`);
  const found = (result?.rows ?? []).map(([schema, name]) => ({ schema: schema ?? '', name: name ?? '' })).find((one) => !isOurs(context, one));
  if (relation.inTheWay && !(found && hasOurName(context, found))) throw relation.inTheWay;
  if (!found) return undefined;
  const [columns, rows] = await wire.message(`${columnsQuery(found)};\n${rowsQuery(found)}`);
  return {
    name: found,
    columns: (columns?.rows ?? []).map(([name]) => name ?? ''),
    rows: readRows(rows?.rows[0]?.[0]),
  };
}

/**
 * @returns The table's new name, where it had the name of ours.
 * @throws MigratorError CONTENTION when the table has changed since it was read, or HISTORY_CONFLICT when the new name is taken.
 */
export async function takeOverTable(context: SessionContext, table: ForeignTable, inserts: readonly string[]): Promise<TableName | undefined> {
  const { relation, wire } = context;
  const renamed = hasOurName(context, table.name) ? setAside(table.name) : undefined;
  await wire.withTransaction(async () => {
    const lock = `LOCK TABLE ${qualified(table.name.schema, table.name.name)} IN ${renamed ? 'ACCESS EXCLUSIVE' : 'SHARE'} MODE`;
    const limits = ['SET LOCAL statement_timeout = 0', `SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`];
    await wire.message([...limits, ...asOurselves(context), lock].join(';\n'));
    await requireSameRows(wire, table);
    if (renamed) await rename(wire, table.name, renamed);
    if (!relation.complete) await makeTables(context);
    if (inserts.length > 0) await wire.message(inserts.join(';\n'));
  });
  context.relation = { ...relation, exists: true, hasJournal: true, complete: true, inTheWay: undefined };
  return renamed;
}

function hasOurName({ relation }: SessionContext, { schema, name }: TableName): boolean {
  return schema === relation.schema && name === relation.name;
}

function isOurs(context: SessionContext, name: TableName): boolean {
  return hasOurName(context, name) && context.relation.inTheWay === undefined;
}

async function requireSameRows(wire: Wire, { name, rows }: ForeignTable): Promise<void> {
  const [result] = await wire.message(rowsQuery(name));
  if (JSON.stringify(readRows(result?.rows[0]?.[0])) === JSON.stringify(rows)) return;
  throw new MigratorError('CONTENTION', `table ${name.schema}.${name.name} was written to while it was read`, {
    problems: ['the other tool seems to be at work'],
    hint: 'stop it, for it does not know our lock, and import again',
  });
}

async function rename(wire: Wire, from: Required<TableName>, to: TableName): Promise<void> {
  const [result] = await wire.message(`SELECT ${regclass(to.schema, to.name)} IS NOT NULL`);
  if (result?.rows[0]?.[0] === 't') {
    throw new MigratorError('HISTORY_CONFLICT', `table ${from.schema}.${from.name} is to be renamed to ${to.name}, but that is there already`, {
      hint: `drop or rename ${from.schema}.${to.name}, then import again`,
    });
  }
  await wire.message(`ALTER TABLE ${qualified(from.schema, from.name)} RENAME TO ${identifier(to.name)}`);
}

/** Schema and name of each that is there, in this order. */
function placesQuery(names: readonly TableName[]): string {
  const values = names.map(({ schema, name }, index) => `(${index}, ${regclass(schema, name)})`);
  return (
    `SELECT n.nspname, c.relname FROM (VALUES ${values.join(', ')}) p (place, oid)` +
    ` JOIN pg_catalog.pg_class c ON c.oid = p.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace` +
    ` WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY p.place`
  );
}

function columnsQuery({ schema, name }: TableName): string {
  return `SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = ${escapeLiteral(qualified(schema, name))}::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`;
}

/** Every value as text: numbers of versions may have more digits than a number of JavaScript holds. */
function rowsQuery({ schema, name }: TableName): string {
  const row = '(SELECT pg_catalog.json_object_agg(c.key, c.value) FROM pg_catalog.json_each_text(pg_catalog.row_to_json(t)) c)';
  return `SELECT pg_catalog.json_agg(${row}) FROM ${qualified(schema, name)} t`;
}

function readRows(json: string | null | undefined): ForeignRow[] {
  return JSON.parse(json ?? '[]') as ForeignRow[];
}
