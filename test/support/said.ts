/** Patterns that no output may contain. */
import { expect } from 'chai';

/**
 * A stack frame of Node, of Lockstep's code or of a bundle; a location in a hook is allowed, as its author needs it.
 */
export function expectNoStack(...said: readonly string[]): void {
  for (const text of said) expect(text).to.not.match(/^ +at .+:\d+:\d+\)?$|(?<!\.before)\.mjs:\d+|node:internal/m);
}
