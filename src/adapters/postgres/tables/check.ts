/** The nothing-pending message: the lock, the server and the history in one round trip, without the exclusive lock. */
import { MigratorError } from '../../../core/errors.ts';
import type { AppliedVersion } from '../../../core/history.ts';
import type { Check } from '../../../core/ports.ts';
import type { TableName } from '../../../core/table-name.ts';
import { encodingOf, type Encoding } from '../wire/encoding.ts';
import { withoutAdvisoryLocks } from '../lock/advisory-lock.ts';
import { holderQuery, readHolder } from '../lock/holder.ts';
import {
  findingsQuery,
  guard,
  GUARD_FAILED,
  readFindings,
  untrustedTables,
  type Care,
} from '../state/attached-objects.ts';
import { BEGIN, OWN_PATH } from '../wire/own-path.ts';
import type { Tenant } from '../state/context.ts';
import { historyQuery, readHistory } from './history-rows.ts';
import { lookQueries, readLook } from './progress-facts.ts';
import { AT_PLACE, keepPlace, place, placed } from '../state/place.ts';
import { journalName, keyExpression, type RelationFacts } from '../state/relation.ts';
import { isTable, readRelation, relationQueries } from '../state/relation-facts.ts';
import { OWN_LOCK_TIMEOUT_MS } from '../state/settings.ts';
import { resultsBefore, type ResultSet } from '../wire/simple-query.ts';
import { Statements } from '../wire/statements.ts';
import { escapeLiteral, identifier, qualified } from '../wire/sql.ts';
import { withHolders } from '../state/table-holders.ts';
import { serverErrorOf } from '../wire/sqlstate.ts';
import type { Wire } from '../wire/wire.ts';

export interface CheckOptions {
  readonly table: TableName;
  readonly lockKey: bigint | undefined;
  readonly tenant?: Tenant | undefined;
  /** From the address (`search_path` and the like), set before names are resolved. */
  readonly serverSettings: Readonly<Record<string, string>>;
  /** Whose `current_schema()` counts. */
  readonly role: string | undefined;
  /** Of this runner: does the journal know it? */
  readonly release: string | undefined;
}

export interface CheckResult extends Omit<Check, 'history'> {
  readonly facts: RelationFacts;
  readonly backendPid: number;
  readonly serverVersion: number;
  readonly database: string;
  readonly encoding: Encoding;
  /** The session's role before any migration; `none` without one. */
  readonly role: string;
  readonly applied: readonly AppliedVersion[];
  /** Why the table was not read. */
  readonly untrusted?: MigratorError;
}

/** The table or schema does not exist, or the name is not a table's (an index, a sequence, a type). */
const NO_TABLE: ReadonlySet<string> = new Set(['42P01', '3F000', '42809']);

/**
 * One simple-protocol message, so one round trip; each statement has a snapshot of its own at READ
 * COMMITTED, so the history is read after the lock was looked at. A database may default to another
 * isolation level, under which a commit in between would be missed.
 */
function checkMessage(options: CheckOptions, known: RelationFacts | undefined, care: Care): Statements {
  const { table, lockKey } = options;
  const name: TableName = known?.schema == null ? table : { schema: known.schema, name: table.name };
  // A role's statement_timeout is for its application; the client's deadline limits this message.
  const message = new Statements().add(BEGIN.read).add('SET LOCAL statement_timeout = 0');
  beforeOwnPath(message, options);
  if (name.schema === undefined) keepPlace(message, name.name);
  message
    .add(OWN_PATH)
    .add(sessionQuery(name, known ? `'${known.key}'::bigint` : keyExpression(name, lockKey)), 'session');
  for (const [what, sql] of Object.entries(known ? {} : relationQueries(name))) message.add(sql, what);
  // After this time, the error names the session that has the table locked.
  message.add(`SET LOCAL lock_timeout = ${OWN_LOCK_TIMEOUT_MS}`);
  const unqualified = name.schema === undefined;
  if (unqualified) message.add(AT_PLACE);
  message.add(`LOCK TABLE ${qualified(name.schema, name.name)} IN ACCESS SHARE MODE`, 'lock');
  if (unqualified) message.add(OWN_PATH);
  message.add(guard('read', placed(name), care), 'guard');
  if (unqualified) message.add(AT_PLACE);
  message.add(historyQuery(qualified(name.schema, name.name)), 'history');
  addLook(message, { ...name, name: journalName(table.name) }, options, care);
  return message.add('COMMIT');
}

/** The journal comes last: if this role may not read it, or it is not ours, the history has already been read. */
function addLook(message: Statements, journal: TableName, { release }: CheckOptions, care: Care): void {
  const table = qualified(journal.schema, journal.name);
  const unqualified = journal.schema === undefined;
  message.add(`LOCK TABLE ${table} IN ACCESS SHARE MODE`);
  if (unqualified) message.add(OWN_PATH);
  message.add(guard('read', placed(journal), care));
  if (unqualified) message.add(AT_PLACE);
  for (const [what, sql] of Object.entries(lookQueries(table, release))) message.add(sql, what);
}

/** Settings from the address and `--role`, before names are resolved. */
export function beforeOwnPath(
  message: Statements,
  { serverSettings, role }: Pick<CheckOptions, 'serverSettings' | 'role'>,
): void {
  message.add(`SELECT pg_catalog.current_setting('role')`, 'role');
  if (role !== undefined) message.add(`SET LOCAL ROLE ${identifier(role)}`, '--role');
  for (const [setting, value] of Object.entries(serverSettings)) {
    message.add(
      `SELECT pg_catalog.set_config(${escapeLiteral(setting)}, ${escapeLiteral(value)}, true)`,
      `setting ${setting}`,
    );
  }
}

/** The place comes first, because the key is derived from it. */
function sessionQuery({ schema, name }: TableName, key: string): string {
  const where = schema === undefined ? place(name) : 'NULL';
  const lock = `SELECT place, key, pg_try_advisory_xact_lock_shared(key) AS free FROM (SELECT place, ${key} AS key FROM (SELECT ${where} AS place OFFSET 0) p OFFSET 0) k OFFSET 0`;
  const columns = [
    'free',
    'key',
    'pg_backend_pid()',
    `current_setting('server_version_num')`,
    'current_database()',
    'pg_is_in_recovery()',
    `current_setting('default_transaction_read_only')`,
    `CASE WHEN NOT free THEN (${holderQuery('key')}) END`,
    'place',
    'getdatabaseencoding()',
  ];
  return `SELECT ${columns.join(', ')} FROM (${lock}) l`;
}

interface RunOptions {
  /** Leaves the ROLLBACK after "no such table" to whatever is sent next, if anything is. */
  readonly lazy: boolean;
  /** Tables that are as they are to be do not change any more: then they are not looked at again. */
  readonly known?: RelationFacts | undefined;
  readonly care?: Care;
}

/** Sends the message. */
export async function runCheck(
  wire: Wire,
  options: CheckOptions,
  { lazy, known, care = known?.care ?? 'plain' }: RunOptions,
): Promise<CheckResult> {
  const message = checkMessage(
    { ...options, release: options.release && wire.encoding.encode(options.release) },
    known,
    care,
  );
  const { results, failed } = await send(wire, message, options, lazy);
  const history = message.result('history', results);
  // The known table was dropped.
  if (known && !history) return await runCheck(wire, options, { lazy });
  const checked = readCheck(message, results, { ...options, known, care });
  if (failed !== 'guard') return { ...checked, applied: history ? readHistory(history, checked.encoding) : [] };
  const found = await lookClosely(wire, options, checked.facts);
  if (found.length === 0 && care === 'plain') return await runCheck(wire, options, { lazy, care: 'closely' });
  return {
    ...checked,
    applied: [],
    untrusted: untrustedTables('read', found.length > 0 ? found : ['it changed while it was being checked']),
  };
}

/** The results, and the name of the statement that failed with an answer. */
async function send(
  wire: Wire,
  message: Statements,
  options: CheckOptions,
  lazy: boolean,
): Promise<{ readonly results: readonly ResultSet[]; readonly failed?: string | undefined }> {
  try {
    return { results: await wire.transactionAsIs(message.text, { lazyRollback: lazy }) };
  } catch (error) {
    const sqlstate = serverErrorOf(error)?.sqlstate ?? '';
    const results = resultsBefore(error);
    const failed = message.nameAt(results.length);
    // No history yet is an answer: the facts came before the table was looked for. Of a view the server locks the
    // tables, too.
    const isAnswer =
      message.result('history', results) !== undefined ||
      NO_TABLE.has(sqlstate) ||
      (failed === 'lock' && !isTable(message, results)) ||
      (failed === 'guard' && sqlstate === GUARD_FAILED);
    if (isAnswer) return { results, failed };
    if (failed === 'session' && NO_LOCKS.has(sqlstate)) throw withoutAdvisoryLocks(await versionOf(wire), error);
    if (failed === 'lock')
      throw await withHolders(wire, [options.table.name], readRelation(message, results).oid ?? 'NULL', error);
    throw settingRefused(options, failed, error) ?? error;
  }
}

/** Advisory lock functions do not exist, or are not supported. */
const NO_LOCKS: ReadonlySet<string> = new Set(['0A000', '42883']);

async function versionOf(wire: Wire): Promise<string> {
  return (await wire.asIs('SELECT pg_catalog.version()'))[0]?.rows[0]?.[0] ?? 'unknown';
}

/** With the same rights as the read of the table. */
async function lookClosely(wire: Wire, options: CheckOptions, { oid }: RelationFacts): Promise<string[]> {
  const message = new Statements().add(BEGIN.read);
  beforeOwnPath(message, options);
  message
    .add(OWN_PATH)
    .add(findingsQuery('read', oid ?? 'NULL'), 'findings')
    .add('COMMIT');
  return readFindings(message.result('findings', await wire.transactionAsIs(message.text)));
}

/** Unknown, invalid value, not for this role, not now. */
const REFUSED_SETTING = /^(?:42704|42602|22|42501|55P02)/;

export function settingRefused(
  { role }: Pick<CheckOptions, 'role'>,
  failed: string | undefined,
  error: unknown,
): MigratorError | undefined {
  const server = serverErrorOf(error);
  if (!server || failed === undefined || !REFUSED_SETTING.test(server.sqlstate)) return undefined;
  if (failed === '--role') return roleRefused(role ?? '', error);
  const name = /^setting (.*)$/s.exec(failed)?.[1];
  if (name === undefined) return undefined;
  return new MigratorError('CONFIG_INVALID', `the server refuses the setting "${name}" of the database address`, {
    server,
    cause: error,
    hint: 'correct it, or remove it from the address: a parameter that libpq does not know is sent as a server setting',
  });
}

export function roleRefused(role: string, error: unknown): MigratorError {
  return new MigratorError('ACCESS_REFUSED', `--role: the server refuses SET ROLE "${role}"`, {
    server: serverErrorOf(error),
    cause: error,
    hint: 'create the role, or make the connecting role a member of it',
  });
}

function readCheck(
  message: Statements,
  results: readonly ResultSet[],
  {
    known,
    care,
    tenant,
  }: Pick<CheckOptions, 'tenant'> & { readonly known: RelationFacts | undefined; readonly care: Care },
): Omit<CheckResult, 'applied'> {
  const row = (name: string): readonly (string | null)[] => message.result(name, results)?.rows[0] ?? [];
  const [free, key, pid, version, database, recovery, readOnly, holder, place, encoding] = row('session');
  const [role] = row('role');
  const [current, source] = row('place');
  return {
    free: free === 't',
    holder: readHolder(holder),
    writesRefused: recovery === 't' ? 'standby' : readOnly === 'on' ? 'read-only' : undefined,
    facts: known ?? {
      ...readRelation(message, results),
      key: key ?? '',
      recordedKey: tenant?.recordedKey,
      care,
      ...(place !== current && { madeIn: { schema: current ?? '', source: source ?? '' } }),
    },
    backendPid: Number(pid),
    serverVersion: Number(version),
    database: database ?? '',
    encoding: encodingOf(encoding ?? 'UTF8'),
    role: role ?? 'none',
    journal: readLook(message, results, encodingOf(encoding ?? 'UTF8')),
  };
}
