/** What the files and statements so far have made: which objects nobody uses yet, and what is known about each table. */
import type { RelationName } from '../sql/script-plan.ts';
import type { Statement } from '../sql/statements.ts';
import { child, descendants, membersOf, relationName, textOf, type TreeNode } from '../sql/syntax-tree.ts';
import { commandsOf } from '../sql/transaction-rules.ts';
import { Names } from './names.ts';
import { objectsMade, objectsOf, parentsOf, type ObjectName, type Space } from './objects.ts';
import { TableFacts } from './table-facts.ts';
import { addedConstraint, indexedColumns, isNotValid } from './tree.ts';

/** An index as its CREATE INDEX has it. */
interface KnownIndex {
  readonly table: RelationName;
  readonly columns: readonly string[];
}

/** What rules ask about the statements of the same script. */
interface ScriptFacts {
  /** Constraints that the script has added NOT VALID. */
  readonly notValid: Set<string>;
  /** The script changes the schema of a table that others use, and keeps its lock until COMMIT. */
  locks: boolean;
  /** The script has changed data while it keeps such a lock. */
  changesData: boolean;
}

export class Directory {
  readonly #tables = new Map<string, TableFacts>();
  readonly #indexes = new Map<string, KnownIndex>();
  #fresh = noNames();
  #readOnly = false;
  /** Whether the last up script is pending: what applied files have made is in use. */
  #pending = false;
  script: ScriptFacts = noFacts();

  /**
   * `pending`: nothing of the file has run anywhere, so what it makes stays unused for the pending files after it.
   * A down script changes nothing that later files build on.
   */
  begin({ direction, pending }: { readonly direction: 'up' | 'down'; readonly pending: boolean }): void {
    if (!pending || !this.#pending || direction === 'down') this.#fresh = noNames();
    if (direction === 'up') this.#pending = pending;
    this.#readOnly = direction === 'down';
    this.script = noFacts();
  }

  /** What the pending files have made, to go on with after a down script. */
  keep(): () => void {
    const fresh = this.#fresh;
    return () => {
      this.#fresh = fresh;
    };
  }

  /** Whether the script itself, or a pending file before it, has made the object. */
  isFresh({ space, ...name }: ObjectName): boolean {
    if (this.#fresh[space].has(name)) return true;
    if (name.schema !== undefined && this.#fresh.schema.has({ name: name.schema })) return true;
    const table = space === 'relation' ? this.#indexes.get(name.name)?.table : undefined;
    return table !== undefined && this.#fresh.relation.has(table);
  }

  /** What is known about a table; nothing, if no file has made it. */
  table(name: RelationName | undefined): TableFacts | undefined {
    return name && this.#tables.get(keyOf(name));
  }

  index(name: string): KnownIndex | undefined {
    return this.#indexes.get(name);
  }

  /** Takes a statement over, after the rules have seen it. */
  apply({ kind, node, control }: Statement, existing: boolean): void {
    for (const { space, ...name } of objectsMade(kind, node)) this.#fresh[space].add(name);
    if (control === 'commit') this.script = noFacts();
    for (const command of kind === 'AlterTableStmt' ? commandsOf(node) : []) this.#noteNotValid(command);
    if (existing && LOCKS.has(kind) && node['concurrent'] !== true) this.script.locks = true;
    if (this.script.locks && changesManyRows(kind, node)) this.script.changesData = true;
    if (!this.#readOnly) this.#learn(kind, node);
  }

  #noteNotValid(command: TreeNode): void {
    const constraint = addedConstraint(command);
    if (constraint && isNotValid(constraint)) this.script.notValid.add(textOf(constraint, 'conname') ?? '');
  }

  #learn(kind: string, node: TreeNode): void {
    const name = relationName(child(node, 'relation'));
    switch (kind) {
      case 'CreateStmt':
        if (name) this.#tables.set(keyOf(name), tableFacts(node));
        break;
      case 'IndexStmt':
        this.#learnIndex(node, name);
        break;
      case 'AlterTableStmt':
        for (const command of commandsOf(node)) this.table(name)?.alter(command);
        break;
      case 'RenameStmt':
        this.#rename(node, name);
        break;
      case 'DropStmt':
        for (const dropped of objectsOf(kind, node)) {
          if (textOf(node, 'removeType') === 'OBJECT_TABLE') this.#tables.delete(keyOf(dropped));
          if (textOf(node, 'removeType') === 'OBJECT_INDEX') this.#indexes.delete(dropped.name);
        }
        break;
      default:
    }
  }

  #learnIndex(node: TreeNode, table: RelationName | undefined): void {
    if (!table) return;
    this.table(table)?.addIndex(node);
    const index = textOf(node, 'idxname');
    if (index !== undefined) this.#indexes.set(index, { table, columns: indexedColumns(node) });
  }

  #rename(node: TreeNode, name: RelationName | undefined): void {
    const facts = this.table(name);
    const newName = textOf(node, 'newname') ?? '';
    if (!facts || !name) return;
    if (textOf(node, 'renameType') === 'OBJECT_COLUMN') facts.renameColumn(textOf(node, 'subname') ?? '', newName);
    if (textOf(node, 'renameType') !== 'OBJECT_TABLE') return;
    this.#tables.delete(keyOf(name));
    this.#tables.set(keyOf({ ...name, name: newName }), facts);
    if (this.isFresh({ space: 'relation', ...name })) this.#fresh.relation.add({ ...name, name: newName });
  }
}

/** Statements whose lock on a table stays until COMMIT and keeps readers or writers out. */
const LOCKS: ReadonlySet<string> = new Set([
  'AlterTableStmt',
  'IndexStmt',
  'RenameStmt',
  'CreateTrigStmt',
  'TruncateStmt',
  'ClusterStmt',
]);
const CHANGES_DATA: ReadonlySet<string> = new Set(['UpdateStmt', 'DeleteStmt', 'MergeStmt']);

/** Whether a statement may change many rows: an INSERT only where it reads a table. */
export function changesManyRows(kind: string, node: TreeNode): boolean {
  return CHANGES_DATA.has(kind) || (kind === 'InsertStmt' && readsTable(node));
}

function readsTable(node: TreeNode): boolean {
  const select = child(child(node, 'selectStmt'), 'SelectStmt') ?? {};
  return descendants({ from: select['fromClause'] ?? [] }).some(([kind]) => kind === 'RangeVar');
}

/** The table of a partition or child is known only in part: its parent has the columns. */
function tableFacts(node: TreeNode): TableFacts {
  const facts = new TableFacts();
  if (parentsOf(node).length === 0 && membersOf(node, 'tableElts', 'TableLikeClause').length === 0)
    facts.addElements(node);
  return facts;
}

function keyOf({ schema, name }: RelationName): string {
  return schema === undefined || schema === 'public' ? name : JSON.stringify([schema, name]);
}

function noNames(): Record<Space, Names> {
  return { relation: new Names(), type: new Names(), function: new Names(), schema: new Names() };
}

function noFacts(): ScriptFacts {
  return { notValid: new Set(), locks: false, changesData: false };
}
