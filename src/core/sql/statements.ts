/** What each statement of a script is: where it may run, which locks it takes, which indexes it builds. */
import type { ConcurrentIndex, ParsedStatement, Reindexed, RelationName } from './script-plan.ts';
import { setsParameter, TemporaryRelations } from './session-rules.ts';
import { child, droppedNames, membersOf, relationName, relationsIn, textOf } from './syntax-tree.ts';
import {
  detachedPartition,
  runsOutsideTransaction,
  takesBlockingLocks,
  waitsForSnapshots,
} from './transaction-rules.ts';

type TransactionControl = 'begin' | 'commit' | 'rollback' | 'savepoint';

export interface Statement extends ParsedStatement {
  /** PostgreSQL refuses it in a transaction block. */
  readonly outside: boolean;
  /** See `SqlPiece.blocking`. */
  readonly blocking: boolean;
  /** See `SqlPiece.relations`. */
  readonly relations: readonly RelationName[];
  readonly waitsForSnapshots: boolean;
  readonly sessionOnly: boolean;
  /**
   * A procedure or DO block, which may commit; or a statement that only the server knows may run in a transaction or
   * not.
   */
  readonly mayCommit: boolean;
  readonly concurrentIndexes: readonly ConcurrentIndex[];
  /** See `Unit.reindexes`. */
  readonly reindexes: Reindexed | undefined;
  /** See `Unit.detaches`. */
  readonly detaches: { readonly parent: RelationName; readonly partition: RelationName } | undefined;
  /** COMMIT PREPARED and ROLLBACK PREPARED do not count: they do not affect the current transaction. */
  readonly control: TransactionControl | undefined;
  readonly setsLockTimeout: 'session' | 'transaction' | undefined;
}

/** CLUSTER and REINDEX cannot run in a transaction if the relation is partitioned. */
const ONLY_THE_SERVER_KNOWS: ReadonlySet<string> = new Set(['CallStmt', 'DoStmt', 'ClusterStmt', 'ReindexStmt']);

const CONTROL: Readonly<Record<string, TransactionControl>> = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'commit',
  TRANS_STMT_ROLLBACK: 'rollback',
  TRANS_STMT_SAVEPOINT: 'savepoint',
  TRANS_STMT_RELEASE: 'savepoint',
  TRANS_STMT_ROLLBACK_TO: 'savepoint',
};

/** In the order of the script, because a statement can depend on earlier ones. */
export function classify(statements: readonly ParsedStatement[]): readonly Statement[] {
  const temporary = new TemporaryRelations();
  const withoutSlot = new Set<string>();
  return statements.map((statement) => {
    const { kind, node } = statement;
    const subscription = textOf(node, 'subname') ?? '';
    if (kind === 'AlterSubscriptionStmt' && removesSlot(statement)) withoutSlot.add(subscription);
    const waits = waitsForSnapshots(kind, node);
    const blocking = takesBlockingLocks(kind, node);
    return {
      ...statement,
      outside:
        runsOutsideTransaction(kind, node) && !(kind === 'DropSubscriptionStmt' && withoutSlot.has(subscription)),
      blocking,
      relations: blocking ? relationsIn(kind, node) : [],
      waitsForSnapshots: waits,
      sessionOnly: temporary.isSessionOnly(kind, node),
      mayCommit: ONLY_THE_SERVER_KNOWS.has(kind),
      concurrentIndexes: waits ? concurrentIndexes(statement) : [],
      reindexes: waits && kind === 'ReindexStmt' ? reindexed(node) : undefined,
      detaches: waits ? detachment(statement) : undefined,
      control: kind === 'TransactionStmt' ? CONTROL[textOf(node, 'kind') ?? ''] : undefined,
      setsLockTimeout: setsParameter(kind, node, 'lock_timeout'),
    };
  });
}

/** `ALTER SUBSCRIPTION … SET (slot_name = NONE)`: dropping it then does not contact the publisher. */
function removesSlot({ node }: ParsedStatement): boolean {
  const slot = membersOf(node, 'options', 'DefElem').find((element) => element['defname'] === 'slot_name');
  return textOf(child(child(slot, 'arg'), 'String'), 'sval') === 'none';
}

function detachment({ kind, node }: ParsedStatement): Statement['detaches'] {
  const parent = relationName(child(node, 'relation'));
  const partition = kind === 'AlterTableStmt' ? detachedPartition(node) : undefined;
  return parent && partition && { parent, partition };
}

function reindexed(node: ParsedStatement['node']): Reindexed {
  const relation = relationName(child(node, 'relation'));
  const schema = textOf(node, 'name');
  const kind = textOf(node, 'kind');
  if (relation) return kind === 'REINDEX_OBJECT_INDEX' ? { index: relation } : { table: relation };
  return kind === 'REINDEX_OBJECT_SCHEMA' && schema !== undefined ? { schema } : { database: true };
}

function concurrentIndexes(statement: ParsedStatement): readonly ConcurrentIndex[] {
  const { kind, node } = statement;
  const relation = relationName(child(node, 'relation'));
  if (kind === 'DropStmt') {
    return droppedNames(node).map((index) => ({ action: 'drop', ...index, ifNotExists: false }));
  }
  const name = textOf(node, 'idxname');
  if (kind !== 'IndexStmt' || name === undefined || !relation) return [];
  const schema = relation.schema !== undefined && { schema: relation.schema };
  return [{ action: 'create', ...schema, name, table: relation, ifNotExists: node['if_not_exists'] === true }];
}
