/** Which data a script destroys, as far as its statements show. */
import type { Loss, ParsedStatement, RelationName } from './script-plan.ts';
import {
  child,
  descendants,
  droppedNames,
  membersOf,
  nameParts,
  relationName,
  textOf,
  type TreeNode,
} from './syntax-tree.ts';
import { commandsOf } from './transaction-rules.ts';

type Found = Omit<Loss, 'offset'>;

/** In the order of the script. */
export function findLosses(statements: readonly ParsedStatement[]): readonly Loss[] {
  return statements.flatMap(({ kind, node, start }) => {
    // A function's body does not run yet.
    const inside =
      kind === 'CreateFunctionStmt' ? [] : descendants(node).flatMap(([found, below]) => removedRows(found, below));
    return [...lossesOf(kind, node), ...removedRows(kind, node), ...inside].map((loss) => ({ ...loss, offset: start }));
  });
}

function lossesOf(kind: string, node: TreeNode): readonly Found[] {
  switch (kind) {
    case 'DropStmt':
      return dropped(node);
    case 'AlterTableStmt':
      return lostColumns(node);
    case 'TruncateStmt':
      return membersOf(node, 'relations', 'RangeVar').flatMap((range) => ofTable('rows', relationName(range)));
    case 'DropdbStmt':
      return [{ kind: 'database', name: textOf(node, 'dbname') ?? '' }];
    case 'DropOwnedStmt':
      return membersOf(node, 'roles', 'RoleSpec').map((role) => ({
        kind: 'owned',
        name: textOf(role, 'rolename') ?? SPECIAL_ROLES[textOf(role, 'roletype') ?? ''] ?? '',
      }));
    case 'DoStmt':
      return [{ kind: 'unknown', name: 'a DO block' }];
    case 'CallStmt':
      return [{ kind: 'unknown', name: 'a procedure' }];
    case 'ExecuteStmt':
      return [{ kind: 'unknown', name: 'a prepared statement' }];
    case 'SelectStmt':
      return calledFunctions(node);
    default:
      return [];
  }
}

const SPECIAL_ROLES: Readonly<Record<string, string>> = {
  ROLESPEC_CURRENT_USER: 'CURRENT_USER',
  ROLESPEC_CURRENT_ROLE: 'CURRENT_ROLE',
  ROLESPEC_SESSION_USER: 'SESSION_USER',
};

/** DELETE and MERGE, also inside WITH. */
function removedRows(kind: string, node: TreeNode): readonly Found[] {
  const table = relationName(child(node, 'relation'));
  if (kind === 'DeleteStmt') return ofTable(isAlways(child(node, 'whereClause')) ? 'rows' : 'some rows', table);
  const deletes =
    kind === 'MergeStmt' &&
    membersOf(node, 'mergeWhenClauses', 'MergeWhenClause').some(
      (clause) => textOf(clause, 'commandType') === 'CMD_DELETE',
    );
  return deletes ? ofTable('some rows', table) : [];
}

/** No condition, or one that is a constant. */
function isAlways(condition: TreeNode | undefined): boolean {
  return condition === undefined || child(child(condition, 'A_Const'), 'boolval')?.['boolval'] === true;
}

/** A function may do anything; these built-in ones are common in migrations and destroy nothing. */
const HARMLESS =
  /^(?:pg_.*|set_config|current_setting|setval|nextval|currval|lastval|now|clock_timestamp|count|sum|min|max|avg|coalesce|lower|upper|format|to_regclass|version|length|array_agg|string_agg|jsonb?_.*|to_jsonb?|generate_series|unnest)$/;

function calledFunctions(node: TreeNode): readonly Found[] {
  const calls = descendants(node).flatMap(([kind, call]) => (kind === 'FuncCall' ? [nameParts(call, 'funcname')] : []));
  const unknown = calls.filter((name) => name[0] !== 'pg_catalog' && !HARMLESS.test(name.at(-1) ?? ''));
  return [...new Set(unknown.map((name) => name.join('.')))]
    .sort()
    .map((name) => ({ kind: 'unknown', name: `a call of the function ${name}` }));
}

/** For a script that the parser cannot read. */
export const UNREAD: readonly Loss[] = [{ kind: 'unknown', name: 'a script that the parser cannot read', offset: 0 }];

const WITH_ROWS: ReadonlySet<string> = new Set(['OBJECT_TABLE', 'OBJECT_MATVIEW', 'OBJECT_FOREIGN_TABLE']);

function dropped(node: TreeNode): readonly Found[] {
  const what = textOf(node, 'removeType') ?? '';
  if (WITH_ROWS.has(what)) return droppedNames(node).flatMap((table) => ofTable('table', table));
  const names = membersOf(node, 'objects', 'String').map((name) => textOf(name, 'sval') ?? '');
  if (what === 'OBJECT_SCHEMA') return names.map((name) => ({ kind: 'schema', name }));
  // Columns of a dropped type go with it, for example.
  if (textOf(node, 'behavior') !== 'DROP_CASCADE') return [];
  const types = membersOf(node, 'objects', 'TypeName').map((type) => nameParts(type, 'names').join('.'));
  const others = droppedNames(node).map(nameOf);
  const kind = what.replace('OBJECT_', '').toLowerCase();
  return [...names, ...types, ...others].map((name) => ({ kind: 'dependents', name: `${kind} ${name}` }));
}

/** Columns that are dropped, or converted by an expression in the script. */
function lostColumns(node: TreeNode): readonly Found[] {
  const table = relationName(child(node, 'relation'));
  return commandsOf(node).flatMap((command) => {
    const column = textOf(command, 'name') ?? '';
    const subtype = textOf(command, 'subtype');
    const converts =
      subtype === 'AT_AlterColumnType' && child(child(child(command, 'def'), 'ColumnDef'), 'raw_default') !== undefined;
    if (subtype !== 'AT_DropColumn' && !converts) return [];
    return ofTable(converts ? 'values' : 'column', table).map((loss) => ({ ...loss, column }));
  });
}

function ofTable(
  kind: 'table' | 'column' | 'values' | 'rows' | 'some rows',
  table: RelationName | undefined,
): readonly Found[] {
  return table ? [{ kind, name: nameOf(table), table }] : [];
}

function nameOf({ schema, name }: RelationName): string {
  return schema === undefined ? name : `${schema}.${name}`;
}
