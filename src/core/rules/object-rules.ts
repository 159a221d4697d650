/** Rules about what is attached to busy tables: triggers, policies, rules. */
import { changesManyRows } from './directory.ts';
import type { Rule, View } from './rule.ts';
import { isCommand } from './tree.ts';

export const OBJECT_RULES: readonly Rule[] = [
  {
    id: 'create-trigger',
    family: 'objects',
    level: 'note',
    direction: 'both',
    blocks: 'waits for every transaction that writes to the table, and blocks writers meanwhile (SHARE ROW EXCLUSIVE)',
    instead: 'a file without statements that take long, which keeps that lock for a moment only',
    bad: [
      'CREATE TRIGGER touch_orders BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();',
      "UPDATE orders SET state = 'open' WHERE total > 100;",
    ].join('\n'),
    good: ['CREATE TRIGGER touch_orders BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();'],
    matches: (view) => view.kind === 'CreateTrigStmt' && view.existing && worksLong(view),
  },
  {
    id: 'row-security',
    family: 'objects',
    level: 'warning',
    direction: 'up',
    blocks: 'without a policy for them, all roles but the owner see no rows from now on',
    instead: 'CREATE POLICY for each role in the same file, before ENABLE ROW LEVEL SECURITY',
    bad: 'ALTER TABLE orders ENABLE ROW LEVEL SECURITY;',
    good: ['CREATE POLICY everything ON orders USING (true);\nALTER TABLE orders ENABLE ROW LEVEL SECURITY;'],
    matches: ({ commands, statements }) =>
      commands.some((command) => isCommand(command, 'AT_EnableRowSecurity')) &&
      !statements.some(({ kind }) => kind === 'CreatePolicyStmt'),
  },
  {
    id: 'create-policy',
    family: 'objects',
    level: 'note',
    direction: 'both',
    blocks:
      'waits for every transaction that uses the table, and blocks readers and writers meanwhile (ACCESS EXCLUSIVE)',
    instead: 'a file without statements that take long, which keeps that lock for a moment only',
    bad: [
      'CREATE POLICY everything ON orders USING (true);',
      "UPDATE orders SET state = 'open' WHERE total > 100;",
    ].join('\n'),
    good: ['CREATE POLICY everything ON orders USING (true);'],
    matches: (view) => view.kind === 'CreatePolicyStmt' && view.existing && worksLong(view),
  },
];

const TAKES_LONG: ReadonlySet<string> = new Set([
  'IndexStmt',
  'CreateTableAsStmt',
  'RefreshMatViewStmt',
  'ClusterStmt',
]);

/** Whether a later statement of the transaction may take long, while the lock is kept. */
function worksLong({ mode, position, statements }: View): boolean {
  return (
    mode === 'transaction' &&
    statements.slice(position + 1).some(({ kind, node }) => TAKES_LONG.has(kind) || changesManyRows(kind, node))
  );
}
