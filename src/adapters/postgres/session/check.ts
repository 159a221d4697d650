/** The nothing-pending message: the lock, the server and the history in one round trip, without the exclusive lock. */
import { MigratorError } from '../../../core/errors.ts';
import type { TableShape } from '../../../core/foreign-table.ts';
import type { AppliedVersion } from '../../../core/history.ts';
import type { Check } from '../../../core/ports.ts';
import type { TableName } from '../../../core/table-name.ts';
import type { RelationFacts } from './relation.ts';
import { journalName, keyExpression, schemaExpression } from './relation.ts';
import { resultsBefore, type ResultSet } from './simple-query.ts';
import { advisoryLockIs, escapeLiteral, qualified, regclass } from './sql.ts';
import { serverErrorOf } from '../sqlstate.ts';
import type { Wire } from './wire.ts';

export interface CheckOptions {
  readonly table: TableName;
  readonly lockKey: bigint | undefined;
  /** From the address (`search_path` and the like), set before names are resolved. */
  readonly serverSettings: Readonly<Record<string, string>>;
}

export interface CheckResult extends Omit<Check, 'history'> {
  readonly facts: RelationFacts;
  readonly backendPid: number;
  readonly serverVersion: number;
  readonly database: string;
  /** The session's role before any migration; `none` without one. */
  readonly role: string;
  readonly applied: readonly AppliedVersion[];
}

/** There is no such table; what has the name is none (an index, a sequence, a type). */
const NO_TABLE: ReadonlySet<string> = new Set(['42P01', '42809']);

/**
 * One simple-protocol message, so one round trip; each statement has a snapshot of its own at READ
 * COMMITTED, so the history is read after the lock was looked at. A database may default to another
 * isolation level, under which a commit in between would be missed.
 */
function checkMessage({ table, lockKey, serverSettings }: CheckOptions): string {
  const settings = Object.entries(serverSettings).map(
    ([name, value]) => `SELECT pg_catalog.set_config(${escapeLiteral(name)}, ${escapeLiteral(value)}, true)`,
  );
  const schema = schemaExpression(table);
  const history = regclass(table.schema, table.name);
  const where = `SELECT schema, ${keyExpression(table, lockKey, 'schema')} AS key FROM (SELECT ${schema} AS schema OFFSET 0) s OFFSET 0`;
  const lock = `SELECT *, pg_catalog.pg_try_advisory_xact_lock_shared(key) AS free FROM (${where}) w OFFSET 0`;
  const facts = [
    'free',
    'key',
    'schema',
    'pg_catalog.pg_backend_pid()',
    `pg_catalog.current_setting('server_version_num')`,
    'pg_catalog.current_database()',
    'pg_catalog.pg_is_in_recovery()',
    `pg_catalog.current_setting('default_transaction_read_only')`,
    `pg_catalog.current_setting('role')`,
    shapeQuery(history),
    `pg_catalog.obj_description(${history}, 'pg_class')`,
    columnsQuery(`pg_catalog.to_regclass(pg_catalog.quote_ident(schema) || ${escapeLiteral(`.${qualified(undefined, journalName(table.name))}`)})`),
    `CASE WHEN NOT free THEN (${holderQuery('key')}) END`,
  ];
  return [
    'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY',
    ...settings,
    `SELECT ${facts.join(', ')} FROM (${lock}) l`,
    historyQuery(qualified(table.schema, table.name)),
    'COMMIT',
  ].join(';\n');
}

function columnsQuery(relation: string): string {
  return `(SELECT pg_catalog.json_agg(attname) FROM pg_catalog.pg_attribute WHERE attrelid = ${relation} AND attnum > 0 AND NOT attisdropped)`;
}

/** A `TableShape` as JSON; null when nothing has the name. */
function shapeQuery(relation: string): string {
  const column =
    `pg_catalog.json_build_object('name', a.attname, 'category', t.typcategory,` +
    ` 'needed', a.attnotnull AND NOT a.atthasdef AND a.attidentity = '')`;
  const columns =
    `SELECT pg_catalog.json_agg(${column} ORDER BY a.attnum) FROM pg_catalog.pg_attribute a` +
    ` JOIN pg_catalog.pg_type t ON t.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`;
  const unique =
    `EXISTS (SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]` +
    ` WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL AND a.attname = 'version')`;
  return (
    `(SELECT pg_catalog.json_build_object('kind', c.relkind, 'columns', (${columns}), 'unique', ${unique})` +
    ` FROM pg_catalog.pg_class c WHERE c.oid = ${relation})`
  );
}

/** All rows as one JSON array, whatever the shape of the table: a missing column is no error. */
export function historyQuery(table: string): string {
  return `SELECT pg_catalog.json_agg(lockstep_row) FROM ${table} lockstep_row`;
}

/**
 * The holder as a JSON text; other roles see of it only its application name. Somebody else may hold the key in shared
 * mode, which keeps us from it too; we do so ourselves, but only for a moment. The functions are what stands behind
 * pg_locks and pg_stat_activity: the views cost a new session's planner more than all the rest.
 */
export function holderQuery(key: string): string {
  return (
    `SELECT pg_catalog.json_build_object('pid', l.pid, 'name', coalesce(a.application_name, ''))` +
    ` FROM pg_catalog.pg_lock_status() l LEFT JOIN pg_catalog.pg_stat_get_activity(NULL) a ON a.pid = l.pid` +
    ` WHERE ${advisoryLockIs(key)} AND l.granted` +
    ` AND (l.mode = 'ExclusiveLock' OR coalesce(a.application_name, '') NOT LIKE 'lockstep %') ORDER BY l.mode LIMIT 1`
  );
}

/** Sends the message. `lazy` leaves the ROLLBACK after "no such table" to whatever is sent next, if anything is. */
export async function runCheck(wire: Wire, options: CheckOptions, lazy: boolean): Promise<CheckResult> {
  const results = await wire
    .transaction(checkMessage(options), { lazyRollback: lazy, promptly: true })
    .catch((error: unknown) => {
      // No history yet is an answer: the facts came before the table was looked for.
      if (NO_TABLE.has(serverErrorOf(error)?.sqlstate ?? '')) return resultsBefore(error);
      throw settingRefused(options, error) ?? error;
    });
  const selects = results.filter((result) => result.command === 'SELECT');
  const [facts, history] = selects.slice(Object.keys(options.serverSettings).length);
  return readCheck(facts?.rows[0] ?? [], history);
}

/** Unknown, not a possible value, not for this role, not now. */
const REFUSED_SETTING = /^(?:42704|42602|22|42501|55P02)/;

/** The settings come first in the message: as many results as there are settings mean that all were taken. */
function settingRefused({ serverSettings }: CheckOptions, error: unknown): MigratorError | undefined {
  const server = serverErrorOf(error);
  const taken = resultsBefore(error).filter((result) => result.command === 'SELECT').length;
  const name = Object.keys(serverSettings)[taken];
  if (!server || name === undefined || !REFUSED_SETTING.test(server.sqlstate)) return undefined;
  return new MigratorError('CONFIG_INVALID', `the server refuses the setting "${name}" of the database address`, {
    server,
    cause: error,
    hint: 'correct it, or take it out of the address: what libpq does not know is set as a server setting',
  });
}

function readCheck(row: readonly (string | null)[], history: ResultSet | undefined): CheckResult {
  const [free, key, schema, pid, version, database, recovery, readOnly, role, shape, comment, journal, holder] = row;
  const held = holder == null ? undefined : (JSON.parse(holder) as { pid: number; name: string });
  return {
    free: free === 't',
    holder: held && { pid: held.pid, applicationName: held.name },
    writesRefused: recovery === 't' ? 'standby' : readOnly === 'on' ? 'read-only' : undefined,
    facts: {
      schema: schema ?? null,
      key: key ?? '',
      shape: shape == null ? null : (JSON.parse(shape) as TableShape),
      comment: comment ?? null,
      journal: journal == null ? null : (JSON.parse(journal) as string[]),
    },
    backendPid: Number(pid),
    serverVersion: Number(version),
    database: database ?? '',
    role: role ?? 'none',
    applied: history ? readHistory(history) : [],
  };
}

/** As far as the table has these columns. */
interface HistoryRow {
  readonly version?: string | null;
  readonly checksum?: string | null;
  readonly applied_at?: string | null;
}

export function readHistory(result: ResultSet): AppliedVersion[] {
  const rows = JSON.parse(result.rows[0]?.[0] ?? '[]') as readonly HistoryRow[];
  return rows.map(({ version, checksum, applied_at: appliedAt }) => ({
    version: version ?? '',
    checksum: checksum ?? undefined,
    appliedAt: appliedAt == null ? undefined : new Date(appliedAt),
  }));
}
