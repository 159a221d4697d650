/** One line about a difference, for people. */
import { oneLine } from '../text/one-line.ts';
import type { Difference } from './diff.ts';

/** `foreign`: what to say of an object that should not be there. */
export function describeDifference(
  { object, change, property, expected, found }: Difference,
  foreign = 'is foreign: no migration makes it',
): string {
  if (change !== 'different') return `${object} ${change === 'foreign' ? foreign : 'is missing'}`;
  const [one, other] = [expected, found].map((text) => (text === undefined ? 'nothing' : oneLine(text)));
  return `${object}: ${property === undefined ? '' : `${property}: `}expected ${one}, found ${other}`;
}

/** The same about a way back. */
export function describeLeft({ file, ...difference }: Difference & { readonly file: string }): string {
  return `${file}: ${describeDifference(difference, 'is left behind')}`;
}
