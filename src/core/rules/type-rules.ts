/** Rules about enums, composite types and domains. */
import { child, constantText, descendants, nameParts, textOf } from '../sql/syntax-tree.ts';
import type { Statement } from '../sql/statements.ts';
import type { Rule, View } from './rule.ts';
import { isCommand, isNotValid } from './tree.ts';

export const TYPE_RULES: readonly Rule[] = [
  {
    id: 'enum-value-used-at-once',
    family: 'types',
    level: 'warning',
    direction: 'both',
    blocks: "a new enum value can't be used in the transaction that adds it (55P04), and this file uses it",
    instead: 'split the file',
    bad: [
      "ALTER TYPE order_state ADD VALUE 'returned';",
      "CREATE VIEW returned_orders AS SELECT id FROM orders WHERE state::order_state = 'returned';",
    ].join('\n'),
    good: [
      "ALTER TYPE order_state ADD VALUE 'returned';",
      "CREATE VIEW returned_orders AS SELECT id FROM orders WHERE state::order_state = 'returned';",
    ],
    matches: usesNewEnumValue,
  },
  {
    id: 'change-type-in-use',
    family: 'types',
    level: 'warning',
    direction: 'both',
    blocks: 'fails if a column has this type, or rewrites each table of it while nobody can use it',
    instead: 'make a new type, and move the columns to it',
    bad: 'ALTER TYPE address ALTER ATTRIBUTE city TYPE varchar(100);',
    good: ['CREATE TYPE address_2 AS (city varchar(100));'],
    matches: ({ commands, node }) =>
      textOf(node, 'objtype') === 'OBJECT_TYPE' &&
      commands.some((command) => isCommand(command, 'AT_AlterColumnType', 'AT_DropColumn')),
  },
  {
    id: 'domain-constraint-validated-at-once',
    family: 'types',
    level: 'warning',
    direction: 'both',
    blocks: 'checks all rows of every table that uses the domain, while their writers wait (SHARE)',
    instead:
      'add it NOT VALID, for new rows, and for the old ones a CHECK to each table, NOT VALID, and VALIDATE CONSTRAINT in the next migration',
    before: 'CREATE DOMAIN score AS int;\nCREATE TABLE scores (points score);',
    bad: 'ALTER DOMAIN score ADD CONSTRAINT score_positive CHECK (VALUE > 0);',
    good: [
      'ALTER DOMAIN score ADD CONSTRAINT score_positive CHECK (VALUE > 0) NOT VALID;',
      'ALTER TABLE scores ADD CONSTRAINT points_positive CHECK (points > 0) NOT VALID;',
      'ALTER TABLE scores VALIDATE CONSTRAINT points_positive;',
    ],
    // ALTER DOMAIN … VALIDATE CONSTRAINT takes the same lock.
    matches: ({ kind, node, existing }) => {
      if (kind !== 'AlterDomainStmt' || !existing) return false;
      const constraint = child(child(node, 'def'), 'Constraint');
      return (
        ['O', 'V'].includes(textOf(node, 'subtype') ?? '') || (constraint !== undefined && !isNotValid(constraint))
      );
    },
  },
];

/** The values of a type that the script itself has created may be used at once. */
function usesNewEnumValue({ kind, node, mode, position, statements }: View): boolean {
  const value = textOf(node, 'newVal');
  if (kind !== 'AlterEnumStmt' || value === undefined || node['oldVal'] !== undefined || mode === 'statements')
    return false;
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
