/** Which objects a statement makes, and which existing ones it is about. */
import type { RelationName } from '../sql/script-plan.ts';
import {
  child,
  children,
  droppedNames,
  membersOf,
  nameParts,
  relationName,
  textOf,
  type TreeNode,
} from '../sql/syntax-tree.ts';
import { dottedName } from './tree.ts';

/** Tables, views, indexes and sequences share one space of names; types, functions and schemas have their own. */
export type Space = 'relation' | 'type' | 'function' | 'schema';

export interface ObjectName extends RelationName {
  readonly space: Space;
}

const inSpace = (space: Space, names: readonly (RelationName | undefined)[]): readonly ObjectName[] =>
  names.flatMap((name) => (name ? [{ space, ...name }] : []));

const relation = (range: TreeNode | undefined): readonly ObjectName[] => inSpace('relation', [relationName(range)]);
const named = (space: Space, node: TreeNode, field: string): readonly ObjectName[] =>
  inSpace(space, [dottedName(nameParts(node, field))]);

const MAKES: Readonly<Record<string, (node: TreeNode) => readonly ObjectName[]>> = {
  CompositeTypeStmt: (node) => inSpace('type', [relationName(child(node, 'typevar'))]),
  CreateDomainStmt: (node) => named('type', node, 'domainname'),
  CreateEnumStmt: (node) => named('type', node, 'typeName'),
  CreateFunctionStmt: (node) => (node['replace'] === true ? [] : named('function', node, 'funcname')),
  CreateRangeStmt: (node) => named('type', node, 'typeName'),
  CreateSchemaStmt: (node) =>
    node['if_not_exists'] === true ? [] : inSpace('schema', [{ name: textOf(node, 'schemaname') ?? '' }]),
  CreateSeqStmt: (node) => relation(child(node, 'sequence')),
  CreateStmt: (node) => relation(child(node, 'relation')),
  CreateTableAsStmt: (node) => relation(child(child(node, 'into'), 'rel')),
  SelectStmt: (node) => relation(child(child(node, 'intoClause'), 'rel')),
  ViewStmt: (node) => (node['replace'] === true ? [] : relation(child(node, 'view'))),
};

export function objectsMade(kind: string, node: TreeNode): readonly ObjectName[] {
  const name = kind === 'IndexStmt' ? textOf(node, 'idxname') : undefined;
  const schema = textOf(child(node, 'relation'), 'schemaname');
  if (name !== undefined) return inSpace('relation', [{ name, ...(schema !== undefined && { schema }) }]);
  return MAKES[kind]?.(node) ?? [];
}

/** The objects of a statement; one that names none concerns everything. */
export function objectsOf(kind: string, node: TreeNode): readonly ObjectName[] {
  switch (kind) {
    case 'DropStmt':
      return objectsDropped(node);
    case 'TruncateStmt':
      return inSpace('relation', membersOf(node, 'relations', 'RangeVar').map(relationName));
    case 'CreatePolicyStmt':
      return relation(child(node, 'table'));
    case 'RenameStmt':
    case 'AlterObjectSchemaStmt':
      return objectRenamed(node);
    case 'AlterEnumStmt':
    case 'AlterDomainStmt':
      return named('type', node, 'typeName');
    case 'AlterTableStmt':
      return textOf(node, 'objtype') === 'OBJECT_TYPE'
        ? inSpace('type', [relationName(child(node, 'relation'))])
        : orEverything(relation(child(node, 'relation')));
    default:
      return orEverything(relation(child(node, 'relation')));
  }
}

function orEverything(names: readonly ObjectName[]): readonly ObjectName[] {
  return names.length > 0 ? names : [{ space: 'relation', name: '' }];
}

/** A trigger, policy or rule counts as its table. */
const OF_A_TABLE: ReadonlySet<string> = new Set(['OBJECT_TRIGGER', 'OBJECT_POLICY', 'OBJECT_RULE']);

function objectsDropped(node: TreeNode): readonly ObjectName[] {
  const space = textOf(node, 'removeType') === 'OBJECT_SCHEMA' ? 'schema' : 'function';
  if (OF_A_TABLE.has(textOf(node, 'removeType') ?? '')) {
    const owners = membersOf(node, 'objects', 'List').map((one) => dottedName(nameParts(one, 'items').slice(0, -1)));
    return inSpace('relation', owners);
  }
  return [
    ...inSpace('relation', droppedNames(node)),
    ...inSpace(
      'type',
      membersOf(node, 'objects', 'TypeName').map((type) => dottedName(nameParts(type, 'names'))),
    ),
    ...inSpace(
      'function',
      membersOf(node, 'objects', 'ObjectWithArgs').map((one) => dottedName(nameParts(one, 'objname'))),
    ),
    ...inSpace(
      space,
      membersOf(node, 'objects', 'String').map((word) => ({ name: textOf(word, 'sval') ?? '' })),
    ),
  ];
}

function objectRenamed(node: TreeNode): readonly ObjectName[] {
  const what = textOf(node, 'renameType') ?? textOf(node, 'objectType');
  if (what === 'OBJECT_SCHEMA') return inSpace('schema', [{ name: textOf(node, 'subname') ?? '' }]);
  if (what === 'OBJECT_ATTRIBUTE') return inSpace('type', [relationName(child(node, 'relation'))]);
  const routine = child(child(node, 'object'), 'ObjectWithArgs');
  if (routine) return named('function', routine, 'objname');
  const list = child(child(node, 'object'), 'List');
  if (list) return named('type', list, 'items');
  return orEverything(relation(child(node, 'relation')));
}

/** What an object is called after a RENAME of it as a whole; nothing for a column, a constraint and the like. */
export function objectsRenamed(node: TreeNode): readonly ObjectName[] {
  const name = textOf(node, 'newname');
  if (name === undefined || node['subname'] !== undefined) return [];
  return objectRenamed(node).map((old) => ({ ...old, name }));
}

/** The tables that a CREATE TABLE is a partition or child of. */
export function parentsOf(node: TreeNode): readonly RelationName[] {
  return children(node, 'inhRelations').flatMap((member) => relationName(child(member, 'RangeVar')) ?? []);
}
