/** Rules about changing many rows. */
import { changesManyRows } from './directory.ts';
import type { Rule } from './rule.ts';

export const DATA_RULES: readonly Rule[] = [
  {
    id: 'data-with-schema-change',
    family: 'data',
    level: 'warning',
    direction: 'both',
    blocks: 'the lock of the schema change before it stays until COMMIT, so others wait until all rows are changed',
    instead: 'change the rows in a file of their own',
    bad: "ALTER TABLE orders ADD COLUMN currency text;\nUPDATE orders SET currency = 'EUR' WHERE currency IS NULL;",
    good: [
      'ALTER TABLE orders ADD COLUMN currency text;',
      "UPDATE orders SET currency = 'EUR' WHERE currency IS NULL;",
    ],
    matches: ({ mode, kind, node, directory: { script } }) =>
      mode === 'transaction' && script.locks && !script.changesData && changesManyRows(kind, node),
  },
  {
    id: 'update-all-rows',
    family: 'data',
    level: 'warning',
    direction: 'both',
    blocks: 'writes every row again in one transaction: writers of these rows wait, and the table can double in size',
    instead: 'update in batches, with a WHERE that finds the rows that are left',
    bad: "UPDATE orders SET state = 'open';",
    good: ["UPDATE orders SET state = 'open' WHERE state IS NULL;"],
    matches: ({ kind, node, existing }) => kind === 'UpdateStmt' && existing && node['whereClause'] === undefined,
  },
  {
    id: 'delete-all-rows',
    family: 'data',
    level: 'warning',
    direction: 'up',
    blocks: 'removes every row',
    instead: 'say with a WHERE which rows',
    bad: 'DELETE FROM orders;',
    good: ["DELETE FROM orders WHERE placed_at < '2019-01-01';"],
    matches: ({ kind, node, existing }) => kind === 'DeleteStmt' && existing && node['whereClause'] === undefined,
  },
];
