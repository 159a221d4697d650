/** What is refused in any script, before anything runs (exit 21), and what to write instead. */
import { COPY_THROUGH_CLIENT } from './copy-through-client.ts';
import { setsParameter } from './session-rules.ts';
import type { Statement } from './statements.ts';
import { child, constantText, functionCalls, membersOf, textOf, type TreeNode } from './syntax-tree.ts';

interface Refusal {
  readonly matches: (statement: Statement) => boolean;
  readonly message: string;
}

const REFUSALS: readonly Refusal[] = [
  { matches: ({ kind, node }) => copiesThroughClient(kind, node), message: COPY_THROUGH_CLIENT },
  {
    matches: ({ kind, node }) => kind === 'DiscardStmt' && textOf(node, 'target') === 'DISCARD_ALL',
    message:
      'DISCARD ALL would release the migration lock: remove it (the session is reset after each migration), or use DISCARD PLANS, SEQUENCES or TEMP',
  },
  {
    // A function's body does not run yet.
    matches: ({ kind, node }) =>
      kind !== 'CreateFunctionStmt' && functionCalls(node).some(({ name }) => UNLOCKS.has(name)),
    message: 'pg_advisory_unlock… would release the migration lock: use pg_advisory_xact_lock, which needs no unlock',
  },
  {
    matches: ({ kind, node }) => kind === 'TransactionStmt' && textOf(node, 'kind') === 'TRANS_STMT_PREPARE',
    message: 'PREPARE TRANSACTION would take the migration out of the transaction that records it: remove it',
  },
  {
    matches: ({ kind, node }) => kind === 'IndexStmt' && node['concurrent'] === true && node['idxname'] === undefined,
    message:
      'a concurrent index needs a name, otherwise every failed attempt leaves another invalid index: CREATE INDEX CONCURRENTLY name ON …',
  },
  {
    matches: ({ kind, node }) => asksForIsolation(kind, node),
    message:
      'a migration runs at read committed: remove the isolation level, and LOCK the tables that must not change meanwhile',
  },
  {
    matches: ({ kind, node }) => setsIsolation(kind, node),
    message:
      'a migration runs at read committed and must not change the default of its session: remove this, or set it for a role or database (ALTER ROLE … SET, ALTER DATABASE … SET)',
  },
];

const UNLOCKS: ReadonlySet<string> = new Set([
  'pg_advisory_unlock',
  'pg_advisory_unlock_all',
  'pg_advisory_unlock_shared',
]);

export function findRefusals(statement: Statement): readonly string[] {
  return REFUSALS.filter(({ matches }) => matches(statement)).map(({ message }) => message);
}

/** COPY … FROM STDIN and TO STDOUT: the rows go through the connection. */
export function copiesThroughClient(kind: string, node: TreeNode): boolean {
  return kind === 'CopyStmt' && node['filename'] === undefined;
}

/** Every way to set the isolation level of a session or of its later transactions. */
function setsIsolation(kind: string, node: TreeNode): boolean {
  if (kind === 'VariableSetStmt' && textOf(node, 'name') === 'SESSION CHARACTERISTICS') {
    return membersOf(node, 'args', 'DefElem').some((element) => element['defname'] === 'transaction_isolation');
  }
  return ['default_transaction_isolation', 'transaction_isolation'].some(
    (name) => setsParameter(kind, node, name) !== undefined,
  );
}

/**
 * REPEATABLE READ or SERIALIZABLE, in BEGIN or SET TRANSACTION. Lockstep's own statements come first, so the server
 * would refuse it.
 */
function asksForIsolation(kind: string, node: TreeNode): boolean {
  const field = kind === 'TransactionStmt' ? 'options' : 'args';
  if (kind !== 'TransactionStmt' && !(kind === 'VariableSetStmt' && textOf(node, 'name') === 'TRANSACTION'))
    return false;
  const level = membersOf(node, field, 'DefElem').find((element) => element['defname'] === 'transaction_isolation');
  return ['repeatable read', 'serializable'].includes(constantText(child(level, 'arg')) ?? '');
}
