/** Which rules the statements of one script break. */
import type { Direction } from '../migration.ts';
import type { RelationName } from '../sql/script-plan.ts';
import type { Statement } from '../sql/statements.ts';
import { commandsOf } from '../sql/transaction-rules.ts';
import type { Directory } from './directory.ts';
import { objectsOf } from './objects.ts';
import type { Rule, View } from './rule.ts';

export interface ReviewedScript {
  readonly statements: readonly Statement[];
  readonly mode: View['mode'];
  readonly direction: Direction;
  readonly reversible: boolean;
}

interface Broken {
  readonly statement: Statement;
  readonly rule: Rule;
  /** Existing tables and indexes that the statement is about or locks. */
  readonly relations: readonly RelationName[];
}

/** In the order of the script; the directory learns what its statements make. */
export function review(script: ReviewedScript, rules: readonly Rule[], directory: Directory): readonly Broken[] {
  const effects = script.statements.filter(({ sessionOnly, control }) => !sessionOnly && control === undefined).length;
  const asked = rules.filter(({ direction }) => direction === 'both' || direction === script.direction);
  return script.statements.flatMap((statement, position) => {
    const { kind, node } = statement;
    const existing = objectsOf(kind, node).some((object) => !directory.isFresh(object));
    const commands = kind === 'AlterTableStmt' && existing ? commandsOf(node) : [];
    const view = { ...script, statement, position, kind, node, effects, existing, commands, directory };
    const rulesBroken = asked.filter((rule) => rule.matches(view));
    const relations = rulesBroken.length === 0 ? [] : relationsInUse(statement, directory);
    const broken = rulesBroken.map((rule) => ({ statement, rule, relations }));
    directory.apply(statement, existing);
    return broken;
  });
}

function relationsInUse({ kind, node, relations }: Statement, directory: Directory): readonly RelationName[] {
  const named = objectsOf(kind, node).filter(({ space, name }) => space === 'relation' && name !== '');
  const all = [...named.map(({ space: _, ...name }) => name), ...relations].filter(
    (name) => !directory.isFresh({ space: 'relation', ...name }),
  );
  return [...new Map(all.map((name) => [`${name.schema ?? ''}.${name.name}`, name])).values()];
}
