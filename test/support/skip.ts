/** Answers: what happens to tests whose prerequisite this machine lacks? */

/** Skips them with the reason; with LOCKSTEP_NO_SKIP, as in CI, fails them. */
export function skip(context: Mocha.Context, why: string): never {
  if ((process.env['LOCKSTEP_NO_SKIP'] ?? '') !== '') throw new Error(why);
  console.warn(why);
  return context.skip();
}
