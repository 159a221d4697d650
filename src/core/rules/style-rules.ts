/** Rules of style, off unless asked for: types and keys that many teams avoid. */
import { child, membersOf, type TreeNode } from '../sql/syntax-tree.ts';
import type { Rule, View } from './rule.ts';
import {
  addedColumn,
  columnOf,
  constraintsOf,
  isCommand,
  isConstraint,
  isSerial,
  typeOf,
  type ColumnType,
} from './tree.ts';

type Style = Pick<Rule, 'id' | 'blocks' | 'instead' | 'bad' | 'good'> & {
  readonly column: (type: ColumnType, column: TreeNode) => boolean;
};

function style({ column: matches, ...text }: Style): Rule {
  return {
    family: 'style',
    level: 'off',
    direction: 'up',
    ...text,
    matches: (view) => columnsOf(view).some((column) => matches(typeOf(child(column, 'typeName')), column)),
  };
}

export const STYLE_RULES: readonly Rule[] = [
  style({
    id: 'style-json',
    blocks: 'json has no equality operator, so SELECT DISTINCT and GROUP BY fail',
    instead: 'jsonb',
    bad: 'CREATE TABLE style (body json);',
    good: ['CREATE TABLE style (body jsonb);'],
    column: ({ name }) => name === 'json',
  }),
  style({
    id: 'style-char',
    blocks: 'char(n) pads with spaces',
    instead: 'text, with a CHECK on the length',
    bad: 'CREATE TABLE style (code char(3));',
    good: ['CREATE TABLE style (code text CHECK (length(code) = 3));'],
    column: ({ name }) => name === 'bpchar',
  }),
  style({
    id: 'style-varchar',
    blocks: 'a limit in the type is hard to lower later',
    instead: 'text, with a CHECK on the length',
    bad: 'CREATE TABLE style (name varchar(80));',
    good: ['CREATE TABLE style (name text CHECK (length(name) <= 80));'],
    column: ({ name, modifiers }) => name === 'varchar' && modifiers.length > 0,
  }),
  style({
    id: 'style-timestamp',
    blocks: 'timestamp without time zone is no moment: it means another one in each time zone',
    instead: 'timestamptz',
    bad: 'CREATE TABLE style (at timestamp);',
    good: ['CREATE TABLE style (at timestamptz);'],
    column: ({ name }) => name === 'timestamp',
  }),
  style({
    id: 'style-int-key',
    blocks: 'a key of 32 bits ends at 2,147,483,647',
    instead: 'bigint',
    bad: 'CREATE TABLE style (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);',
    good: ['CREATE TABLE style (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);'],
    column: ({ name }, column) =>
      /^(?:int[24]|(?:small)?serial[24]?)$/.test(name) &&
      constraintsOf(column).some((one) => isConstraint(one, 'CONSTR_PRIMARY')),
  }),
  style({
    id: 'style-serial',
    blocks: 'the sequence of a serial column has permissions and an owner of its own',
    instead: 'bigint GENERATED ALWAYS AS IDENTITY',
    bad: 'CREATE TABLE style (id bigserial PRIMARY KEY);',
    good: ['CREATE TABLE style (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);'],
    column: (_, column) => isSerial(column),
  }),
];

/** Also of new tables. */
function columnsOf({ kind, node }: View): readonly TreeNode[] {
  if (kind === 'CreateStmt') return membersOf(node, 'tableElts', 'ColumnDef');
  return membersOf(kind === 'AlterTableStmt' ? node : {}, 'cmds', 'AlterTableCmd').flatMap<TreeNode>((command) => {
    const column = isCommand(command, 'AT_AlterColumnType') ? columnOf(command) : addedColumn(command);
    return column ?? [];
  });
}
