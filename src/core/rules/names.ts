/** A set of names: a name without a schema matches every schema. */
import type { RelationName } from '../sql/script-plan.ts';

export class Names {
  readonly #schemasOf = new Map<string, Set<string | undefined>>();

  add({ name, schema }: RelationName): void {
    const schemas = this.#schemasOf.get(name) ?? new Set();
    this.#schemasOf.set(name, schemas.add(schema));
  }

  has({ name, schema }: RelationName): boolean {
    const schemas = this.#schemasOf.get(name);
    return schemas !== undefined && (schema === undefined || schemas.has(undefined) || schemas.has(schema));
  }
}
