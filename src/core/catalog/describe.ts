/** One line about a difference, for people. */
import { oneLine } from '../text/one-line.ts';
import type { Difference } from './diff.ts';

const WORDS = { missing: 'is missing', foreign: 'is foreign: no migration makes it' } as const;

export function describeDifference({ object, change, property, expected, found }: Difference): string {
  if (change !== 'different') return `${object} ${WORDS[change]}`;
  const [one, other] = [expected, found].map((text) => (text === undefined ? 'nothing' : oneLine(text)));
  return `${object}: ${property === undefined ? '' : `${property}: `}expected ${one}, found ${other}`;
}
