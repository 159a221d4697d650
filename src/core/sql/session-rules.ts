/** Which statements change only the session, so that a resumed script must repeat them. */
import type { RelationName } from './script-plan.ts';
import {
  child,
  children,
  constantText,
  descendants,
  droppedNames,
  functionCalls,
  membersOf,
  relationName,
  textOf,
  type TreeNode,
} from './syntax-tree.ts';

type Rule = (node: TreeNode) => boolean;

const always: Rule = () => true;
const temporary =
  (...path: readonly string[]): Rule =>
  (node) =>
    isTemporary(at(node, path));

/** CURSOR_OPT_HOLD of PostgreSQL's parsenodes.h. */
const HOLD = 0x20;

const SESSION_ONLY: Readonly<Record<string, Rule>> = {
  ClosePortalStmt: always,
  CreateFunctionStmt: (node) => textOf(child(children(node, 'funcname')[0], 'String'), 'sval') === 'pg_temp',
  CreateSeqStmt: temporary('sequence'),
  CreateStmt: temporary('relation'),
  CreateTableAsStmt: temporary('into', 'rel'),
  DeallocateStmt: always,
  DeclareCursorStmt: (node) => (Number(node['options'] ?? 0) & HOLD) !== 0,
  DiscardStmt: always,
  ListenStmt: always,
  LoadStmt: always,
  PrepareStmt: always,
  SelectStmt: (node) => temporary('intoClause', 'rel')(node) || isSetConfig(node),
  UnlistenStmt: always,
  VariableSetStmt: (node) => !isLocalSet(node),
  ViewStmt: temporary('view'),
};

/** The temporary relations that a script has made so far. */
export class TemporaryRelations {
  readonly #names = new Set<string>();

  /** Also true for statements that only fill, index or drop the script's own temporary tables. */
  isSessionOnly(kind: string, node: TreeNode): boolean {
    if (SESSION_ONLY[kind]?.(node) === true) {
      const made = relationName(madeBy(node));
      if (made && isTemporary(madeBy(node))) this.#names.add(made.name);
      return true;
    }
    const targets = [...targetsOf(kind, node), ...writtenBelow(node)];
    const only = targets.length > 0 && targets.every((target) => this.#has(target));
    if (only && kind === 'DropStmt') for (const { name } of targets) this.#names.delete(name);
    return only;
  }

  #has(relation: RelationName): boolean {
    return (relation.schema ?? 'pg_temp') === 'pg_temp' && this.#names.has(relation.name);
  }
}

/** SET LOCAL and SET TRANSACTION end with their transaction. */
function isLocalSet(node: TreeNode): boolean {
  return node['is_local'] === true || textOf(node, 'name') === 'TRANSACTION';
}

/** Whether the statement's whole effect ends with its transaction. */
export function isMomentary(kind: string, node: TreeNode): boolean {
  switch (kind) {
    case 'LockStmt':
    case 'ConstraintsSetStmt':
      return true;
    case 'DeclareCursorStmt':
      return SESSION_ONLY[kind]?.(node) !== true;
    case 'VariableSetStmt':
      return isLocalSet(node);
    default:
      return false;
  }
}

/** Whether a statement sets `parameter`, and for how long. */
export function setsParameter(kind: string, node: TreeNode, parameter: string): 'session' | 'transaction' | undefined {
  if (kind === 'VariableSetStmt' && textOf(node, 'name')?.toLowerCase() === parameter) {
    return isLocalSet(node) ? 'transaction' : 'session';
  }
  const call = functionCalls(node).find(
    ({ name, args }) => name === 'set_config' && constantText(args[0])?.toLowerCase() === parameter,
  );
  return call && (isTrue(call.args[2]) ? 'transaction' : 'session');
}

/** `SELECT set_config(…, false)` and nothing else. */
function isSetConfig(node: TreeNode): boolean {
  const columns = membersOf(node, 'targetList', 'ResTarget');
  const calls = columns.flatMap((column) => functionCalls(child(column, 'val') ?? {}));
  return (
    columns.length > 0 &&
    node['fromClause'] === undefined &&
    columns.every((column) => child(child(column, 'val'), 'FuncCall') !== undefined) &&
    calls.every(({ name, args }) => name === 'set_config' && !isTrue(args[2]))
  );
}

function isTrue(argument: TreeNode | undefined): boolean {
  return child(child(argument, 'A_Const'), 'boolval')?.['boolval'] === true;
}

function isTemporary(range: TreeNode | undefined): boolean {
  return textOf(range, 'relpersistence') === 't' || textOf(range, 'schemaname') === 'pg_temp';
}

function at(node: TreeNode, path: readonly string[]): TreeNode | undefined {
  return path.reduce<TreeNode | undefined>((current, field) => child(current, field), node);
}

function madeBy(node: TreeNode): TreeNode | undefined {
  const paths = [['relation'], ['into', 'rel'], ['intoClause', 'rel'], ['view'], ['sequence']];
  return paths.map((path) => at(node, path)).find((range) => range !== undefined);
}

const WRITES: ReadonlySet<string> = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);

/** The relations that a statement changes. */
function targetsOf(kind: string, node: TreeNode): readonly RelationName[] {
  switch (kind) {
    case 'InsertStmt':
    case 'UpdateStmt':
    case 'DeleteStmt':
    case 'MergeStmt':
    case 'IndexStmt':
    case 'AlterTableStmt':
      return [relationName(child(node, 'relation')) ?? []].flat();
    case 'TruncateStmt':
      return membersOf(node, 'relations', 'RangeVar').flatMap((range) => relationName(range) ?? []);
    case 'VacuumStmt':
      return membersOf(node, 'rels', 'VacuumRelation').flatMap((one) => relationName(child(one, 'relation')) ?? []);
    case 'DropStmt':
      return droppedNames(node);
    default:
      return [];
  }
}

/** What data-changing WITH queries write. */
function writtenBelow(root: TreeNode): readonly RelationName[] {
  return [...descendants(root)].flatMap(([kind, node]) => (WRITES.has(kind) ? targetsOf(kind, node) : []));
}
