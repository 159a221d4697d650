/** Rules about attaching and detaching partitions. */
import { child, relationName, textOf, type TreeNode } from '../sql/syntax-tree.ts';
import type { Rule } from './rule.ts';
import { isCommand } from './tree.ts';

export const PARTITION_RULES: readonly Rule[] = [
  {
    id: 'detach-not-concurrent',
    family: 'partitions',
    level: 'warning',
    direction: 'up',
    blocks:
      'blocks readers and writers of the whole partitioned table (ACCESS EXCLUSIVE), and waits for its long queries',
    instead: 'DETACH PARTITION … CONCURRENTLY, in a file of its own',
    bad: 'ALTER TABLE events DETACH PARTITION events_2024;',
    good: ['ALTER TABLE events DETACH PARTITION events_2024 CONCURRENTLY;'],
    matches: ({ commands }) =>
      commands.some(
        (command) => isCommand(command, 'AT_DetachPartition') && partitionOf(command)['concurrent'] !== true,
      ),
  },
  {
    id: 'attach-without-check',
    family: 'partitions',
    level: 'warning',
    direction: 'both',
    blocks: 'reads the whole new partition while nobody can use it (ACCESS EXCLUSIVE)',
    instead: 'first add a CHECK with the bounds of the partition to it, as NOT VALID, and validate it',
    before: 'CREATE TABLE events_2025 (at timestamptz NOT NULL, body text);',
    bad: "ALTER TABLE events ATTACH PARTITION events_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');",
    good: [
      "ALTER TABLE events_2025 ADD CONSTRAINT bounds CHECK (at >= '2025-01-01' AND at < '2026-01-01') NOT VALID;",
      'ALTER TABLE events_2025 VALIDATE CONSTRAINT bounds;',
      "ALTER TABLE events ATTACH PARTITION events_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');",
    ],
    // Whether the CHECK implies the bounds is PostgreSQL's to say: a valid one is taken for it.
    matches: ({ commands, directory, node }) =>
      textOf(node, 'objtype') === 'OBJECT_TABLE' &&
      commands.some((command) => {
        const name = isCommand(command, 'AT_AttachPartition') && relationName(child(partitionOf(command), 'name'));
        return (
          name !== false &&
          name !== undefined &&
          !directory.isFresh({ space: 'relation', ...name }) &&
          directory.table(name)?.hasValidCheck !== true
        );
      }),
  },
];

function partitionOf(command: TreeNode): TreeNode {
  return child(child(command, 'def'), 'PartitionCmd') ?? {};
}
