/** Quoting, and SQL fragments that several messages share. */
import utils from 'pg/lib/utils.js';

export const { escapeIdentifier: identifier, escapeLiteral } = utils;

/** A literal, or NULL. */
export function literal(value: string | number | undefined): string {
  if (value === undefined) return 'NULL';
  return typeof value === 'number' ? String(value) : escapeLiteral(value);
}

/**
 * An interval. In milliseconds it could have no more than 24 days before PostgreSQL 15, which read that field as an
 * integer.
 */
export function intervalOf(ms: number): string {
  return `make_interval(secs => ${ms / 1000})`;
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

/**
 * `value` while this session holds the key exclusively, otherwise NULL. The transaction takes the key too, so that no
 * other session gets it while this one unlocks it, which says whether it held it, and locks it again. This uses only
 * the session's own locks; reading the server's list of locks takes ten times as long.
 */
export function ifStillHeld(key: string, value: string): string {
  const functions = ['pg_try_advisory_xact_lock', 'pg_advisory_unlock', 'pg_try_advisory_lock'];
  // Only CASE is sure to be evaluated in this order (PostgreSQL manual, "Expression Evaluation Rules").
  return functions.reduceRight((then, name) => `CASE WHEN pg_catalog.${name}(${key}) THEN ${then} END`, value);
}
