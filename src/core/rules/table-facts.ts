/** What the statements so far say about one table: columns, indexes, constraints. */
import { child, membersOf, nameParts, textOf, type TreeNode } from '../sql/syntax-tree.ts';
import {
  addedColumn,
  addedConstraint,
  columnOf,
  columnsNotNull,
  constraintsOf,
  indexedColumns,
  isCommand,
  isConstraint,
  isNotValid,
  isSerial,
  typeOf,
  type ColumnType,
} from './tree.ts';

interface Check {
  readonly columns: readonly string[];
  valid: boolean;
}

interface Column {
  type: ColumnType;
  notNull: boolean;
}

export class TableFacts {
  readonly #columns = new Map<string, Column>();
  readonly #checks = new Map<string, Check>();
  /** The columns of each index, in their order. */
  readonly indexes: (readonly string[])[] = [];

  /** Undefined where no statement has said it. */
  column(name: string): Column | undefined {
    return this.#columns.get(name);
  }

  /** Whether a valid CHECK says that the column is never NULL. */
  isCheckedNotNull(column: string): boolean {
    return [...this.#checks.values()].some(({ valid, columns }) => valid && columns.includes(column));
  }

  /** Whether there is a valid CHECK, which may prove a partition's bounds. */
  get hasValidCheck(): boolean {
    return [...this.#checks.values()].some(({ valid }) => valid);
  }

  addElements(node: TreeNode): void {
    for (const column of membersOf(node, 'tableElts', 'ColumnDef')) this.#addColumn(column);
    for (const constraint of membersOf(node, 'tableElts', 'Constraint')) this.#addConstraint(constraint, true);
  }

  addIndex(node: TreeNode): void {
    if (node['whereClause'] === undefined) this.indexes.push(indexedColumns(node));
  }

  renameColumn(from: string, to: string): void {
    const column = this.#columns.get(from);
    if (!column) return;
    this.#columns.delete(from);
    this.#columns.set(to, column);
  }

  alter(command: TreeNode): void {
    const name = textOf(command, 'name') ?? '';
    const added = addedColumn(command);
    const constraint = addedConstraint(command);
    const column = this.#columns.get(name);
    if (added) this.#addColumn(added);
    if (constraint) this.#addConstraint(constraint, false);
    if (isCommand(command, 'AT_DropColumn')) this.#columns.delete(name);
    if (isCommand(command, 'AT_DropConstraint')) this.#checks.delete(name);
    if (isCommand(command, 'AT_ValidateConstraint')) this.#validate(name);
    if (column && isCommand(command, 'AT_SetNotNull')) column.notNull = true;
    if (column && isCommand(command, 'AT_DropNotNull')) column.notNull = false;
    if (column && isCommand(command, 'AT_AlterColumnType')) column.type = typeOf(child(columnOf(command), 'typeName'));
  }

  #validate(name: string): void {
    const check = this.#checks.get(name);
    if (check) check.valid = true;
  }

  #addColumn(column: TreeNode): void {
    const name = textOf(column, 'colname') ?? '';
    const constraints = constraintsOf(column);
    const required = constraints.some((one) =>
      isConstraint(one, 'CONSTR_NOTNULL', 'CONSTR_PRIMARY', 'CONSTR_IDENTITY'),
    );
    this.#columns.set(name, { type: typeOf(child(column, 'typeName')), notNull: required || isSerial(column) });
    for (const one of constraints) {
      if (isConstraint(one, 'CONSTR_PRIMARY', 'CONSTR_UNIQUE')) this.indexes.push([name]);
      if (isConstraint(one, 'CONSTR_CHECK')) this.#addConstraint(one, true);
    }
  }

  /** In CREATE TABLE every constraint is valid, because there are no rows yet. */
  #addConstraint(constraint: TreeNode, empty: boolean): void {
    const keys = nameParts(constraint, 'keys');
    if (isConstraint(constraint, 'CONSTR_PRIMARY', 'CONSTR_UNIQUE')) {
      this.indexes.push(keys);
      if (isConstraint(constraint, 'CONSTR_PRIMARY')) for (const key of keys) this.#setNotNull(key);
    }
    const columns = isConstraint(constraint, 'CONSTR_NOTNULL')
      ? keys
      : isConstraint(constraint, 'CONSTR_CHECK')
        ? columnsNotNull(child(constraint, 'raw_expr'))
        : undefined;
    if (!columns) return;
    const name = textOf(constraint, 'conname') ?? `without a name ${this.#checks.size}`;
    this.#checks.set(name, { columns, valid: empty || !isNotValid(constraint) });
  }

  #setNotNull(name: string): void {
    const column = this.#columns.get(name);
    if (column) column.notNull = true;
  }
}
