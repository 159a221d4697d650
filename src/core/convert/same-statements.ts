/** Whether the statements of a file are all there, and in their order, in what it became. */
import { hash } from 'node:crypto';

import type { ParseResult } from '../sql/script-plan.ts';

/** Of each statement, what it says, wherever it stands; undefined where the parser can't read the text. */
export function fingerprints(parsed: ParseResult): string[] | undefined {
  return parsed.ok
    ? parsed.statements.map(({ kind, node }) => hash('sha256', JSON.stringify([kind, node], withoutPlace)))
    : undefined;
}

const PLACES = new Set([
  'location',
  'stmt_location',
  'stmt_len',
  'rexpr_list_start',
  'rexpr_list_end',
  'list_start',
  'list_end',
]);

function withoutPlace(key: string, value: unknown): unknown {
  return PLACES.has(key) ? undefined : value;
}
