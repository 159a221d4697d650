/**
 * Parses the SQL that a runner has sent with PostgreSQL's own grammar, and finds names that are resolved along a path
 * that others can write to.
 */
import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';
import {
  children,
  constantText,
  functionCalls,
  nameParts,
  textOf,
  type TreeNode,
} from '../../src/core/sql/syntax-tree.ts';

const OURS = 'pg_catalog, pg_temp';

/** The implicit calls of an expression, by its kind: each is an operator that is resolved by name. */
const WITH_OPERATOR: ReadonlySet<string> = new Set(['A_Expr', 'SubLink', 'SortBy']);

/** The path that a statement sets; undefined when it sets none. */
function pathAfter(kind: string, node: TreeNode): string | undefined {
  if (kind === 'TransactionStmt')
    return ['TRANS_STMT_COMMIT', 'TRANS_STMT_ROLLBACK'].includes(textOf(node, 'kind') ?? '') ? '' : undefined;
  const set = functionCalls(node)
    .filter(({ name, args }) => name === 'set_config' && constantText(args[0]) === 'search_path')
    .at(-1);
  return set && (constantText(set.args[1]) ?? '');
}

/** Every unqualified name in the statement, and the names that it defines itself. */
function* unqualified(kind: string, node: TreeNode): Generator<string> {
  if (kind === 'FuncCall' && nameParts(node, 'funcname').length < 2)
    yield `function ${nameParts(node, 'funcname').join('.')}`;
  if (kind === 'TypeName' && nameParts(node, 'names').length === 1) yield `type ${nameParts(node, 'names').join('.')}`;
  if (kind === 'RangeVar' && node['schemaname'] === undefined) yield `relation ${textOf(node, 'relname') ?? ''}`;
  if (WITH_OPERATOR.has(kind)) {
    for (const field of ['name', 'operName', 'useOp']) {
      const parts = nameParts(node, field);
      if (parts.length === 1) yield `operator ${parts.join('.')}`;
    }
    if (kind === 'A_Expr' && ['AEXPR_IN', 'AEXPR_NULLIF', 'AEXPR_DISTINCT'].includes(textOf(node, 'kind') ?? ''))
      yield `operator of ${textOf(node, 'kind')}`;
  }
  if (kind === 'JoinExpr' && (children(node, 'usingClause').length > 0 || node['isNatural'] === true))
    yield 'operator of USING';
  if (kind === 'CaseExpr' && node['arg'] !== undefined) yield 'operator of CASE … WHEN';
  for (const [field, value] of Object.entries(node)) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (typeof one !== 'object' || one === null) continue;
      const entries = Object.entries(one as TreeNode);
      const [wrapped] = entries;
      // A node in a list, or in a field without a fixed type, is wrapped in its kind; elsewhere the field implies the
      // kind.
      if (entries.length === 1 && wrapped && /^[A-Z]/.test(wrapped[0]))
        yield* unqualified(wrapped[0], wrapped[1] as TreeNode);
      else yield* unqualified(KINDS[field] ?? field, one as TreeNode);
    }
  }
}

/** Fields whose node has a fixed kind. */
const KINDS: Readonly<Record<string, string>> = { typeName: 'TypeName', relation: 'RangeVar', setof: 'TypeName' };

/**
 * Each name in each statement of a message that is resolved along a path which Lockstep did not set. `isFile`
 * recognizes statements of migrations, whose path is the user's; `places` are tables that are resolved in a schema
 * which was chosen before.
 */
export async function strayNames(
  message: string,
  { isFile, places }: { isFile: (sql: string) => boolean; places: readonly string[] },
): Promise<string[]> {
  const parsed = await createSqlParser().parse(message);
  if (!parsed.ok) throw new Error(`not SQL: ${parsed.message}\n${message}`);
  const stray: string[] = [];
  let path = '';
  for (const { kind, node, start, end } of parsed.statements) {
    const sql = message.slice(start, end);
    if (!isFile(sql) && path !== OURS) {
      for (const name of unqualified(kind, node))
        if (!places.includes(name.replace('relation ', ''))) stray.push(`${name} in: ${sql}`);
    }
    path = pathAfter(kind, node) ?? path;
  }
  return stray;
}
