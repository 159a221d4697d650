/** Rules about adding constraints to tables that are in use. */
import { child, nameParts, relationName, textOf, type TreeNode } from '../sql/syntax-tree.ts';
import type { Rule, View } from './rule.ts';
import { addedConstraint, isCommand, isConstraint, isNotValid } from './tree.ts';

const SCANS = 'checks all rows while nobody can use the table (ACCESS EXCLUSIVE)';

export const CONSTRAINT_RULES: readonly Rule[] = [
  {
    id: 'foreign-key-validated-at-once',
    family: 'constraints',
    level: 'warning',
    direction: 'both',
    blocks: 'checks all rows while writers of both tables wait (SHARE ROW EXCLUSIVE)',
    instead: 'add the constraint NOT VALID, and VALIDATE CONSTRAINT in the next migration',
    bad: 'ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers;',
    good: [
      'CREATE INDEX CONCURRENTLY orders_customer ON orders (customer_id);',
      'ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers NOT VALID;',
      'ALTER TABLE orders VALIDATE CONSTRAINT orders_customer;',
    ],
    matches: adds((constraint) => isValidated(constraint) && isConstraint(constraint, 'CONSTR_FOREIGN')),
  },
  {
    id: 'check-validated-at-once',
    family: 'constraints',
    level: 'warning',
    direction: 'both',
    blocks: SCANS,
    instead: 'add the constraint NOT VALID, and VALIDATE CONSTRAINT in the next migration',
    bad: 'ALTER TABLE orders ADD CONSTRAINT orders_total CHECK (total >= 0);',
    good: [
      'ALTER TABLE orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;',
      'ALTER TABLE orders VALIDATE CONSTRAINT orders_total;',
    ],
    matches: adds((constraint) => isValidated(constraint) && isConstraint(constraint, 'CONSTR_CHECK')),
  },
  {
    id: 'not-null-constraint-validated-at-once',
    family: 'constraints',
    level: 'warning',
    direction: 'both',
    blocks: SCANS,
    instead: 'add the constraint NOT VALID, and VALIDATE CONSTRAINT in the next migration',
    versions: 'PostgreSQL 18 and later have this constraint; before, write a CHECK (… IS NOT NULL).',
    bad: 'ALTER TABLE orders ADD CONSTRAINT orders_state NOT NULL state;',
    good: [
      'ALTER TABLE orders ADD CONSTRAINT orders_state NOT NULL state NOT VALID;',
      'ALTER TABLE orders VALIDATE CONSTRAINT orders_state;',
    ],
    matches: (view) =>
      added(view).some(
        (one) =>
          isConstraint(one, 'CONSTR_NOTNULL') &&
          !isNotValid(one) &&
          !nameParts(one, 'keys').every((column) => isNeverNull(view, column)),
      ),
  },
  {
    id: 'set-not-null',
    family: 'constraints',
    level: 'warning',
    direction: 'both',
    blocks:
      'reads the whole table while nobody can use it (ACCESS EXCLUSIVE), unless a valid CHECK (… IS NOT NULL) exists',
    instead: 'add that CHECK as NOT VALID and validate it in the next migration first',
    versions: 'PostgreSQL 18 also has ADD CONSTRAINT … NOT NULL column NOT VALID.',
    bad: 'ALTER TABLE orders ALTER COLUMN state SET NOT NULL;',
    good: [
      'ALTER TABLE orders ADD CONSTRAINT orders_state CHECK (state IS NOT NULL) NOT VALID;',
      'ALTER TABLE orders VALIDATE CONSTRAINT orders_state;',
      'ALTER TABLE orders ALTER COLUMN state SET NOT NULL;',
    ],
    matches: (view) =>
      view.commands.some(
        (command) => isCommand(command, 'AT_SetNotNull') && !isNeverNull(view, textOf(command, 'name') ?? ''),
      ),
  },
  {
    id: 'constraint-builds-index',
    family: 'constraints',
    level: 'warning',
    direction: 'both',
    blocks: 'builds an index while nobody can use the table (ACCESS EXCLUSIVE)',
    instead: 'CREATE UNIQUE INDEX CONCURRENTLY first, then ADD CONSTRAINT … USING INDEX',
    bad: 'ALTER TABLE customers ADD CONSTRAINT customers_email UNIQUE (email);',
    good: [
      'CREATE UNIQUE INDEX CONCURRENTLY customers_email ON customers (email);',
      'ALTER TABLE customers ADD CONSTRAINT customers_email UNIQUE USING INDEX customers_email;',
    ],
    matches: adds(
      (constraint) =>
        isConstraint(constraint, 'CONSTR_UNIQUE', 'CONSTR_PRIMARY') && constraint['indexname'] === undefined,
    ),
  },
  {
    id: 'exclusion-builds-index',
    family: 'constraints',
    level: 'warning',
    direction: 'both',
    blocks: 'builds an index while nobody can use the table (ACCESS EXCLUSIVE), and there is no concurrent way',
    instead: 'add the constraint while the table is small, or to a new table that is filled afterwards',
    bad: "ALTER TABLE orders ADD CONSTRAINT one_at_a_time EXCLUDE USING gist (tstzrange(placed_at, placed_at, '[]') WITH &&);",
    good: ['CREATE TABLE bookings (during tstzrange, CONSTRAINT one_at_a_time EXCLUDE USING gist (during WITH &&));'],
    matches: adds((constraint) => isConstraint(constraint, 'CONSTR_EXCLUSION')),
  },
  {
    id: 'primary-key-over-nullable-columns',
    family: 'constraints',
    level: 'warning',
    direction: 'both',
    blocks: 'makes the columns NOT NULL, so it reads the whole table while nobody can use it (ACCESS EXCLUSIVE)',
    instead: 'make the columns NOT NULL first, behind a valid CHECK (… IS NOT NULL)',
    before: [
      'CREATE TABLE links (a bigint, b bigint NOT NULL);',
      'CREATE UNIQUE INDEX links_a ON links (a);',
      'CREATE UNIQUE INDEX links_b ON links (b);',
    ].join('\n'),
    bad: 'ALTER TABLE links ADD CONSTRAINT links_pkey PRIMARY KEY USING INDEX links_a;',
    good: ['ALTER TABLE links ADD CONSTRAINT links_pkey PRIMARY KEY USING INDEX links_b;'],
    matches: (view) => added(view).some((one) => isConstraint(one, 'CONSTR_PRIMARY') && coversNullable(view, one)),
  },
  {
    id: 'validate-in-same-transaction',
    family: 'constraints',
    level: 'warning',
    direction: 'both',
    blocks: 'the lock that ADD CONSTRAINT took stays until COMMIT, so all rows are checked while others wait',
    instead: 'VALIDATE CONSTRAINT in the next migration',
    bad: [
      'ALTER TABLE orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;',
      'ALTER TABLE orders VALIDATE CONSTRAINT orders_total;',
    ].join('\n'),
    good: [
      'ALTER TABLE orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;',
      'ALTER TABLE orders VALIDATE CONSTRAINT orders_total;',
    ],
    matches: ({ mode, commands, directory }) =>
      mode === 'transaction' &&
      commands.some(
        (command) =>
          isCommand(command, 'AT_ValidateConstraint') && directory.script.notValid.has(textOf(command, 'name') ?? ''),
      ),
  },
  {
    id: 'foreign-key-without-index',
    family: 'constraints',
    level: 'note',
    direction: 'up',
    blocks: 'no index begins with the columns of the foreign key, so each delete in the other table reads this one',
    instead: 'CREATE INDEX CONCURRENTLY on these columns first, in a file of its own',
    bad: 'ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers NOT VALID;',
    good: [
      'CREATE INDEX CONCURRENTLY orders_customer ON orders (customer_id);',
      'ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers NOT VALID;',
    ],
    matches: (view) => added(view).some((one) => isConstraint(one, 'CONSTR_FOREIGN') && lacksIndex(view, one)),
  },
];

function adds(matches: (constraint: TreeNode) => boolean): Rule['matches'] {
  return (view) => added(view).some(matches);
}

function added({ commands }: View): readonly TreeNode[] {
  return commands.flatMap<TreeNode>((command) => addedConstraint(command) ?? []);
}

/** NOT ENFORCED (PostgreSQL 18) checks nothing, like NOT VALID. */
function isValidated(constraint: TreeNode): boolean {
  return !isNotValid(constraint) && constraint['is_enforced'] === true;
}

/** PostgreSQL skips the scan where the column is NOT NULL already or a valid CHECK proves it. */
function isNeverNull({ node, directory }: View, column: string): boolean {
  const table = directory.table(relationName(child(node, 'relation')));
  return table?.isCheckedNotNull(column) === true || table?.column(column)?.notNull === true;
}

/** Only where the files say so: of other columns nothing is known. */
function coversNullable(view: View, constraint: TreeNode): boolean {
  const index = view.directory.index(textOf(constraint, 'indexname') ?? '');
  const table = view.directory.table(index?.table);
  return index?.columns.some((column) => table?.column(column) && !isNeverNull(view, column)) === true;
}

/** Only of a table that the files have made: of another one the indexes are unknown. */
function lacksIndex({ node, directory }: View, constraint: TreeNode): boolean {
  const table = directory.table(relationName(child(node, 'relation')));
  const columns = nameParts(constraint, 'fk_attrs');
  if (!table || !columns.every((column) => table.column(column))) return false;
  return !table.indexes.some((index) => {
    const first = index.slice(0, columns.length);
    return columns.every((column) => first.includes(column));
  });
}
