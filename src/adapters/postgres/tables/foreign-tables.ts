/**
 * Finds another tool's table, and takes it over: renames it if needed, creates ours, and records all its rows together.
 */
import { MigratorError } from '../../../core/errors.ts';
import type { ForeignRow, ForeignTable } from '../../../core/import/foreign-history.ts';
import { setAside, type ImportedMigration } from '../../../core/import/plan-import.ts';
import type { TableName } from '../../../core/table-name.ts';
import { asOurselves, type SessionContext } from '../state/context.ts';
import { findingsQuery, guard, GUARD_FAILED, readFindings, untrustedTables } from '../state/attached-objects.ts';
import { namedOid } from '../wire/named.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import { escapeLiteral, identifier, qualified, regclass } from '../wire/sql.ts';
import { baselineStatements } from './history-rows.ts';
import { makeTables } from './tables.ts';
import { serverErrorOf } from '../wire/sqlstate.ts';
import type { Wire } from '../wire/wire.ts';

/** A materialized view, for example. */
const NO_LOCKABLE_TABLE = '42809';

/** For the other tool's table. */
const LOCK_TIMEOUT = '5s';

/**
 * @throws MigratorError HISTORY_CONFLICT when another table has the name of ours, or the one that the found one would
 * get.
 */
export async function findForeignTable(
  context: SessionContext,
  places: readonly TableName[],
): Promise<ForeignTable | undefined> {
  const { relation, wire } = context;
  const names = places.flatMap(({ schema, name }) =>
    schema === undefined ? [{ schema: relation.schema, name }, { name }] : [{ schema, name }],
  );
  // A session that has the table locked, such as the other tool, must not block us for ever.
  await wire.asIs(`SET lock_timeout = '${LOCK_TIMEOUT}'`);
  const [result] = await wire.messageAbout(names, placesQuery(names));
  const found = (result?.rows ?? [])
    .map(([schema, name]) => ({ schema: schema ?? '', name: name ?? '' }))
    .find((one) => !isOurs(context, one));
  if (!found) return undefined;
  const renamedTo = hasOurName(context, found) ? setAside(found) : undefined;
  if (renamedTo) await requireFree(wire, found, renamedTo);
  else if (relation.inTheWay)
    throw relation.inTheWay.with({
      hint: `choose another name for Lockstep's table with --table; or, if this is the table to take over, give its tool with --from, and --from-table ${relation.name}`,
    });
  const [columns, rows] = await explained(found, readForeign(context, found));
  return {
    name: found,
    columns: (columns?.rows ?? []).map(([name]) => name ?? ''),
    rows: readRows(rows?.rows[0]?.[0]),
    ...(renamedTo && { renamedTo }),
  };
}

/** Reading a table can run code that others attached to it, so it is locked and checked first, as ours are. */
async function readForeign(
  context: SessionContext,
  found: Required<TableName>,
): Promise<readonly (ResultSet | undefined)[]> {
  const { wire } = context;
  const oid = `to_regclass(${escapeLiteral(qualified(found.schema, found.name))})`;
  const statements = [
    ...asOurselves(context),
    `LOCK TABLE ${qualified(found.schema, found.name)} IN ACCESS SHARE MODE`,
    // Every column is read, not only those that we know.
    guard('read', oid, 'plain'),
    columnsQuery(found),
    rowsQuery(found),
  ];
  try {
    return (await wire.transaction('read', statements)).slice(-2);
  } catch (error) {
    if (![GUARD_FAILED, NO_LOCKABLE_TABLE].includes(serverErrorOf(error)?.sqlstate ?? '')) throw error;
    const results = await wire.transaction('read', [...asOurselves(context), findingsQuery('read', oid)]);
    const problems = readFindings(results.at(-1));
    throw untrustedTables(
      'read',
      problems.length > 0 ? problems : [`${found.schema}.${found.name} has columns of types that are not built in`],
    );
  }
}

/** @throws MigratorError CONTENTION when the table has changed since it was read. */
export async function takeOverTable(
  context: SessionContext,
  table: ForeignTable,
  imported: readonly ImportedMigration[],
): Promise<void> {
  const { relation, wire } = context;
  const made = await wire.withTransaction(async () => {
    const limits = ['SET LOCAL statement_timeout = 0', `SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`];
    await wire.message([...limits, ...asOurselves(context)].join(';\n'));
    await explained(table.name, lockTable(wire, table));
    await requireSameRows(wire, table);
    const tables = relation.complete ? relation : await makeTables(context);
    const inserts = imported.flatMap(({ migration, appliedAt }) => baselineStatements(context, migration, appliedAt));
    if (inserts.length > 0) await wire.message(inserts.join(';\n'));
    return tables;
  });
  context.relation = { ...made, inTheWay: undefined };
}

/** Keeps the other tool from writing meanwhile. A role that may only read takes no lock: the table is read twice. */
async function lockTable(wire: Wire, { name: { schema, name }, renamedTo }: ForeignTable): Promise<void> {
  const table = qualified(schema, name);
  if (renamedTo) {
    await wire.message(
      `LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE;\nALTER TABLE ${table} RENAME TO ${identifier(renamedTo.name)}`,
    );
    return;
  }
  const [may] = await wire.message(
    `SELECT pg_catalog.has_table_privilege(${escapeLiteral(table)}, 'UPDATE, DELETE, TRUNCATE')`,
  );
  if (may?.rows[0]?.[0] === 't') await wire.message(`LOCK TABLE ${table} IN SHARE MODE`);
}

/** Adds the table's name and a hint to errors about it. */
async function explained<T>({ schema, name }: TableName, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const server = serverErrorOf(error);
    const hint = HINTS[server?.sqlstate ?? ''];
    if (!hint || !(error instanceof MigratorError)) throw error;
    throw new MigratorError(error.code, `table ${schema}.${name} can't be taken over`, { server, cause: error, hint });
  }
}

const HINTS: Readonly<Record<string, string>> = {
  '42501':
    "the role needs SELECT on it; if it has the name of Lockstep's own table, only its owner can rename it: run as its owner, or choose another name for Lockstep's table with --table",
  '55P03':
    "another session, perhaps the other tool, has it locked: stop that tool, because it does not use Lockstep's lock, and import again",
};

function hasOurName({ relation }: SessionContext, { schema, name }: TableName): boolean {
  return schema === relation.schema && name === relation.name;
}

function isOurs(context: SessionContext, name: TableName): boolean {
  return hasOurName(context, name) && context.relation.inTheWay === undefined;
}

async function requireSameRows(wire: Wire, { name, rows, renamedTo }: ForeignTable): Promise<void> {
  const [result] = await wire.message(rowsQuery({ ...name, ...renamedTo }));
  if (JSON.stringify(readRows(result?.rows[0]?.[0])) === JSON.stringify(rows)) return;
  throw new MigratorError('CONTENTION', `table ${name.schema}.${name.name} was written to while it was read`, {
    problems: ['the other tool seems to be running'],
    hint: "stop it, because it does not use Lockstep's lock, and import again",
  });
}

async function requireFree(wire: Wire, from: Required<TableName>, to: TableName): Promise<void> {
  const [result] = await wire.message(`SELECT ${regclass(to.schema, to.name)} IS NOT NULL`);
  if (result?.rows[0]?.[0] !== 't') return;
  throw new MigratorError('HISTORY_CONFLICT', `table ${from.schema}.${from.name} can't be renamed to ${to.name}`, {
    problems: [`${from.schema}.${to.name} already exists`],
    hint: `drop or rename ${from.schema}.${to.name}, then import again`,
  });
}

/** Schema and name of each that is there, in this order. */
function placesQuery(names: readonly TableName[]): string {
  const values = names.map((_name, index) => `(${index}, ${namedOid(index)})`);
  return (
    `SELECT n.nspname, c.relname FROM (VALUES ${values.join(', ')}) p (place, oid)` +
    ` JOIN pg_class c ON c.oid = p.oid JOIN pg_namespace n ON n.oid = c.relnamespace` +
    ` WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY p.place`
  );
}

function columnsQuery({ schema, name }: TableName): string {
  return `SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = ${escapeLiteral(qualified(schema, name))}::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`;
}

/** Every value as text: a version number may have more digits than a JavaScript number can hold. */
function rowsQuery({ schema, name }: TableName): string {
  const row =
    '(SELECT pg_catalog.json_object_agg(c.key, c.value) FROM pg_catalog.json_each_text(pg_catalog.row_to_json(t)) c)';
  return `SELECT pg_catalog.json_agg(${row}) FROM ${qualified(schema, name)} t`;
}

function readRows(json: string | null | undefined): ForeignRow[] {
  return JSON.parse(json ?? '[]') as ForeignRow[];
}
