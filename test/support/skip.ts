/** Answers: what becomes of tests for which this machine lacks a part? */

/** Skips them, and says why; with LOCKSTEP_NO_SKIP, as in CI, fails them. */
export function skip(context: Mocha.Context, why: string): never {
  if ((process.env['LOCKSTEP_NO_SKIP'] ?? '') !== '') throw new Error(why);
  console.warn(why);
  return context.skip();
}
