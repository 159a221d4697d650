/** Which statements change something that all databases of a server share? */
import type { ParsedStatement } from './script-plan.ts';
import { textOf, type TreeNode } from './syntax-tree.ts';

const SHARED_STATEMENTS = new Set([
  'CreateRoleStmt',
  'AlterRoleStmt',
  'AlterRoleSetStmt',
  'DropRoleStmt',
  'GrantRoleStmt',
  'CreatedbStmt',
  'DropdbStmt',
  'AlterDatabaseStmt',
  'AlterDatabaseSetStmt',
  'AlterDatabaseRefreshCollStmt',
  'AlterSystemStmt',
  'CreateTableSpaceStmt',
  'DropTableSpaceStmt',
  'AlterTableSpaceOptionsStmt',
]);

const SHARED_OBJECTS = new Set(['OBJECT_ROLE', 'OBJECT_DATABASE', 'OBJECT_TABLESPACE', 'OBJECT_PARAMETER_ACL']);

/** What a DO block or a function builds is not seen. */
export function clusterWide(statements: readonly ParsedStatement[]): readonly ParsedStatement[] {
  return statements.filter(
    ({ kind, node }) =>
      SHARED_STATEMENTS.has(kind) ||
      ['objtype', 'objectType', 'renameType'].some((field) => SHARED_OBJECTS.has(textOf(node, field) ?? '')),
  );
}

/** The roles that statements name, wherever in them. */
export function rolesIn(statements: readonly ParsedStatement[]): readonly string[] {
  const names = new Set<string>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    else if (typeof value === 'object' && value !== null) {
      const { roletype, rolename } = value as TreeNode;
      if (roletype === 'ROLESPEC_CSTRING' && typeof rolename === 'string') names.add(rolename);
      Object.values(value).forEach(visit);
    }
  };
  for (const { node } of statements) visit(node);
  return [...names];
}
