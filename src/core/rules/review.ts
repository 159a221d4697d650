/** Which rules the statements of one script break. */
import type { Direction } from '../migration.ts';
import type { Statement } from '../sql/statements.ts';
import { commandsOf } from '../sql/transaction-rules.ts';
import type { Directory } from './directory.ts';
import { objectsOf } from './objects.ts';
import type { Rule, View } from './rule.ts';

export interface ReviewedScript {
  readonly statements: readonly Statement[];
  readonly mode: View['mode'];
  readonly direction: Direction;
}

interface Broken {
  readonly statement: Statement;
  readonly rule: Rule;
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
    const broken = asked.filter((rule) => rule.matches(view)).map((rule) => ({ statement, rule }));
    directory.apply(statement, existing);
    return broken;
  });
}
