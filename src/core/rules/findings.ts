/** What the rules say about one script, with what its comments allow. */
import type { Finding } from './finding.ts';
import type { RelationName } from '../sql/script-plan.ts';
import { Places } from '../text/source-location.ts';
import { Allows } from './allow.ts';
import type { CheckId } from './checks.ts';
import type { Directory } from './directory.ts';
import { levelOf, type RuleLevels } from './levels.ts';
import { review, type ReviewedScript } from './review.ts';
import { messageOf } from './rule.ts';
import { RULES } from './rules.ts';

export type Found = Omit<Finding, 'file' | 'fingerprint' | 'line' | 'column'> & {
  readonly line: number;
  readonly column: number;
  /** The text that it is about, whatever its line. */
  readonly subject: string;
  /** The statement that a rule finds. */
  readonly statement?: { readonly offset: number; readonly relations: readonly RelationName[] };
};

/** In the order of the script. */
export function findingsOfRules(
  script: ReviewedScript & { readonly text: string },
  levels: RuleLevels,
  directory: Directory,
): readonly Found[] {
  const { text, statements } = script;
  const asked = RULES.filter((rule) => levelOf(rule, levels) !== 'off');
  const off = new Set(RULES.filter((rule) => !asked.includes(rule)).map(({ id }) => id));
  const allows = new Allows(text, statements);
  const broken = review(script, asked, directory).filter(({ rule, statement }) => !allows.covers(rule.id, statement));
  const places = new Places(text);
  const ids = RULES.map(({ id }) => id);
  return [
    ...broken.flatMap(({ rule, relations, statement: { start, end } }): Found[] => {
      const severity = levelOf(rule, levels);
      if (severity === 'off') return [];
      const { id, blocks, instead } = rule;
      const subject = text.slice(start, end);
      const statement = { offset: start, relations };
      return [
        { rule: id, severity, message: messageOf(rule), blocks, instead, ...places.at(start), subject, statement },
      ];
    }),
    ...allows.remarks(ids, off).map(({ severity, message, offset }): Found => {
      const rule: CheckId = 'allow';
      return { rule, severity, message, ...new Places(text).at(offset), subject: message };
    }),
  ].toSorted((a, b) => a.line - b.line || a.column - b.column);
}
