/** Reads PostgreSQL's parse tree: field names are PostgreSQL's; false and empty values are absent. */

import type { RelationName } from './script-plan.ts';

export type TreeNode = Readonly<Record<string, unknown>>;

export interface FunctionCall {
  /** Without its schema. */
  readonly name: string;
  readonly args: readonly TreeNode[];
}

function isNode(value: unknown): value is TreeNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function child(node: TreeNode | undefined, field: string): TreeNode | undefined {
  const value = node?.[field];
  return isNode(value) ? value : undefined;
}

export function children(node: TreeNode | undefined, field: string): readonly TreeNode[] {
  const value = node?.[field];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** The nodes of one kind in a list whose members are wrapped, as in `[{ AlterTableCmd: {…} }]`. */
export function membersOf(node: TreeNode | undefined, field: string, kind: string): readonly TreeNode[] {
  return children(node, field).flatMap<TreeNode>((member) => child(member, kind) ?? []);
}

export function textOf(node: TreeNode | undefined, field: string): string | undefined {
  const value = node?.[field];
  return typeof value === 'string' ? value : undefined;
}

/** A RangeVar's name. */
export function relationName(range: TreeNode | undefined): RelationName | undefined {
  const name = textOf(range, 'relname');
  const schema = textOf(range, 'schemaname');
  return name === undefined ? undefined : { name, ...(schema !== undefined && { schema }) };
}

/** The words of a dotted name. */
export function nameParts(node: TreeNode | undefined, field: string): readonly string[] {
  return membersOf(node, field, 'String').map((part) => textOf(part, 'sval') ?? '');
}

/** What a DROP names. */
export function droppedNames(node: TreeNode): readonly RelationName[] {
  return membersOf(node, 'objects', 'List').flatMap((object) => {
    const [name, schema] = nameParts(object, 'items').toReversed();
    return name === undefined ? [] : [{ name, ...(schema !== undefined && { schema }) }];
  });
}

/** `false`, `off` and `0` switch an option off; without a value it is on. The last one counts. */
export function option(node: TreeNode, field: string, name: string): 'on' | 'off' | 'absent' {
  const found = membersOf(node, field, 'DefElem').findLast((element) => element['defname'] === name);
  if (!found) return 'absent';
  const word = textOf(child(child(found, 'arg'), 'String'), 'sval')?.toLowerCase();
  const number = child(child(found, 'arg'), 'Integer');
  const off = word === 'false' || word === 'off' || (number !== undefined && number['ival'] === undefined);
  return off ? 'off' : 'on';
}

type Descendants = readonly (readonly [kind: string, node: TreeNode])[];

/** Several rules look through the same statement. */
const known = new WeakMap<TreeNode, Descendants>();

/** Every node below `root`, with its kind, in no particular order. */
export function descendants(root: TreeNode): Descendants {
  const found = known.get(root) ?? findDescendants(root);
  known.set(root, found);
  return found;
}

/** Not recursive: a long `1+1+…` is a very deep tree. */
function findDescendants(root: TreeNode): Descendants {
  const found: [kind: string, node: TreeNode][] = [];
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (Array.isArray(value)) for (const one of value) open.push(one);
    else if (isNode(value)) {
      for (const [kind, below] of Object.entries(value)) {
        if (isNode(below)) found.push([kind, below]);
        if (typeof below === 'object') open.push(below);
      }
    }
  }
  return found;
}

/** Every table, view or index that a statement names. */
export function relationsIn(kind: string, root: TreeNode): readonly RelationName[] {
  const found = kind === 'DropStmt' ? [...droppedNames(root)] : [];
  for (const [, node] of descendants(root)) {
    const relation = relationName(node);
    if (relation) found.push(relation);
  }
  return found;
}

/** A string constant's value. */
export function constantText(node: TreeNode | undefined): string | undefined {
  return textOf(child(child(node, 'A_Const'), 'sval'), 'sval');
}

function functionCall(node: TreeNode): FunctionCall {
  return { name: nameParts(node, 'funcname').at(-1) ?? '', args: children(node, 'args') };
}

/** Every function that a statement calls. */
export function functionCalls(root: TreeNode): readonly FunctionCall[] {
  const calls: FunctionCall[] = [];
  for (const [kind, node] of descendants(root)) if (kind === 'FuncCall') calls.push(functionCall(node));
  return calls;
}
