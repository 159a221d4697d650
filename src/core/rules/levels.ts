/** How seriously each rule is taken: what the table says, unless a setting says otherwise. */
import { nearest } from '../text/nearest.ts';
import type { Rule, RuleLevel } from './rule.ts';

const LEVELS: readonly RuleLevel[] = ['off', 'note', 'warning', 'error'];

export type RuleLevels = ReadonlyMap<string, RuleLevel>;

/** `rule=level,…`; a family stands for each of its rules. Every problem is a sentence. */
export function readLevels(
  text: string,
  rules: readonly Rule[],
): { readonly levels: RuleLevels; readonly problems: readonly string[] } {
  const levels = new Map<string, RuleLevel>();
  const problems: string[] = [];
  for (const part of text.split(',')) {
    const [name = '', wanted] = part.split('=', 2).map((word) => word.trim());
    const level = LEVELS.find((one) => one === wanted);
    const meant = rules.filter(({ id, family }) => id === name || family === name);
    if (level === undefined) problems.push(`"${part.trim()}" is not RULE=${LEVELS.join('|')}`);
    else if (meant.length === 0) problems.push(unknownRule(name, rules));
    else for (const { id } of meant) levels.set(id, level);
  }
  return { levels, problems };
}

export function levelOf({ id, level }: Rule, levels: RuleLevels): RuleLevel {
  return levels.get(id) ?? level;
}

function unknownRule(name: string, rules: readonly Rule[]): string {
  const guess = nearest(name, [...new Set(rules.flatMap(({ id, family }) => [id, family]))]);
  return `there is no rule "${name}"${guess === undefined ? '; docs/rules.md lists them' : `; did you mean "${guess}"?`}`;
}
