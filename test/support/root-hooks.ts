/** Mocha's root hooks, named in .mocharc.json: nothing of the developer's PostgreSQL settings comes in, and no server stays behind. */
import { cleanUp } from './cleanup.ts';

// The driver would take PGOPTIONS, PGSSLMODE and the like for its own; DATABASE_URL says all that counts.
for (const name of Object.keys(process.env)) {
  if (name.startsWith('PG')) Reflect.deleteProperty(process.env, name);
}

export const mochaHooks = {
  /** With --parallel, mocha calls it after each file of a worker. */
  async afterAll(): Promise<void> {
    await cleanUp();
  },
};
