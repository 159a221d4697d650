/** Which data a script destroys, as far as its statements say so. */
import type { Loss, ParsedStatement, RelationName } from './script-plan.ts';
import { child, droppedNames, membersOf, nameParts, relationName, textOf, type TreeNode } from './syntax-tree.ts';
import { commandsOf } from './transaction-rules.ts';

/** In the order of the script. */
export function findLosses(statements: readonly ParsedStatement[]): readonly Loss[] {
  return statements.flatMap(({ kind, node }): readonly Loss[] => {
    switch (kind) {
      case 'DropStmt':
        return dropped(node);
      case 'AlterTableStmt':
        return droppedColumns(node);
      case 'TruncateStmt':
        return membersOf(node, 'relations', 'RangeVar').flatMap((range) => ofTable('rows', relationName(range)));
      case 'DeleteStmt':
        return child(node, 'whereClause') ? [] : ofTable('rows', relationName(child(node, 'relation')));
      case 'DropdbStmt':
        return [{ kind: 'database', name: textOf(node, 'dbname') ?? '' }];
      case 'DropOwnedStmt':
        return [{ kind: 'dependents', name: 'a role' }];
      case 'DoStmt':
        return [{ kind: 'unknown', name: 'a DO block' }];
      case 'CallStmt':
        return [{ kind: 'unknown', name: 'a procedure' }];
      default:
        return [];
    }
  });
}

/** Of a script that nobody here can read. */
export const UNREAD: readonly Loss[] = [{ kind: 'unknown', name: 'a script that the parser cannot read' }];

const WITH_ROWS: ReadonlySet<string> = new Set(['OBJECT_TABLE', 'OBJECT_MATVIEW', 'OBJECT_FOREIGN_TABLE']);

function dropped(node: TreeNode): readonly Loss[] {
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

function droppedColumns(node: TreeNode): readonly Loss[] {
  const table = relationName(child(node, 'relation'));
  return commandsOf(node)
    .filter((command) => textOf(command, 'subtype') === 'AT_DropColumn')
    .flatMap((command) => ofTable('column', table).map((loss) => ({ ...loss, column: textOf(command, 'name') ?? '' })));
}

function ofTable(kind: 'table' | 'column' | 'rows', table: RelationName | undefined): readonly Loss[] {
  return table ? [{ kind, name: nameOf(table), table }] : [];
}

function nameOf({ schema, name }: RelationName): string {
  return schema === undefined ? name : `${schema}.${name}`;
}
