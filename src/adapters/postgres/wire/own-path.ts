/**
 * Where our own statements look up names: in `pg_catalog` alone. Operators and functions that somebody has made in a
 * schema of the path win over built-in ones where they fit the types better, and run with the rights of whoever asks
 * (PostgreSQL manual, "Operator Type Resolution"; CVE-2018-1058). `pg_temp` is named, as it would come first otherwise.
 */
const PATH = 'pg_catalog, pg_temp';

/**
 * For the rest of a transaction. A CHECK of a table can be evaluated while a read of it is planned, where this setting
 * says so (PostgreSQL manual, "Query Planning").
 */
export const OWN_PATH = `SELECT pg_catalog.set_config('search_path', '${PATH}', true), pg_catalog.set_config('constraint_exclusion', 'off', true)`;

/** Keeps the path that a migration has, to go back to it. */
export const ENTER_OWN_PATH = [
  `SELECT pg_catalog.set_config('lockstep.path', pg_catalog.current_setting('search_path'), true)`,
  OWN_PATH,
];
export const LEAVE_OWN_PATH = `SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('lockstep.path'), true)`;

export type Access = 'read' | 'write';

/** A database, a role or a migration may have made read-only or another isolation level the default. */
export const BEGIN: Readonly<Record<Access, string>> = {
  read: 'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY',
  write: 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
};
