/** Finds comments that look like instructions but have no effect: other tools' markers, and misplaced directives. */
import { DIRECTIVES, type Direction } from '../migration.ts';
import type { ImportTool } from '../import/foreign-history.ts';
import { remarkAt } from './remark.ts';
import type { ScriptRemark } from './script-plan.ts';
import { skipBlank } from '../text/sql-text.ts';
import { tokensOf, type Token } from './tokens.ts';

interface Marker {
  readonly tool: string;
  /** `import --files` converts its files. */
  readonly from?: ImportTool | 'graphile-migrate';
  readonly pattern: RegExp;
  /** In a down file, only this pattern is a mistake: it starts an up half, which would run too. */
  readonly up?: RegExp;
}

/** Matched against the first line of a comment; taken from each tool's own parser or manual. */
const MARKERS: readonly Marker[] = [
  {
    tool: 'goose',
    from: 'goose',
    pattern: /^--\s*\+goose\s+(?:up|down|statementbegin|statementend|no\s+transaction|envsub)\b/i,
    up: /\+goose\s+up\b/i,
  },
  { tool: 'dbmate', from: 'dbmate', pattern: /^--\s*migrate:(?:up|down)\b/i, up: /:up\b/i },
  { tool: 'graphile-migrate', from: 'graphile-migrate', pattern: /^--!\s*previous:/i },
  {
    tool: 'sql-migrate',
    pattern: /^--\s*\+migrate\s+(?:up|down|statementbegin|statementend)\b/i,
    up: /\+migrate\s+up\b/i,
  },
  { tool: 'Liquibase', pattern: /^--\s*(?:liquibase\s+formatted\s+sql\b|changeset\s+[^\s:]+:\S)/i },
  { tool: 'node-pg-migrate', pattern: /^--[\s-]*down\s+migration\s*$/i, up: /^(?!)/ },
  { tool: 'tern', pattern: /^---- create above \/ drop below ----/i },
  { tool: 'MyBatis Migrations', pattern: /^--\s*\/\/\s*@undo\b/i },
  { tool: 'Play', pattern: /^--\s*!(?:ups|downs)\b/i, up: /!ups\b/i },
];

const PLACEHOLDER = /\$\{[^{}\s]+\}/;

/**
 * Why the script is refused, in its order: another tool's file would also run its undo half, and a misplaced directive
 * would have no effect.
 */
export function findMarkers(text: string, direction: Direction): readonly ScriptRemark[] {
  const found: ScriptRemark[] = [];
  const seen = new Set<string>();
  const once = (what: string, offset: number, message: string): void => {
    if (!seen.has(what)) found.push(remarkAt(text, offset, message));
    seen.add(what);
  };
  const body = skipBlank(text, 0);
  for (const token of tokensOf(text)) {
    const part = text.slice(token.start, token.end);
    const placeholder = token.kind === 'code' ? PLACEHOLDER.exec(part) : null;
    if (placeholder)
      once(
        'placeholder',
        token.start + placeholder.index,
        `${placeholder[0]} is a Flyway placeholder, and Lockstep does not replace placeholders: write its value`,
      );
    if (token.kind !== 'comment') continue;
    const marker = MARKERS.find(
      ({ pattern, up = pattern }) => pattern.test(part) && (direction === 'up' || up.test(part)),
    );
    if (marker) once(marker.tool, token.start, markerMessage(marker, part));
    const directive = misplaced(part, token, body);
    if (directive !== undefined) found.push(remarkAt(text, token.start, directive));
  }
  return found;
}

function markerMessage({ tool, from }: Marker, line: string): string {
  const way =
    from === undefined
      ? 'move the undo half into a .down.sql file'
      : `convert the files with "lockstep import --files DIR --from ${from}"`;
  return `"${line.trim().slice(0, MOST_QUOTED)}" is a marker of ${tool}, which Lockstep ignores: the whole file would run, its undo half included: ${way}`;
}

const MOST_QUOTED = 60;

/** Why a directive has no effect; undefined if there is none. `allow` may stand before any statement. */
function misplaced(comment: string, { start }: Token, body: number): string | undefined {
  const line = comment.split(/\r?\n/).find((one) => DIRECTIVE.test(one));
  const groups = line === undefined ? undefined : DIRECTIVE.exec(line)?.groups;
  if (!groups) return undefined;
  const [asked = ''] = (groups['body'] ?? '').split(/[\s*]*\*\/|$/, 1);
  const [word = ''] = asked.split(/[=\s]/, 1);
  if (word === 'allow' || (groups['colon'] === '' && !DIRECTIVES.includes(word))) return undefined;
  const wanted = `"-- lockstep: ${asked.trim()}"`;
  if (!/^--[^-]/.test(comment)) return `this directive has no effect here: write ${wanted} above the first statement`;
  return start < body ? undefined : `a directive after a statement has no effect: write ${wanted} above the first one`;
}

const DIRECTIVE = /^(?:--+|\/\*+)?[\s*!-]*lockstep\b\s*(?<colon>:?)\s*(?<body>.*)$/i;
