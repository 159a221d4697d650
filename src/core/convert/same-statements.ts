/** Proves that a converted file has the same statements in the same order as the old one. */
import { hash } from 'node:crypto';

import type { ParseResult } from '../sql/script-plan.ts';

/** A hash of each statement that ignores its position; undefined if the parser cannot read the text. */
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
