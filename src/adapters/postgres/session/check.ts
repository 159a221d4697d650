/** The nothing-pending message: the lock, the server and the history in one round trip, without the exclusive lock. */
import { MigratorError } from '../../../core/errors.ts';
import type { AppliedVersion } from '../../../core/history.ts';
import type { Check } from '../../../core/ports.ts';
import type { TableName } from '../../../core/table-name.ts';
import { holderQuery, readHolder } from './holder.ts';
import { lookQueries, readLook } from './progress-facts.ts';
import { journalName, keyExpression, type RelationFacts } from './relation.ts';
import { readRelation, RELATION_QUERIES, relationQueries } from './relation-facts.ts';
import { resultsBefore, type ResultSet } from './simple-query.ts';
import { escapeLiteral, qualified } from './sql.ts';
import { serverErrorOf } from '../sqlstate.ts';
import type { Wire } from './wire.ts';

export interface CheckOptions {
  readonly table: TableName;
  readonly lockKey: bigint | undefined;
  /** From the address (`search_path` and the like), set before names are resolved. */
  readonly serverSettings: Readonly<Record<string, string>>;
  /** Of this runner: does the journal know it? */
  readonly release: string | undefined;
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
function checkMessage({ table, lockKey, serverSettings, release }: CheckOptions, known: RelationFacts | undefined): string {
  const settings = Object.entries(serverSettings).map(
    ([name, value]) => `SELECT pg_catalog.set_config(${escapeLiteral(name)}, ${escapeLiteral(value)}, true)`,
  );
  const key = known ? `'${known.key}'::bigint` : keyExpression(table, lockKey);
  const lock = `SELECT key, pg_catalog.pg_try_advisory_xact_lock_shared(key) AS free FROM (SELECT ${key} AS key OFFSET 0) k OFFSET 0`;
  const facts = [
    'free',
    'key',
    'pg_catalog.pg_backend_pid()',
    `pg_catalog.current_setting('server_version_num')`,
    'pg_catalog.current_database()',
    'pg_catalog.pg_is_in_recovery()',
    `pg_catalog.current_setting('default_transaction_read_only')`,
    `pg_catalog.current_setting('role')`,
    `CASE WHEN NOT free THEN (${holderQuery('key')}) END`,
  ];
  return [
    'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY',
    ...settings,
    `SELECT ${facts.join(', ')} FROM (${lock}) l`,
    ...(known ? [] : relationQueries(table)),
    historyQuery(qualified(known?.schema ?? table.schema, table.name)),
    ...lookQueries(qualified(known?.schema ?? table.schema, journalName(table.name)), release),
    'COMMIT',
  ].join(';\n');
}

/** All rows as one JSON array, whatever the shape of the table: a missing column is no error. */
export function historyQuery(table: string): string {
  return `SELECT pg_catalog.json_agg(lockstep_row) FROM ${table} lockstep_row`;
}

interface RunOptions {
  /** Leaves the ROLLBACK after "no such table" to whatever is sent next, if anything is. */
  readonly lazy: boolean;
  /** Tables that are as they are to be do not change any more: then they are not looked at again. */
  readonly known?: RelationFacts | undefined;
}

/** Sends the message. */
export async function runCheck(wire: Wire, options: CheckOptions, { lazy, known }: RunOptions): Promise<CheckResult> {
  const results = await wire
    .transaction(checkMessage(options, known), { lazyRollback: lazy, promptly: true })
    .catch((error: unknown) => {
      // No history yet is an answer: the facts came before the table was looked for.
      if (NO_TABLE.has(serverErrorOf(error)?.sqlstate ?? '')) return resultsBefore(error);
      // Nor does a journal matter that this role may not read, or that is not ours: the history comes before it.
      const hasHistory = selectsOf(resultsBefore(error), options).length > (known ? 1 : RELATION_QUERIES + 1);
      if (hasHistory && /^42/.test(serverErrorOf(error)?.sqlstate ?? '')) return resultsBefore(error);
      throw settingRefused(options, error) ?? error;
    });
  const [session, ...rest] = selectsOf(results, options);
  if (!known) return readCheck(session?.rows[0] ?? [], readRelation(rest), rest.slice(RELATION_QUERIES));
  // Unless somebody has dropped them.
  return rest[0] ? readCheck(session?.rows[0] ?? [], known, rest) : await runCheck(wire, options, { lazy });
}

function selectsOf(results: readonly ResultSet[], { serverSettings }: CheckOptions): readonly ResultSet[] {
  return results.filter((result) => result.command === 'SELECT').slice(Object.keys(serverSettings).length);
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

function readCheck(row: readonly (string | null)[], facts: Omit<RelationFacts, 'key'>, [history, ...look]: readonly ResultSet[]): CheckResult {
  const [free, key, pid, version, database, recovery, readOnly, role, holder] = row;
  return {
    free: free === 't',
    holder: readHolder(holder),
    writesRefused: recovery === 't' ? 'standby' : readOnly === 'on' ? 'read-only' : undefined,
    facts: { ...facts, key: key ?? '' },
    backendPid: Number(pid),
    serverVersion: Number(version),
    database: database ?? '',
    role: role ?? 'none',
    applied: history ? readHistory(history) : [],
    journal: readLook(look),
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
