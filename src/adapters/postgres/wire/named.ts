/** What a migration's names mean: resolved under its own path, and used under ours. */
import { regclass } from './sql.ts';

/** A table, view or index as a statement names it. */
export interface Named {
  readonly schema?: string;
  readonly name: string;
}

/** Its oid, kept for the transaction; '' where there is no such relation. No operator stands here. */
export function keepNamed({ schema, name }: Named, index: number): string {
  const oid = `${regclass(schema, name)}::pg_catalog.oid::pg_catalog.text`;
  return `pg_catalog.set_config('lockstep.named_${index}', coalesce(${oid}, ''), true)`;
}

/** SQL for the oid of the relation that was named at this place; null where there is none. */
export function namedOid(index: number): string {
  return `nullif(current_setting('lockstep.named_${index}'), '')::oid`;
}
