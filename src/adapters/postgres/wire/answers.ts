/**
 * What an error answer, or the end of the connection, means before the first step; step-error.ts does the same for a
 * step.
 */
import { MigratorError, type ErrorCode, type ServerError } from '../../../core/errors.ts';
import { codeForSqlstate, isPooledByStatement, serverErrorOf } from './sqlstate.ts';

export function connectionLost(error: unknown): MigratorError {
  if (error instanceof MigratorError) return error;
  const server = serverErrorOf(error);
  // A pooler's last message may come as an answer, or as the reason for which the connection ends.
  if (server && isPooledByStatement(server)) return refused(server, error);
  const reason = error instanceof Error && error.message !== '' ? `: ${error.message}` : '';
  return new MigratorError('DATABASE_UNAVAILABLE', `the connection to the database was lost${reason}`, {
    cause: error,
    hint: 'run again; nothing else was executed after the connection was lost',
  });
}

const NEXT: Partial<Record<ErrorCode, string>> = {
  ACCESS_REFUSED: 'grant the role the privileges it needs, or connect as another role',
  DATABASE_UNAVAILABLE: 'run again when the server is available; nothing else was executed after this',
};

export function refused(server: ServerError, cause: unknown): MigratorError {
  if (isPooledByStatement(server)) {
    return new MigratorError('CONFIG_INVALID', 'the connection pooler in between pools by statement', {
      server,
      cause,
      hint: 'give the address of PostgreSQL itself; --allow-pooler is for a pooler that pools by session',
    });
  }
  const code = codeForSqlstate(server.sqlstate, 'before-steps') ?? 'INTERNAL';
  return new MigratorError(code, `the server answered: ${server.message}`, {
    server,
    cause,
    hint: NEXT[code],
  });
}
