/** Do two texts that the server has deparsed mean the same? They are compared by parse tree. */
import type { ParseResult } from '../sql/script-plan.ts';

/** The statements as which a deparsed text may parse: a query or a definition, an expression, a trigger, a constraint, an index. */
export function asStatements(text: string): readonly string[] {
  return [
    text,
    `SELECT ${text}`,
    `CREATE ${text}`,
    `ALTER TABLE t ADD CONSTRAINT c ${text}`,
    /^UNIQUE /.test(text)
      ? `CREATE UNIQUE INDEX i ON t ${text.slice('UNIQUE '.length)}`
      : `CREATE INDEX i ON t ${text}`,
  ];
}

export function sameMeaning(one: ParseResult, other: ParseResult): boolean {
  return one.ok && other.ok && canonical(one) === canonical(other);
}

function canonical({ statements }: Extract<ParseResult, { ok: true }>): string {
  return JSON.stringify(statements.map(({ kind, node }) => [kind, reduced(node)]));
}

function reduced(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reduced);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([field]) => !PLACES.has(field))
    .map(([field, below]) => [field, reduced(below)] as const);
  const node = Object.fromEntries(entries) as Tree;
  return castIntoArray(node) ?? node;
}

/** Where something stands in the text. */
const PLACES = new Set([
  'location',
  'stmt_location',
  'stmt_len',
  'list_start',
  'list_end',
  'rexpr_list_start',
  'rexpr_list_end',
]);

type Tree = Readonly<Record<string, unknown>>;

/**
 * `ARRAY['x']::text[]` as `ARRAY['x'::text]`: as the first one a check is kept, and as the second it comes back from a
 * dump (`CHECK (a IN ('x', 'y'))` on a varchar).
 */
function castIntoArray(node: Tree): Tree | undefined {
  const cast = node['TypeCast'] as { arg?: Tree; typeName?: Tree } | undefined;
  const array = cast?.arg?.['A_ArrayExpr'] as { elements?: readonly unknown[] } | undefined;
  const bounds = cast?.typeName?.['arrayBounds'];
  if (!cast?.typeName || !array?.elements || !Array.isArray(bounds) || bounds.length !== 1) return undefined;
  const { arrayBounds: _, ...typeName } = cast.typeName;
  return { A_ArrayExpr: { ...array, elements: array.elements.map((arg) => ({ TypeCast: { arg, typeName } })) } };
}
