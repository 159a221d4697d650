/** What no output may have. */
import { expect } from 'chai';

/** Of Node, of our own code or of a bundle; the place in a hook is one that its author looks for. */
export function expectNoStack(...said: readonly string[]): void {
  for (const text of said) expect(text).to.not.match(/^ +at .+:\d+:\d+\)?$|(?<!\.before)\.mjs:\d+|node:internal/m);
}
