/** Whether the migration itself may have caused an error whose SQLSTATE usually blames the server. */
import type { MigratorError } from './errors.ts';

/** SET TRANSACTION READ ONLY; more locks or memory than the server allows; a file or library that does not exist. */
const CAUSED_BY_SQL: ReadonlySet<string> = new Set(['25006', '53000', '53200', '58P01']);

/** These are retried, whoever raises them. */
const RETRIED: ReadonlySet<string> = new Set(['55P03', '40P01', '40001']);

export function mayBeOwnFault({ code, details: { server } }: MigratorError): boolean {
  if (!server || (code !== 'DATABASE_UNAVAILABLE' && code !== 'CONTENTION')) return false;
  return CAUSED_BY_SQL.has(server.sqlstate) || (server.raised === true && !RETRIED.has(server.sqlstate));
}
