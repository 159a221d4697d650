/** What a SQLSTATE means for a run; the only place that knows. */
import type { ErrorCode, ServerError } from '../../../core/errors.ts';
import { MigratorError } from '../../../core/errors.ts';

/**
 * Before the first step a refusal is about access; inside a step the same SQLSTATE is about the migration's own SQL.
 */
export type RunPhase = 'before-steps' | 'in-step';

const CONTENTION = new Set(['55P03', '40P01', '40001', '57014']);

/** Connection exception, insufficient resources, operator intervention, system error, read-only transaction. */
const UNAVAILABLE = /^(08|53|58|57P0)|^25006$/;

/** Authentication, missing database, permission. */
const ACCESS = /^28|^3D000$|^42501$/;

/**
 * The code for a SQLSTATE (PostgreSQL manual, "PostgreSQL Error Codes"); undefined when it says nothing of the kind.
 */
export function codeForSqlstate(sqlstate: string, phase: RunPhase): ErrorCode | undefined {
  if (CONTENTION.has(sqlstate)) return 'CONTENTION';
  if (UNAVAILABLE.test(sqlstate)) return 'DATABASE_UNAVAILABLE';
  if (phase === 'before-steps' && ACCESS.test(sqlstate)) return 'ACCESS_REFUSED';
  return undefined;
}

/** The server ended the session: an administrator did, it shuts down, or another process of it crashed. */
export function endsSession({ sqlstate, raised }: ServerError): boolean {
  return /^57P0[1-3]$/.test(sqlstate) && raised !== true;
}

/** PgBouncer has one SQLSTATE for nearly everything: only its words tell that it pools by statement. */
export function isPooledByStatement({ sqlstate, message }: ServerError): boolean {
  return sqlstate === '08P01' && message.includes('pooling mode');
}

/**
 * Whether a log-in failed for its password. PAM, LDAP and RADIUS, as for tokens of a cloud's IAM, answer 28000, as does
 * a server without a line in pg_hba.conf or for a role that may not log in: which it is, tells the function that
 * reports it (auth_failed in src/backend/libpq/auth.c), or its words where something in between keeps that to itself.
 */
export function isPasswordRefused({ sqlstate, message }: ServerError, error: unknown): boolean {
  if (sqlstate === '28P01') return true;
  const { routine } = error as { readonly routine?: unknown };
  return (
    sqlstate === '28000' &&
    (typeof routine === 'string' ? routine === 'auth_failed' : message.includes('authentication failed'))
  );
}

/** The function of PostgreSQL's sources that executes a RAISE. */
const RAISE = 'exec_stmt_raise';

/** The server's words, if `error` came from the server: the driver's error, or a MigratorError that carries one. */
export function serverErrorOf(error: unknown): ServerError | undefined {
  if (error instanceof MigratorError) return error.details.server;
  if (!(error instanceof Error)) return undefined;
  // By its shape, not its class: a pool given to the library may come from another copy of the driver.
  const { code, severity, detail, hint, where, routine } = error as Error & Record<string, unknown>;
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code) || typeof severity !== 'string') return undefined;
  return {
    sqlstate: code,
    message: error.message,
    detail: text(detail),
    hint: text(hint),
    where: text(where),
    ...(routine === RAISE && { raised: true }),
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
