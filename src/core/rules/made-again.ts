/** Whether the same transaction makes again what a statement takes away. */
import { objectsMade, objectsOf, objectsRenamed } from './objects.ts';
import type { View } from './rule.ts';

/** In a transaction nobody sees that an object is gone if it is made again before COMMIT. */
export function isMadeAgain({ mode, kind, node, position, statements }: View): boolean {
  if (mode !== 'transaction') return false;
  const made = lastMade(statements);
  const dropped = namesOf(objectsOf(kind, node));
  return dropped.length > 0 && dropped.every((name) => (made.get(name) ?? -1) > position);
}

/** Several statements of a script may ask. */
const known = new WeakMap<View['statements'], ReadonlyMap<string, number>>();

/** The position of the last statement that makes each object, or gives it its name. */
function lastMade(statements: View['statements']): ReadonlyMap<string, number> {
  const made =
    known.get(statements) ??
    new Map(
      statements.flatMap(({ kind, node }, position) =>
        namesOf(madeOrReplaced(kind, node)).map((name) => [name, position] as const),
      ),
    );
  known.set(statements, made);
  return made;
}

/** A table that is made again is another one, without rows. */
function madeOrReplaced(kind: string, node: View['node']): ReturnType<typeof objectsMade> {
  if (kind === 'RenameStmt') return objectsRenamed(node);
  return kind === 'CreateStmt' ? [] : objectsMade(kind, { ...node, replace: false });
}

function namesOf(objects: ReturnType<typeof objectsOf>): readonly string[] {
  return objects.map(({ space, name, schema = '' }) => JSON.stringify([space, schema, name]));
}
