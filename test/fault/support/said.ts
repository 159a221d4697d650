/** What no output may have. */
import { expect } from 'chai';

/** Of Node, of our own code or of a bundle. */
export function expectNoStack(...said: readonly string[]): void {
  for (const text of said) expect(text).to.not.match(/^ +at .+:\d+:\d+\)?$|\.mjs:\d+|node:internal/m);
}
