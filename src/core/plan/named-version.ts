/** Which version does a person mean: by its number alone, or by a name that is not there? */
import { compareVersions, versionNumber, type Version } from '../migration.ts';
import { nearest } from '../text/nearest.ts';

/** `2` is `002_orders` where only one of these versions has that number; anything else stays as it is. */
export function namedVersion(given: string, known: readonly Version[]): Version {
  const [only, ...more] = /^\d+$/.test(given) && !known.includes(given) ? withNumberOf(given, known) : [];
  return only !== undefined && more.length === 0 ? only : given;
}

/**
 * `did you mean …?`: the versions of that number, else the one spelled alike, else the neighbours; undefined without
 * any.
 */
export function versionGuess(given: string, known: readonly Version[]): string | undefined {
  const guesses = guessesFor(given, known);
  return guesses.length === 0 ? undefined : `did you mean ${guesses.join(' or ')}?`;
}

function guessesFor(given: string, known: readonly Version[]): readonly Version[] {
  const alike = withNumberOf(given, known);
  const spelled = nearest(given, alike.length > 0 ? alike : /^\d+$/.test(given) ? [] : known);
  if (spelled !== undefined) return [spelled];
  if (alike.length > 0 || versionNumber(given) === undefined) return alike;
  const sorted = known.toSorted(compareVersions);
  const before = sorted.filter((version) => compareVersions(version, given) < 0).slice(-1);
  const after = sorted.filter((version) => compareVersions(version, given) > 0).slice(0, 1);
  return [...before, ...after];
}

function withNumberOf(given: string, known: readonly Version[]): Version[] {
  const number = versionNumber(given);
  return number === undefined ? [] : known.filter((version) => versionNumber(version) === number);
}
