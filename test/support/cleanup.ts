/** Cleanups at the end of the mocha process; run by root-hooks.ts. */

const cleanups: (() => Promise<unknown>)[] = [];

/** Runs after the last test, latest first. */
export function atEnd(cleanup: () => Promise<unknown>): void {
  cleanups.push(cleanup);
}

/** Runs every cleanup, even after one has failed. @throws the first failure. */
export async function cleanUp(): Promise<void> {
  const failures: unknown[] = [];
  for (let next = cleanups.pop(); next !== undefined; next = cleanups.pop()) {
    await next().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
