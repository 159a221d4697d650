/** The session's settings: those that free a dead holder's lock in seconds, and the reset between migrations. */
import { identifier, literal } from '../wire/sql.ts';

/**
 * How long our own statements wait for a lock on history or journal, in milliseconds; then the error names its holder.
 */
export const OWN_LOCK_TIMEOUT_MS = 5_000;

/** The first server that knows `transaction_timeout`. */
const VERSION_17 = 170_000;

export interface SessionSettings {
  /** From the address. */
  readonly serverSettings: Readonly<Record<string, string>>;
  readonly role: string | undefined;
  readonly serverVersion: number;
}

/**
 * Name and value of each; hosted servers refuse some of them.
 * A killed runner's statement goes on until the server looks at the socket, a lost node's until TCP
 * gives up, a frozen runner's until the session was idle for too long
 * (PostgreSQL manual, "Connections and Authentication", "Client Connection Defaults").
 */
export function hygiene(serverVersion: number): ReadonlyMap<string, string> {
  const settings = new Map([
    ['client_connection_check_interval', '1s'],
    ['idle_session_timeout', '30s'],
    ['idle_in_transaction_session_timeout', '30s'],
    ['tcp_keepalives_idle', '10'],
    ['tcp_keepalives_interval', '5'],
    ['tcp_keepalives_count', '3'],
    ['tcp_user_timeout', '25s'],
    ['synchronous_commit', 'on'],
    ['lock_timeout', '0'],
    ['statement_timeout', '0'],
  ]);
  if (serverVersion >= VERSION_17) settings.set('transaction_timeout', '0');
  return settings;
}

/** One statement for all of them, as each statement costs the server its own start and end. */
export function setStatement(settings: Iterable<readonly [name: string, value: string]>): string {
  const calls = Array.from(
    settings,
    ([name, value]) => `pg_catalog.set_config(${literal(name)}, ${literal(value)}, false)`,
  );
  return `SELECT ${calls.join(', ')}`;
}

/**
 * What the user asked for: the address's settings win over ours, and the role comes last. Of the isolation level nobody
 * is asked: above read committed a file's LOCK TABLE would come after the snapshot that its own statements read by
 * (PostgreSQL manual, "Transaction Isolation").
 */
export function chosenStatements({ serverSettings, role }: SessionSettings): string[] {
  const settings = [...Object.entries(serverSettings), ['default_transaction_isolation', 'read committed'] as const];
  return [setStatement(settings), ...(role === undefined ? [] : [`SET ROLE ${identifier(role)}`])];
}

/**
 * Undoes what a migration left in the session, but keeps the lock: DISCARD ALL would free it
 * (PostgreSQL manual, "DISCARD").
 */
export const RESET_STATEMENTS: readonly string[] = [
  'SET SESSION AUTHORIZATION DEFAULT',
  'RESET ROLE',
  'RESET ALL',
  'CLOSE ALL',
  'DEALLOCATE ALL',
  'UNLISTEN *',
  'DISCARD PLANS',
  'DISCARD SEQUENCES',
  'DISCARD TEMP',
];
