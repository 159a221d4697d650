/** Rules about new names for what an older release still uses under the old one. */
import { textOf } from '../sql/syntax-tree.ts';
import { isMadeAgain } from './made-again.ts';
import type { Rule } from './rule.ts';

const BESIDE = 'add the new one beside it, and drop the old one later';

type Rename = Pick<Rule, 'bad' | 'good' | 'before'> & {
  readonly what: string;
  readonly types: readonly string[];
  readonly instead?: string;
};

function rename({ what, types, instead = BESIDE, ...examples }: Rename): Rule {
  return {
    id: `rename-${what}`,
    family: 'renames',
    level: 'warning',
    direction: 'up',
    blocks: `replicas of the old version still use the old name of the ${what}`,
    instead,
    ...examples,
    matches: (view) =>
      view.kind === 'RenameStmt' &&
      view.existing &&
      types.includes(textOf(view.node, 'renameType') ?? '') &&
      !isMadeAgain(view),
  };
}

export const RENAME_RULES: readonly Rule[] = [
  rename({
    what: 'table',
    types: ['OBJECT_TABLE', 'OBJECT_FOREIGN_TABLE'],
    instead: 'make a view with the new name, and rename the table when nobody uses the old one',
    bad: 'ALTER TABLE customers RENAME TO clients;',
    good: ['CREATE VIEW clients AS SELECT * FROM customers;'],
  }),
  rename({
    what: 'column',
    types: ['OBJECT_COLUMN', 'OBJECT_ATTRIBUTE'],
    bad: 'ALTER TABLE customers RENAME COLUMN name TO full_name;',
    good: ['ALTER TABLE customers ADD COLUMN full_name text;'],
  }),
  rename({
    what: 'view',
    types: ['OBJECT_VIEW', 'OBJECT_MATVIEW'],
    bad: 'ALTER VIEW open_orders RENAME TO unpaid_orders;',
    good: ['CREATE VIEW unpaid_orders AS SELECT * FROM open_orders;'],
  }),
  rename({
    what: 'sequence',
    types: ['OBJECT_SEQUENCE'],
    bad: 'ALTER SEQUENCE invoice_number RENAME TO bill_number;',
    good: ['CREATE SEQUENCE bill_number;'],
  }),
  rename({
    what: 'function',
    types: ['OBJECT_FUNCTION', 'OBJECT_PROCEDURE', 'OBJECT_ROUTINE', 'OBJECT_AGGREGATE'],
    bad: 'ALTER FUNCTION net(numeric) RENAME TO without_tax;',
    good: ['CREATE FUNCTION without_tax(gross numeric) RETURNS numeric LANGUAGE sql AS $$ SELECT net(gross) $$;'],
  }),
  rename({
    what: 'type',
    types: ['OBJECT_TYPE', 'OBJECT_DOMAIN'],
    bad: 'ALTER TYPE address RENAME TO place;',
    good: ['CREATE TYPE place AS (city text);'],
  }),
  rename({
    what: 'schema',
    types: ['OBJECT_SCHEMA'],
    bad: 'ALTER SCHEMA old_shop RENAME TO archive;',
    good: ['CREATE SCHEMA archive;'],
  }),
  {
    id: 'rename-enum-value',
    family: 'renames',
    level: 'warning',
    direction: 'up',
    blocks: 'replicas of the old version still read and write the old name of the value',
    instead: 'ADD VALUE for the new one, move the rows, and leave the old one',
    bad: "ALTER TYPE order_state RENAME VALUE 'paid' TO 'settled';",
    good: ["ALTER TYPE order_state ADD VALUE 'settled';"],
    matches: ({ kind, node, existing }) => kind === 'AlterEnumStmt' && existing && node['oldVal'] !== undefined,
  },
  {
    id: 'set-schema',
    family: 'renames',
    level: 'warning',
    direction: 'up',
    blocks: 'replicas of the old version still look for it in the old schema',
    instead: 'leave a view with the old name in the old schema, or move it when nobody uses it there',
    bad: 'ALTER TABLE customers SET SCHEMA old_shop;',
    good: ['CREATE VIEW old_shop.customers AS SELECT * FROM customers;'],
    matches: ({ kind, node, existing }) =>
      kind === 'AlterObjectSchemaStmt' && existing && textOf(node, 'objectType') !== 'OBJECT_EXTENSION',
  },
];
