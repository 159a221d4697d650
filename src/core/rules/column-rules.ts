/** Rules about adding columns and changing their types. */
import { child, descendants, functionCalls, relationName, textOf, type TreeNode } from '../sql/syntax-tree.ts';
import type { Rule } from './rule.ts';
import {
  addedColumn,
  columnOf,
  constraintsOf,
  isCommand,
  isConstraint,
  isSerial,
  plainColumn,
  typeOf,
} from './tree.ts';
import { isFreeTypeChange } from './type-changes.ts';

const REWRITES = 'rewrites the table while nobody can use it (ACCESS EXCLUSIVE)';

export const COLUMN_RULES: readonly Rule[] = [
  {
    id: 'add-required-column',
    family: 'columns',
    level: 'warning',
    direction: 'both',
    blocks: 'fails if the table has rows',
    instead: 'give the new column a DEFAULT, or add it nullable, fill it, then SET NOT NULL',
    bad: 'ALTER TABLE orders ADD COLUMN currency text NOT NULL;',
    good: ["ALTER TABLE orders ADD COLUMN currency text NOT NULL DEFAULT 'EUR';"],
    matches: addsColumn(
      (column) =>
        !isFilled(column) && constraintsOf(column).some((one) => isConstraint(one, 'CONSTR_NOTNULL', 'CONSTR_PRIMARY')),
    ),
  },
  {
    id: 'add-column-volatile-default',
    family: 'columns',
    level: 'warning',
    direction: 'both',
    blocks: `a default that differs from row to row ${REWRITES}`,
    instead: 'add the column without it, then SET DEFAULT for new rows, and fill the old rows in batches',
    bad: 'ALTER TABLE orders ADD COLUMN token uuid DEFAULT gen_random_uuid();',
    good: [
      'ALTER TABLE orders ADD COLUMN token uuid;\nALTER TABLE orders ALTER COLUMN token SET DEFAULT gen_random_uuid();',
      'ALTER TABLE orders ADD COLUMN seen_at timestamptz DEFAULT now();',
    ],
    matches: addsColumn((column) =>
      constraintsOf(column).some((one) => isConstraint(one, 'CONSTR_DEFAULT') && isVolatile(one)),
    ),
  },
  {
    id: 'add-column-serial',
    family: 'columns',
    level: 'warning',
    direction: 'both',
    blocks: `numbers every row, so it ${REWRITES}`,
    instead: 'add a plain bigint column, set nextval as DEFAULT, and fill the old rows in batches',
    bad: 'ALTER TABLE orders ADD COLUMN number bigserial;',
    good: [
      [
        'CREATE SEQUENCE orders_number;',
        'ALTER TABLE orders ADD COLUMN number bigint;',
        "ALTER TABLE orders ALTER COLUMN number SET DEFAULT nextval('orders_number');",
      ].join('\n'),
    ],
    matches: addsColumn(isSerial),
  },
  {
    id: 'add-column-identity',
    family: 'columns',
    level: 'warning',
    direction: 'both',
    blocks: `numbers every row, so it ${REWRITES}`,
    instead: 'add a plain bigint column, fill it in batches, then ADD GENERATED … AS IDENTITY once it is NOT NULL',
    bad: 'ALTER TABLE orders ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;',
    good: ['ALTER TABLE orders ADD COLUMN number bigint;'],
    matches: addsColumn((column) => constraintsOf(column).some((one) => isConstraint(one, 'CONSTR_IDENTITY'))),
  },
  {
    id: 'add-column-generated-stored',
    family: 'columns',
    level: 'warning',
    direction: 'both',
    blocks: `computes the value of every row, so it ${REWRITES}`,
    instead: 'add a plain column that a trigger keeps, and fill the old rows in batches, or compute it in a view',
    versions: 'PostgreSQL 18 has VIRTUAL generated columns, which rewrite nothing.',
    bad: 'ALTER TABLE orders ADD COLUMN gross numeric GENERATED ALWAYS AS (total * 1.2) STORED;',
    good: ['ALTER TABLE orders ADD COLUMN gross numeric;'],
    matches: addsColumn((column) =>
      constraintsOf(column).some(
        (one) => isConstraint(one, 'CONSTR_GENERATED') && textOf(one, 'generated_kind') !== 'v',
      ),
    ),
  },
  {
    id: 'add-column-check',
    family: 'columns',
    level: 'warning',
    direction: 'both',
    blocks: 'checks all rows while nobody can use the table (ACCESS EXCLUSIVE)',
    instead: 'add the column alone, then ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT in the next migration',
    bad: 'ALTER TABLE orders ADD COLUMN rating int CHECK (rating > 0);',
    good: [
      [
        'ALTER TABLE orders ADD COLUMN rating int;',
        'ALTER TABLE orders ADD CONSTRAINT orders_rating CHECK (rating > 0) NOT VALID;',
      ].join('\n'),
      'ALTER TABLE orders VALIDATE CONSTRAINT orders_rating;',
    ],
    matches: addsColumn((column) => constraintsOf(column).some((one) => isConstraint(one, 'CONSTR_CHECK'))),
  },
  {
    id: 'add-column-unique',
    family: 'columns',
    level: 'warning',
    direction: 'both',
    blocks: 'builds an index while nobody can use the table (ACCESS EXCLUSIVE)',
    instead: 'add the column alone, then CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … USING INDEX',
    bad: 'ALTER TABLE orders ADD COLUMN reference text UNIQUE;',
    good: [
      'ALTER TABLE orders ADD COLUMN reference text;',
      'CREATE UNIQUE INDEX CONCURRENTLY orders_reference ON orders (reference);',
      'ALTER TABLE orders ADD CONSTRAINT orders_reference UNIQUE USING INDEX orders_reference;',
    ],
    matches: addsColumn((column) =>
      constraintsOf(column).some((one) => isConstraint(one, 'CONSTR_UNIQUE', 'CONSTR_PRIMARY')),
    ),
  },
  {
    id: 'add-column-foreign-key',
    family: 'columns',
    level: 'warning',
    direction: 'both',
    blocks: 'the default is looked up for all rows while nobody can use the table (ACCESS EXCLUSIVE)',
    instead: 'add the column alone, then the foreign key NOT VALID, and VALIDATE CONSTRAINT in the next migration',
    bad: 'ALTER TABLE orders ADD COLUMN seller_id bigint DEFAULT 1 REFERENCES customers;',
    before: "INSERT INTO customers (email) VALUES ('shop');",
    good: [
      'ALTER TABLE orders ADD COLUMN seller_id bigint DEFAULT 1;',
      'CREATE INDEX CONCURRENTLY orders_seller ON orders (seller_id);',
      'ALTER TABLE orders ADD CONSTRAINT orders_seller FOREIGN KEY (seller_id) REFERENCES customers NOT VALID;',
      'ALTER TABLE orders VALIDATE CONSTRAINT orders_seller;',
    ],
    // Without a default the new column is NULL, and PostgreSQL checks nothing.
    matches: addsColumn(
      (column) => isFilled(column) && constraintsOf(column).some((one) => isConstraint(one, 'CONSTR_FOREIGN')),
    ),
  },
  {
    id: 'change-column-type',
    family: 'columns',
    level: 'warning',
    direction: 'both',
    blocks: 'most type changes rewrite the table while nobody can use it (ACCESS EXCLUSIVE)',
    instead: 'add a new column, fill it, then switch to it',
    bad: 'ALTER TABLE orders ALTER COLUMN customer_id TYPE numeric;',
    good: ['ALTER TABLE customers ALTER COLUMN name TYPE text;'],
    matches: ({ commands, node, directory }) =>
      textOf(node, 'objtype') !== 'OBJECT_TYPE' &&
      commands.some((command) => {
        if (!isCommand(command, 'AT_AlterColumnType')) return false;
        const definition = columnOf(command);
        const column = textOf(command, 'name') ?? '';
        const known = directory.table(relationName(child(node, 'relation')))?.column(column);
        return (
          !isOnlyCast(child(definition, 'raw_default'), column) ||
          !isFreeTypeChange(known?.type, typeOf(child(definition, 'typeName')))
        );
      }),
  },
];

function addsColumn(matches: (column: TreeNode) => boolean): Rule['matches'] {
  return ({ commands }) =>
    commands.some((command) => {
      const column = addedColumn(command);
      return column !== undefined && matches(column);
    });
}

function isFilled(column: TreeNode): boolean {
  return (
    isSerial(column) ||
    constraintsOf(column).some((one) => isConstraint(one, 'CONSTR_DEFAULT', 'CONSTR_IDENTITY', 'CONSTR_GENERATED'))
  );
}

/** Volatile in pg_proc (PostgreSQL 18) or in a common extension; of other functions nothing is known. */
const VOLATILE =
  /^(?:random|random_normal|gen_random_uuid|gen_random_bytes|uuidv4|uuidv7|uuid_generate_v\d\w*|clock_timestamp|timeofday|nextval|setval)$/;

function isVolatile(constraint: TreeNode): boolean {
  // The expression's own node is wrapped, so that it is among its descendants.
  const expression = { raw_expr: child(constraint, 'raw_expr') ?? {} };
  return descendants(expression).length > 0 && functionCalls(expression).some(({ name }) => VOLATILE.test(name));
}

/** No USING, or one that casts the column and nothing else. */
function isOnlyCast(using: TreeNode | undefined, column: string): boolean {
  return using === undefined || plainColumn(child(child(using, 'TypeCast'), 'arg')) === column;
}
