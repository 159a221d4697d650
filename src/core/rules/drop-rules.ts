/** Rules about dropping and emptying what an older release still uses. */
import { textOf } from '../sql/syntax-tree.ts';
import { isMadeAgain } from './made-again.ts';
import type { Rule } from './rule.ts';
import { isCommand } from './tree.ts';

type Drop = Pick<Rule, 'bad' | 'good' | 'before'> & { readonly what: string; readonly types: readonly string[] };

const LATER = 'drop it in a later release';

function drop({ what, types, ...examples }: Drop): Rule {
  return {
    id: `drop-${what.replaceAll(' ', '-')}`,
    family: 'drops',
    level: 'warning',
    direction: 'up',
    blocks: `replicas of the old version still use the ${what}`,
    instead: LATER,
    ...examples,
    matches: (view) =>
      view.kind === 'DropStmt' &&
      view.existing &&
      types.includes(textOf(view.node, 'removeType') ?? '') &&
      !isMadeAgain(view),
  };
}

export const DROP_RULES: readonly Rule[] = [
  drop({
    what: 'table',
    types: ['OBJECT_TABLE', 'OBJECT_FOREIGN_TABLE'],
    bad: 'DROP TABLE old_orders;',
    before: 'CREATE TABLE old_orders (id bigint);',
    good: ['CREATE TABLE scratch (id bigint);\nDROP TABLE scratch;'],
  }),
  {
    id: 'drop-column',
    family: 'drops',
    level: 'warning',
    direction: 'up',
    blocks: 'replicas of the old version still use the column',
    instead: LATER,
    bad: 'ALTER TABLE customers DROP COLUMN name;',
    good: ['ALTER TABLE customers ALTER COLUMN email DROP NOT NULL;'],
    matches: ({ commands }) => commands.some((command) => isCommand(command, 'AT_DropColumn')),
  },
  drop({
    what: 'view',
    types: ['OBJECT_VIEW', 'OBJECT_MATVIEW'],
    bad: 'DROP VIEW open_orders;',
    good: [
      "DROP VIEW open_orders;\nCREATE VIEW open_orders AS SELECT id, total, placed_at FROM orders WHERE state = 'open';",
    ],
  }),
  drop({
    what: 'sequence',
    types: ['OBJECT_SEQUENCE'],
    bad: 'DROP SEQUENCE invoice_number;',
    good: ['CREATE SEQUENCE scratch;\nDROP SEQUENCE scratch;'],
  }),
  drop({
    what: 'function',
    types: ['OBJECT_FUNCTION', 'OBJECT_PROCEDURE', 'OBJECT_ROUTINE', 'OBJECT_AGGREGATE'],
    bad: 'DROP FUNCTION net(numeric);',
    good: [
      'DROP FUNCTION net(numeric);\nCREATE FUNCTION net(gross numeric) RETURNS numeric LANGUAGE sql AS $$ SELECT gross / 1.2 $$;',
    ],
  }),
  drop({
    what: 'type',
    types: ['OBJECT_TYPE', 'OBJECT_DOMAIN'],
    bad: 'DROP TYPE address;',
    good: ['CREATE TYPE scratch AS (a int);\nDROP TYPE scratch;'],
  }),
  drop({
    what: 'schema',
    types: ['OBJECT_SCHEMA'],
    bad: 'DROP SCHEMA old_shop;',
    good: ['CREATE SCHEMA scratch;\nDROP SCHEMA scratch;'],
  }),
  {
    id: 'drop-database',
    family: 'drops',
    level: 'warning',
    direction: 'both',
    blocks: 'destroys a whole database, which no rollback brings back',
    instead: 'drop it by hand, after a backup',
    bad: 'DROP DATABASE IF EXISTS old_shop_of_2019;',
    good: ["COMMENT ON SCHEMA old_shop IS 'not used since 2019';"],
    matches: ({ kind }) => kind === 'DropdbStmt',
  },
  {
    id: 'drop-cascade',
    family: 'drops',
    level: 'warning',
    direction: 'up',
    blocks: 'CASCADE also drops whatever depends on it, which the file does not name',
    instead: 'drop each of them by name, without CASCADE',
    bad: 'ALTER TABLE orders DROP COLUMN total CASCADE;',
    good: ['DROP VIEW open_orders;'],
    matches: ({ kind, node, existing, commands }) =>
      (kind === 'DropStmt' && existing && textOf(node, 'behavior') === 'DROP_CASCADE') ||
      (kind === 'TruncateStmt' && existing && textOf(node, 'behavior') === 'DROP_CASCADE') ||
      commands.some((command) => isDrop(command) && textOf(command, 'behavior') === 'DROP_CASCADE'),
  },
  {
    id: 'truncate',
    family: 'drops',
    level: 'warning',
    direction: 'up',
    blocks: 'removes all rows for every replica, and blocks readers and writers until COMMIT (ACCESS EXCLUSIVE)',
    instead: 'DELETE in batches what is no longer needed',
    bad: 'TRUNCATE orders;',
    good: ["DELETE FROM orders WHERE placed_at < '2019-01-01';"],
    matches: ({ kind, existing }) => kind === 'TruncateStmt' && existing,
  },
];

function isDrop(command: Parameters<typeof isCommand>[0]): boolean {
  return isCommand(command, 'AT_DropColumn', 'AT_DropConstraint');
}
