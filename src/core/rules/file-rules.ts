/** Rules about a file as a whole: how it runs, and what the parser cannot see in it. */
import { child, membersOf, textOf, type TreeNode } from '../sql/syntax-tree.ts';
import type { Rule } from './rule.ts';

const MAKES: ReadonlySet<string> = new Set(['CreateStmt', 'CreateTableAsStmt', 'SelectStmt']);

export const FILE_RULES: readonly Rule[] = [
  {
    id: 'concurrent-with-others',
    family: 'files',
    level: 'warning',
    direction: 'both',
    blocks: 'the file runs statement by statement, so it can stop half-way',
    instead: 'give each concurrent statement a file of its own',
    bad: 'CREATE INDEX CONCURRENTLY orders_customer ON orders (customer_id);\nANALYZE orders;',
    good: ['CREATE INDEX CONCURRENTLY orders_customer ON orders (customer_id);', 'ANALYZE orders;'],
    matches: ({ mode, statement, effects }) => mode === 'statements' && statement.waitsForSnapshots && effects > 1,
  },
  {
    id: 'temporary-table-filled-again',
    family: 'files',
    level: 'warning',
    direction: 'both',
    blocks: 'when this file is resumed, its temporary tables are filled again, from the other tables as they are then',
    instead: 'use a plain table, or one transaction',
    bad: '-- lockstep: no-transaction\nCREATE TEMPORARY TABLE late AS SELECT id FROM orders;',
    good: ['CREATE TEMPORARY TABLE late AS SELECT id FROM orders;'],
    matches: ({ mode, statement: { sessionOnly, kind } }) => mode === 'statements' && sessionOnly && MAKES.has(kind),
  },
  {
    id: 'missing-down',
    family: 'files',
    level: 'off',
    direction: 'up',
    blocks: 'there is no down file, or it contains no statements, so `lockstep down` refuses this version',
    instead: 'write one, or say that there is none on purpose with "-- lockstep: irreversible"',
    bad: 'CREATE TABLE notes (body text);',
    good: ['-- lockstep: irreversible\nCREATE TABLE notes (body text);'],
    matches: ({ position, reversible }) => position === 0 && !reversible,
  },
  {
    id: 'ddl-in-do',
    family: 'files',
    level: 'warning',
    direction: 'both',
    blocks: 'a DO block hides its schema changes from every other rule, and runs without the limit on table locks',
    instead: 'write them as statements of the file',
    bad: 'DO $$ BEGIN ALTER TABLE orders ADD COLUMN currency text; END $$;',
    good: ["DO $$ BEGIN RAISE NOTICE 'alter nothing'; END $$;"],
    matches: ({ kind, node }) => kind === 'DoStmt' && DDL.test(bodyOf(node).replaceAll(NOT_RUN, ' ')),
  },
];

/** Also inside a string, which EXECUTE runs. What is new blocks nobody. */
const DDL =
  /\b(?:alter|drop)\s+(?:materialized\s+|foreign\s+)?(?:table|index|view|type|domain|sequence|schema|trigger|policy|function|procedure)\b|\bcreate\s+(?:unique\s+|or\s+replace\s+)?(?:index|trigger|policy)\b|\btruncate\s+\w|\breindex\s+(?:table|index)\b/i;

/** Comments, and messages. */
const NOT_RUN = /--[^\n]*|\/\*[^]*?\*\/|\braise\b[^;]*;/gi;

function bodyOf(node: TreeNode): string {
  const body = membersOf(node, 'args', 'DefElem').find((element) => element['defname'] === 'as');
  return textOf(child(child(body, 'arg'), 'String'), 'sval') ?? '';
}
