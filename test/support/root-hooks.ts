/**
 * Mocha's root hooks, named in .mocharc.json: the developer's PostgreSQL settings do not affect tests, and no server is
 * left running.
 */
import { cleanUp } from './cleanup.ts';

// The driver reads PGOPTIONS, PGSSLMODE and the like; only DATABASE_URL may configure tests.
for (const name of Object.keys(process.env)) {
  if (name.startsWith('PG')) Reflect.deleteProperty(process.env, name);
}

export const mochaHooks = {
  /** With --parallel, mocha calls it after each file of a worker. */
  async afterAll(): Promise<void> {
    await cleanUp();
  },
};
