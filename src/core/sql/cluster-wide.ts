/** Which statements change something that all databases of a server share? */
import type { ParsedStatement } from './script-plan.ts';
import { textOf } from './syntax-tree.ts';

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

/** The first of the statements that does. What a DO block or a function builds is not seen. */
export function clusterWide(statements: readonly ParsedStatement[]): ParsedStatement | undefined {
  return statements.find(
    ({ kind, node }) =>
      SHARED_STATEMENTS.has(kind) ||
      ['objtype', 'objectType', 'renameType'].some((field) => SHARED_OBJECTS.has(textOf(node, field) ?? '')),
  );
}
