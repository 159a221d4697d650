/** Reads what several rules need from a statement's tree: commands, constraints, columns and types. */
import type { RelationName } from '../sql/script-plan.ts';
import { child, children, membersOf, nameParts, textOf, type TreeNode } from '../sql/syntax-tree.ts';

export interface ColumnType {
  /** Without its schema, as PostgreSQL names it: `int4`, `varchar`. */
  readonly name: string;
  /** Length, precision and scale; -1 for what is no plain number. */
  readonly modifiers: readonly number[];
  readonly array: boolean;
}

export function isCommand(command: TreeNode, ...subtypes: readonly string[]): boolean {
  return subtypes.includes(textOf(command, 'subtype') ?? '');
}

/** The constraint that a command adds to a table. */
export function addedConstraint(command: TreeNode): TreeNode | undefined {
  return isCommand(command, 'AT_AddConstraint') ? child(child(command, 'def'), 'Constraint') : undefined;
}

/** The column that a command adds, or whose type it changes. */
export function columnOf(command: TreeNode): TreeNode | undefined {
  return child(child(command, 'def'), 'ColumnDef');
}

/** The column of an ADD COLUMN. */
export function addedColumn(command: TreeNode): TreeNode | undefined {
  return isCommand(command, 'AT_AddColumn') ? columnOf(command) : undefined;
}

export function constraintsOf(column: TreeNode | undefined): readonly TreeNode[] {
  return membersOf(column, 'constraints', 'Constraint');
}

export function isConstraint(constraint: TreeNode | undefined, ...types: readonly string[]): boolean {
  return types.includes(textOf(constraint, 'contype') ?? '');
}

/** `NOT VALID`. */
export function isNotValid(constraint: TreeNode): boolean {
  return constraint['skip_validation'] === true;
}

export function isSerial(column: TreeNode | undefined): boolean {
  return /^(small|big)?serial[248]?$/.test(typeOf(child(column, 'typeName')).name);
}

export function typeOf(typeName: TreeNode | undefined): ColumnType {
  return {
    name: nameParts(typeName, 'names').at(-1) ?? '',
    modifiers: children(typeName, 'typmods').map(numberOf),
    array: children(typeName, 'arrayBounds').length > 0,
  };
}

/** The parser leaves a zero out. */
function numberOf(constant: TreeNode): number {
  const integer = child(child(constant, 'A_Const'), 'ival');
  return integer ? Number(integer['ival'] ?? 0) : -1;
}

/** The column that an expression names and nothing else; undefined for any other expression. */
export function plainColumn(expression: TreeNode | undefined): string | undefined {
  const reference = child(expression, 'ColumnRef');
  return reference && nameParts(reference, 'fields').at(-1);
}

/** The columns that a CHECK requires to be there: `a IS NOT NULL AND …`. */
export function columnsNotNull(expression: TreeNode | undefined): readonly string[] {
  const both = child(expression, 'BoolExpr');
  if (both && textOf(both, 'boolop') === 'AND_EXPR') return children(both, 'args').flatMap(columnsNotNull);
  const test = child(expression, 'NullTest');
  if (textOf(test, 'nulltesttype') !== 'IS_NOT_NULL') return [];
  return [plainColumn(child(test, 'arg')) ?? []].flat();
}

/** The plain columns of an index, up to the first expression. */
export function indexedColumns(index: TreeNode): readonly string[] {
  const names = membersOf(index, 'indexParams', 'IndexElem').map((element) => textOf(element, 'name'));
  const end = names.indexOf(undefined);
  return (end === -1 ? names : names.slice(0, end)).flatMap((name) => name ?? []);
}

/** A dotted name whose last word is the object's. */
export function dottedName(parts: readonly string[]): RelationName | undefined {
  const [name, schema] = parts.toReversed();
  return name === undefined ? undefined : { name, ...(schema !== undefined && { schema }) };
}
