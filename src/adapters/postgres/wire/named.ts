/** The relations that a migration names: resolved under its search_path, and used under ours. */
import { regclass } from './sql.ts';

/** A table, view or index as a statement names it. */
export interface Named {
  readonly schema?: string;
  readonly name: string;
}

/**
 * Keeps its oid for the transaction; '' when there is no such relation. Uses no operator, which others could have
 * planted.
 */
export function keepNamed({ schema, name }: Named, index: number): string {
  const oid = `${regclass(schema, name)}::pg_catalog.oid::pg_catalog.text`;
  return `pg_catalog.set_config('lockstep.named_${index}', coalesce(${oid}, ''), true)`;
}

/** SQL for the oid of the relation that was named at this place; null where there is none. */
export function namedOid(index: number): string {
  return `nullif(current_setting('lockstep.named_${index}'), '')::oid`;
}
