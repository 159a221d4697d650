/** Rules about making, dropping and rebuilding indexes. */
import { child, option, textOf } from '../sql/syntax-tree.ts';
import type { Rule } from './rule.ts';

export const INDEX_RULES: readonly Rule[] = [
  {
    id: 'index-not-concurrent',
    family: 'indexes',
    level: 'warning',
    direction: 'both',
    blocks: 'blocks writes to the table while the index is built',
    instead: 'CREATE INDEX CONCURRENTLY, in a file of its own',
    bad: 'CREATE INDEX orders_customer ON orders (customer_id);',
    good: ['CREATE INDEX CONCURRENTLY orders_customer ON orders (customer_id);'],
    // ON ONLY a partitioned table builds nothing.
    matches: ({ kind, node, existing }) =>
      kind === 'IndexStmt' && node['concurrent'] !== true && existing && child(node, 'relation')?.['inh'] === true,
  },
  {
    id: 'index-if-not-exists',
    family: 'indexes',
    level: 'warning',
    direction: 'both',
    blocks: 'IF NOT EXISTS accepts an INVALID index that a failed build left behind',
    instead: 'remove it',
    bad: 'CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_customer ON orders (customer_id);',
    good: ['CREATE INDEX CONCURRENTLY orders_customer ON orders (customer_id);'],
    matches: ({ kind, node }) => kind === 'IndexStmt' && node['concurrent'] === true && node['if_not_exists'] === true,
  },
  {
    id: 'drop-index-not-concurrent',
    family: 'indexes',
    level: 'warning',
    direction: 'up',
    blocks: 'blocks readers and writers of the table (ACCESS EXCLUSIVE) and waits for its long queries',
    instead: 'DROP INDEX CONCURRENTLY, in a file of its own',
    bad: 'DROP INDEX orders_placed_at;',
    good: ['DROP INDEX CONCURRENTLY orders_placed_at;'],
    matches: ({ kind, node, existing }) =>
      kind === 'DropStmt' && textOf(node, 'removeType') === 'OBJECT_INDEX' && node['concurrent'] !== true && existing,
  },
  {
    id: 'reindex-not-concurrent',
    family: 'indexes',
    level: 'warning',
    direction: 'both',
    blocks: 'blocks writes to the table, and reads that could use the index, while it is rebuilt',
    instead: 'REINDEX … CONCURRENTLY, in a file of its own',
    bad: 'REINDEX TABLE orders;',
    good: ['REINDEX TABLE CONCURRENTLY orders;'],
    // System catalogs can't be rebuilt concurrently.
    matches: ({ kind, node, existing }) =>
      kind === 'ReindexStmt' &&
      existing &&
      textOf(node, 'kind') !== 'REINDEX_OBJECT_SYSTEM' &&
      option(node, 'params', 'concurrently') !== 'on',
  },
];
