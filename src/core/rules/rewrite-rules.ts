/** Rules about statements that write a whole table again. */
import { option } from '../sql/syntax-tree.ts';
import type { Rule } from './rule.ts';
import { isCommand } from './tree.ts';

const REWRITES = 'rewrites the table while nobody can use it (ACCESS EXCLUSIVE)';
const IN_A_WINDOW = 'a window without traffic';

export const REWRITE_RULES: readonly Rule[] = [
  {
    id: 'vacuum-full',
    family: 'rewrites',
    level: 'warning',
    direction: 'both',
    blocks: REWRITES,
    instead: 'plain VACUUM, or an extension such as pg_repack',
    bad: 'VACUUM (FULL) orders;',
    good: ['VACUUM orders;'],
    matches: ({ kind, node, existing }) =>
      kind === 'VacuumStmt' && existing && option(node, 'options', 'full') === 'on',
  },
  {
    id: 'cluster',
    family: 'rewrites',
    level: 'warning',
    direction: 'both',
    blocks: REWRITES,
    instead: `an extension such as pg_repack, or ${IN_A_WINDOW}`,
    bad: 'CLUSTER orders USING orders_placed_at;',
    good: ['ALTER TABLE orders CLUSTER ON orders_placed_at;'],
    matches: ({ kind, existing }) => kind === 'ClusterStmt' && existing,
  },
  {
    id: 'set-logged',
    family: 'rewrites',
    level: 'warning',
    direction: 'both',
    blocks: `SET LOGGED or UNLOGGED ${REWRITES}`,
    instead: `CREATE the table as it should be, or ${IN_A_WINDOW}`,
    bad: 'ALTER TABLE orders SET UNLOGGED;',
    good: ['CREATE UNLOGGED TABLE cart (id bigint);'],
    matches: ({ commands }) => commands.some((command) => isCommand(command, 'AT_SetLogged', 'AT_SetUnLogged')),
  },
  {
    id: 'set-tablespace',
    family: 'rewrites',
    level: 'warning',
    direction: 'both',
    blocks: 'copies the table or index while nobody can use it (ACCESS EXCLUSIVE)',
    instead: `for an index REINDEX (CONCURRENTLY, TABLESPACE …), for a table ${IN_A_WINDOW}`,
    bad: 'ALTER TABLE orders SET TABLESPACE fast_disks;',
    good: ['REINDEX (CONCURRENTLY, TABLESPACE fast_disks) INDEX orders_placed_at;'],
    matches: ({ commands, kind }) =>
      commands.some((command) => isCommand(command, 'AT_SetTableSpace')) || kind === 'AlterTableMoveAllStmt',
  },
  {
    id: 'set-access-method',
    family: 'rewrites',
    level: 'warning',
    direction: 'both',
    blocks: REWRITES,
    instead: `make a new table with it and fill that, or ${IN_A_WINDOW}`,
    versions: 'PostgreSQL 15 and later have this statement.',
    bad: 'ALTER TABLE orders SET ACCESS METHOD columnar;',
    good: ['CREATE TABLE orders_new (LIKE orders) USING columnar;'],
    matches: ({ commands }) => commands.some((command) => isCommand(command, 'AT_SetAccessMethod')),
  },
  {
    id: 'set-expression',
    family: 'rewrites',
    level: 'warning',
    direction: 'both',
    blocks: `a new expression for a stored generated column ${REWRITES}`,
    instead: 'add a new column, fill it, then switch to it',
    versions: 'PostgreSQL 17 and later have this statement; for a VIRTUAL column (18) it rewrites nothing.',
    before: 'CREATE TABLE boxes (a int, b int, size int GENERATED ALWAYS AS (a * b) STORED);',
    bad: 'ALTER TABLE boxes ALTER COLUMN size SET EXPRESSION AS (a * b * 2);',
    good: ['ALTER TABLE boxes ADD COLUMN double_size int;'],
    matches: ({ commands }) => commands.some((command) => isCommand(command, 'AT_SetExpression')),
  },
  {
    id: 'refresh-not-concurrent',
    family: 'rewrites',
    level: 'warning',
    direction: 'both',
    blocks: 'blocks readers of the materialized view until it is filled again (ACCESS EXCLUSIVE)',
    instead: 'REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index',
    bad: 'REFRESH MATERIALIZED VIEW revenue;',
    good: ['REFRESH MATERIALIZED VIEW CONCURRENTLY revenue;'],
    matches: ({ kind, node, existing }) =>
      kind === 'RefreshMatViewStmt' && existing && node['concurrent'] !== true && node['skipData'] !== true,
  },
];
