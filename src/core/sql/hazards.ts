/** Hazards: statements that are allowed but often regretted; `validate` reports them. */
import type { Direction } from '../migration.ts';
import type { Statement } from './statements.ts';
import type { RelationName } from './script-plan.ts';
import {
  child,
  constantText,
  descendants,
  droppedNames,
  membersOf,
  nameParts,
  option,
  relationName,
  textOf,
  type TreeNode,
} from './syntax-tree.ts';
import { commandsOf } from './transaction-rules.ts';

export interface HazardContext {
  readonly statements: readonly Statement[];
  readonly mode: 'transaction' | 'statements';
  readonly direction: Direction;
}

interface Hazard {
  readonly statement: Statement;
  readonly message: string;
}

/** A statement and its script. Tables that the script itself has created are no hazard: nobody uses them yet. */
interface View extends HazardContext {
  readonly statement: Statement;
  readonly kind: string;
  readonly node: TreeNode;
  /** How many statements of the script have an effect beyond the session. */
  readonly effects: number;
  /** Whether the statement names a table that existed before the script. */
  readonly existing: boolean;
  /** The commands of an ALTER TABLE on such a table. */
  readonly commands: readonly TreeNode[];
}

interface HazardRule {
  readonly matches: (view: View) => boolean;
  readonly message: string;
}

const RULES: readonly HazardRule[] = [
  {
    matches: ({ kind, node }) => kind === 'IndexStmt' && node['concurrent'] === true && node['if_not_exists'] === true,
    message: 'IF NOT EXISTS accepts an INVALID index that a failed build left behind: remove it',
  },
  {
    matches: ({ mode, statement, effects }) => mode === 'statements' && statement.waitsForSnapshots && effects > 1,
    message:
      'the file runs statement by statement, so it can stop half-way: give each concurrent statement a file of its own',
  },
  {
    matches: ({ mode, statement: { sessionOnly, kind } }) => mode === 'statements' && sessionOnly && MAKES.has(kind),
    message: 'when this file is resumed, its temporary tables are filled again, from the other tables as they are then',
  },
  {
    matches: ({ kind, node, existing }) =>
      kind === 'IndexStmt' && node['concurrent'] !== true && existing && !isOnly(node),
    message: 'blocks writes to the table while the index is built: CREATE INDEX CONCURRENTLY, in a file of its own',
  },
  {
    matches: ({ commands }) =>
      commands.some((command) => is(command, 'AT_AddColumn') && isRequiredWithoutDefault(command)),
    message:
      'fails if the table has rows: give the new column a DEFAULT, or add it nullable, fill it, then SET NOT NULL',
  },
  {
    matches: ({ commands }) => commands.some((command) => is(command, 'AT_AlterColumnType')),
    message:
      'most type changes rewrite the table while nobody can use it: add a new column, fill it, then switch to it',
  },
  {
    matches: ({ commands }) => commands.some((command) => is(command, 'AT_SetNotNull')),
    message:
      'reads the whole table while nobody can use it, unless a valid CHECK (… IS NOT NULL) exists: add that CHECK as NOT VALID and validate it first',
  },
  {
    matches: ({ commands }) =>
      commands.some((command) => constraint(command, 'CONSTR_FOREIGN', 'CONSTR_CHECK')?.['skip_validation'] === false),
    message:
      'checks all rows while writers wait: add the constraint NOT VALID, and VALIDATE CONSTRAINT in the next migration',
  },
  {
    matches: ({ commands }) => commands.some(buildsIndex),
    message:
      'builds an index while nobody can use the table: CREATE UNIQUE INDEX CONCURRENTLY first, then ADD CONSTRAINT … USING INDEX',
  },
  {
    matches: ({ kind, node, direction, existing }) =>
      direction === 'up' && kind === 'DropStmt' && textOf(node, 'removeType') === 'OBJECT_TABLE' && existing,
    message: 'replicas of the old version still use the table: drop it in a later release',
  },
  {
    matches: ({ commands, direction }) =>
      direction === 'up' && commands.some((command) => is(command, 'AT_DropColumn')),
    message: 'replicas of the old version still use the column: drop it in a later release',
  },
  {
    matches: ({ kind, node, direction, existing }) =>
      direction === 'up' && kind === 'RenameStmt' && existing && RENAMED.has(textOf(node, 'renameType') ?? ''),
    message:
      'replicas of the old version still use the old name: add the new one beside it, and drop the old one later',
  },
  {
    matches: usesNewEnumValue,
    message:
      "a new enum value can't be used in the transaction that adds it (55P04), and this file uses it: split the file",
  },
  {
    matches: ({ kind, node, existing }) =>
      kind === 'ClusterStmt' ? existing : kind === 'VacuumStmt' && option(node, 'options', 'full') === 'on',
    message: 'rewrites the table while nobody can use it',
  },
];

const RENAMED: ReadonlySet<string> = new Set(['OBJECT_TABLE', 'OBJECT_COLUMN', 'OBJECT_VIEW', 'OBJECT_MATVIEW']);
const MAKES: ReadonlySet<string> = new Set(['CreateStmt', 'CreateTableAsStmt', 'SelectStmt']);

/** In the order of the script. */
export function findHazards(context: HazardContext): readonly Hazard[] {
  const made = new Relations();
  const effects = context.statements.filter(({ sessionOnly, control }) => !sessionOnly && control === undefined).length;
  return context.statements.flatMap((statement) => {
    const { kind, node } = statement;
    const existing = tablesOf(kind, node).some((table) => !made.has(table));
    const commands = kind === 'AlterTableStmt' && existing ? commandsOf(node) : [];
    const view = { ...context, statement, kind, node, effects, existing, commands };
    for (const table of tablesMade(kind, node)) made.add(table);
    return RULES.filter((rule) => rule.matches(view)).map(({ message }) => ({ statement, message }));
  });
}

function tablesMade(kind: string, node: TreeNode): readonly RelationName[] {
  const range =
    kind === 'CreateStmt'
      ? child(node, 'relation')
      : child(child(node, kind === 'SelectStmt' ? 'intoClause' : 'into'), 'rel');
  return [relationName(range) ?? []].flat();
}

/** The tables that a statement names; a statement that names none concerns every table. */
function tablesOf(kind: string, node: TreeNode): readonly RelationName[] {
  if (kind === 'DropStmt') return droppedNames(node);
  return [relationName(child(node, 'relation')) ?? { name: '' }];
}

/** A name without a schema matches every schema. */
class Relations {
  readonly #schemasOf = new Map<string, Set<string | undefined>>();

  add({ name, schema }: RelationName): void {
    const schemas = this.#schemasOf.get(name) ?? new Set();
    this.#schemasOf.set(name, schemas.add(schema));
  }

  has({ name, schema }: RelationName): boolean {
    const schemas = this.#schemasOf.get(name);
    return schemas !== undefined && (schema === undefined || schemas.has(undefined) || schemas.has(schema));
  }
}

/** ON ONLY a partitioned table: nothing is built. */
function isOnly(node: TreeNode): boolean {
  return child(node, 'relation')?.['inh'] !== true;
}

function is(command: TreeNode, subtype: string): boolean {
  return textOf(command, 'subtype') === subtype;
}

const FILLED: ReadonlySet<string> = new Set(['CONSTR_DEFAULT', 'CONSTR_IDENTITY', 'CONSTR_GENERATED']);

function isRequiredWithoutDefault(command: TreeNode): boolean {
  const column = child(child(command, 'def'), 'ColumnDef');
  const constraints = membersOf(column, 'constraints', 'Constraint').map((one) => textOf(one, 'contype') ?? '');
  const required = constraints.some((type) => type === 'CONSTR_NOTNULL' || type === 'CONSTR_PRIMARY');
  const isSerial = nameParts(child(column, 'typeName'), 'names').some((name) =>
    /^(small|big)?serial[248]?$/.test(name),
  );
  return required && !isSerial && !constraints.some((type) => FILLED.has(type));
}

/** The constraint that a command adds, if it is of one of these types. */
function constraint(command: TreeNode, ...types: readonly string[]): TreeNode | undefined {
  const added = is(command, 'AT_AddConstraint') ? child(child(command, 'def'), 'Constraint') : undefined;
  if (!added || !types.includes(textOf(added, 'contype') ?? '')) return undefined;
  return { ...added, skip_validation: added['skip_validation'] === true };
}

function buildsIndex(command: TreeNode): boolean {
  const added = constraint(command, 'CONSTR_UNIQUE', 'CONSTR_PRIMARY', 'CONSTR_EXCLUSION');
  return added !== undefined && added['indexname'] === undefined;
}

/** The values of a type that the script itself has created may be used at once. */
function usesNewEnumValue({ kind, node, mode, statement, statements }: View): boolean {
  const value = textOf(node, 'newVal');
  if (kind !== 'AlterEnumStmt' || value === undefined || node['oldVal'] !== undefined || mode === 'statements')
    return false;
  const position = statements.indexOf(statement);
  const type = nameParts(node, 'typeName').at(-1);
  const isNew = statements
    .slice(0, position)
    .some((one) => one.kind === 'CreateEnumStmt' && nameParts(one.node, 'typeName').at(-1) === type);
  const isUsed = (one: Statement): boolean => {
    for (const [found, constant] of descendants(one.node)) {
      if (found === 'A_Const' && constantText({ A_Const: constant }) === value) return true;
    }
    return false;
  };
  return !isNew && statements.slice(position + 1).some(isUsed);
}
