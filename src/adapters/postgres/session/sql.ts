/** Quoting, and SQL fragments that several messages share. */
import utils from 'pg/lib/utils.js';

export const { escapeIdentifier: identifier, escapeLiteral } = utils;

/** A literal, or NULL. */
export function literal(value: string | number | undefined): string {
  if (value === undefined) return 'NULL';
  return typeof value === 'number' ? String(value) : escapeLiteral(value);
}

/** `"schema"."name"` or `"name"`, each part quoted. */
export function qualified(schema: string | undefined, name: string): string {
  return schema === undefined ? identifier(name) : `${identifier(schema)}.${identifier(name)}`;
}

/** A text as a regclass literal argument: quoted name in a string. */
export function regclass(schema: string | undefined, name: string): string {
  return `pg_catalog.to_regclass(${escapeLiteral(qualified(schema, name))})`;
}

/**
 * Rows of pg_locks for one bigint advisory key in this database.
 * A bigint key is split over classid (high half) and objid (low half), with objsubid 1
 * (PostgreSQL manual, "pg_locks").
 */
export function advisoryLockIs(key: string, alias = 'l'): string {
  return (
    `${alias}.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())` +
    ` AND ${isAdvisoryKey(key, alias)}`
  );
}

export function isAdvisoryKey(key: string, alias = 'l'): string {
  return `${alias}.locktype = 'advisory' AND ${alias}.objsubid = 1 AND ((${alias}.classid::bigint << 32) | ${alias}.objid::bigint) = ${key}`;
}

/** True while this very backend holds the key exclusively. */
export function thisBackendHolds(key: string): string {
  // Not by the view, which costs the planner more; a backend is in one database only.
  return (
    `EXISTS (SELECT 1 FROM pg_catalog.pg_lock_status() l WHERE l.pid = pg_catalog.pg_backend_pid() AND ${isAdvisoryKey(key)}` +
    ` AND l.mode = 'ExclusiveLock' AND l.granted)`
  );
}
