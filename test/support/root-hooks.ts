/**
 * Mocha's root hooks, named in .mocharc.json: the developer's PostgreSQL settings do not affect tests, no server is left
 * running, and an executable is not tested for what only the build for Node has.
 */
import { cleanUp } from './cleanup.ts';
import { isOnlyForNode } from './only-node.ts';

// The driver reads PGOPTIONS, PGSSLMODE and the like; only DATABASE_URL may configure tests.
for (const name of Object.keys(process.env)) {
  if (name.startsWith('PG')) Reflect.deleteProperty(process.env, name);
}

export const mochaHooks = {
  beforeEach(this: Mocha.Context): void {
    const { LOCKSTEP_TEST_EXECUTABLE: executable = '', LOCKSTEP_TEST_TARGET: target = '' } = process.env;
    if (executable + target !== '' && this.currentTest && isOnlyForNode(this.currentTest)) this.skip();
  },
  /** With --parallel, mocha calls it after each file of a worker. */
  async afterAll(): Promise<void> {
    await cleanUp();
  },
};
