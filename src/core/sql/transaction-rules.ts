/** Which statements PostgreSQL runs only outside a transaction, and which take locks that others queue behind. */
import type { RelationName } from './script-plan.ts';
import { child, membersOf, option, relationName, textOf, type TreeNode } from './syntax-tree.ts';

type Rule = (node: TreeNode) => boolean;

const always: Rule = () => true;
const isConcurrent: Rule = (node) => node['concurrent'] === true;
const has =
  (field: string, ...values: readonly string[]): Rule =>
  (node) =>
    values.includes(textOf(node, field) ?? '');

const refreshes = has(
  'kind',
  'ALTER_SUBSCRIPTION_REFRESH',
  'ALTER_SUBSCRIPTION_SET_PUBLICATION',
  'ALTER_SUBSCRIPTION_ADD_PUBLICATION',
  'ALTER_SUBSCRIPTION_DROP_PUBLICATION',
);

/** Statements that fail with 25001 in a transaction block (PreventInTransactionBlock in PostgreSQL's source). */
const OUTSIDE: Readonly<Record<string, Rule>> = {
  AlterDatabaseStmt: (node) => option(node, 'options', 'tablespace') !== 'absent',
  AlterSubscriptionStmt: (node) =>
    (refreshes(node) && option(node, 'options', 'refresh') !== 'off') ||
    ['failover', 'two_phase'].some((name) => option(node, 'options', name) !== 'absent'),
  AlterSystemStmt: always,
  AlterTableStmt: (node) => commandsOf(node).some((command) => isConcurrent(partitionCommand(command))),
  ClusterStmt: (node) => node['relation'] === undefined,
  CreateSubscriptionStmt: (node) => ['create_slot', 'connect'].every((name) => option(node, 'options', name) !== 'off'),
  CreateTableSpaceStmt: always,
  CreatedbStmt: always,
  DiscardStmt: has('target', 'DISCARD_ALL'),
  DropStmt: isConcurrent,
  // Unless it has no slot; see `Statement.outside`.
  DropSubscriptionStmt: always,
  DropTableSpaceStmt: always,
  DropdbStmt: always,
  IndexStmt: isConcurrent,
  ReindexStmt: (node) =>
    has('kind', 'REINDEX_OBJECT_SCHEMA', 'REINDEX_OBJECT_SYSTEM', 'REINDEX_OBJECT_DATABASE')(node) ||
    isConcurrentReindex(node),
  TransactionStmt: has('kind', 'TRANS_STMT_COMMIT_PREPARED', 'TRANS_STMT_ROLLBACK_PREPARED'),
  VacuumStmt: (node) => node['is_vacuumcmd'] === true,
};

/** Statements that wait until every older snapshot of other sessions is gone. */
const WAITS_FOR_SNAPSHOTS: Readonly<Record<string, Rule>> = {
  AlterTableStmt: (node) =>
    commandsOf(node).some(
      (command) =>
        isConcurrent(partitionCommand(command)) || textOf(command, 'subtype') === 'AT_DetachPartitionFinalize',
    ),
  DropStmt: isConcurrent,
  IndexStmt: isConcurrent,
  ReindexStmt: isConcurrentReindex,
};

/** Statements that take no table lock which blocks readers or writers. Every other statement counts as DDL. */
const NOT_BLOCKING: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(
    [
      ...['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt', 'CopyStmt', 'CallStmt', 'DoStmt'],
      ...['VariableSetStmt', 'VariableShowStmt', 'ConstraintsSetStmt', 'TransactionStmt', 'DiscardStmt', 'LoadStmt'],
      ...['PrepareStmt', 'ExecuteStmt', 'DeallocateStmt', 'ExplainStmt', 'CheckPointStmt'],
      ...['DeclareCursorStmt', 'FetchStmt', 'ClosePortalStmt', 'ListenStmt', 'UnlistenStmt', 'NotifyStmt'],
    ].map((kind) => [kind, always]),
  ),
  AlterTableStmt: (node) => commandsOf(node).every(has('subtype', 'AT_ValidateConstraint')),
  VacuumStmt: (node) => option(node, 'options', 'full') !== 'on',
};

const applies = (rules: Readonly<Record<string, Rule>>, kind: string, node: TreeNode): boolean =>
  rules[kind]?.(node) === true;

export function runsOutsideTransaction(kind: string, node: TreeNode): boolean {
  return applies(OUTSIDE, kind, node);
}

export function waitsForSnapshots(kind: string, node: TreeNode): boolean {
  return applies(WAITS_FOR_SNAPSHOTS, kind, node);
}

/** The concurrent kinds are exempt: a short lock timeout would end their wait for snapshots. */
export function takesBlockingLocks(kind: string, node: TreeNode): boolean {
  return !applies(NOT_BLOCKING, kind, node) && !waitsForSnapshots(kind, node);
}

/** The commands of an ALTER TABLE. */
export function commandsOf(node: TreeNode): readonly TreeNode[] {
  return membersOf(node, 'cmds', 'AlterTableCmd');
}

/** The partition that a DETACH CONCURRENTLY detaches. */
export function detachedPartition(node: TreeNode): RelationName | undefined {
  const command = commandsOf(node).map(partitionCommand).find(isConcurrent);
  return relationName(child(command, 'name'));
}

function partitionCommand(command: TreeNode): TreeNode {
  return child(child(command, 'def'), 'PartitionCmd') ?? {};
}

function isConcurrentReindex(node: TreeNode): boolean {
  return option(node, 'params', 'concurrently') === 'on';
}
