/** Deliberate defects, and the tests that must detect each of them. */
import type { Replacement } from './mutation.ts';

export interface Mutant {
  readonly name: string;
  readonly replacements: readonly Replacement[];
  /** Files whose tests "by the command line" must pass without the replacements, and fail with them. */
  readonly killedBy: readonly string[];
}

const POSTGRES = 'src/adapters/postgres';
const LOCK = `${POSTGRES}/lock/advisory-lock.ts`;
const HOLD = 'src/engine/session/with-lock.ts';

/** The lock is tried for whatever the check says. */
const WITHOUT_LOOKING: Replacement = {
  file: HOLD,
  from: 'if (check.free && (await session.lock.tryAcquire()))',
  to: 'if (await session.lock.tryAcquire())',
};

/** No transaction asks whether it still has the lock. */
const WITHOUT_FENCE: Replacement = {
  file: 'src/adapters/postgres/wire/sql.ts',
  from: '`CASE WHEN pg_catalog.${name}(${key}) THEN',
  to: '`CASE WHEN true OR pg_catalog.${name}(${key}) THEN',
};

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the lock is never taken',
    replacements: [
      WITHOUT_LOOKING,
      {
        file: LOCK,
        from: '`SELECT pg_catalog.pg_try_advisory_lock(${this.key});\\nSELECT version() ${this.#isHeld}`',
        to: '`SELECT true; SELECT version()`',
      },
      WITHOUT_FENCE,
    ],
    killedBy: ['test/race/pending.test.ts', 'test/race/serialisation.test.ts'],
  },
  {
    name: 'waiters block inside PostgreSQL, and nobody cancels them',
    replacements: [
      WITHOUT_LOOKING,
      {
        file: LOCK,
        from: '`SELECT pg_catalog.pg_try_advisory_lock(${this.key});\\nSELECT version() ${this.#isHeld}`',
        to: '`SELECT true FROM (SELECT pg_catalog.pg_advisory_lock(${this.key}) OFFSET 0) l; SELECT version()`',
      },
      {
        file: 'src/engine/apply/apply-statements.ts',
        from: 'if (unit.waitsForSnapshots) await clearTheWay(context);',
        to: 'void clearTheWay;',
      },
    ],
    killedBy: ['test/race/concurrent-index.test.ts'],
  },
  { name: 'there is no fence', replacements: [WITHOUT_FENCE], killedBy: ['test/race/fence.test.ts'] },
  {
    name: 'our statements have the path of the user',
    replacements: [
      {
        file: `${POSTGRES}/wire/own-path.ts`,
        from: "set_config('search_path', '${PATH}', true)",
        to: "set_config('lockstep.other', '${PATH}', true)",
      },
    ],
    killedBy: ['test/race/surroundings-path.test.ts'],
  },
  {
    name: 'nobody looks at what hangs on the tables',
    replacements: [
      {
        file: `${POSTGRES}/state/attached-objects.ts`,
        from: 'return `SELECT 1 / (${harmless})::integer`;',
        to: 'return `SELECT 1`;',
      },
    ],
    killedBy: ['test/race/surroundings-tables.test.ts'],
  },
  {
    name: 'nobody looks whether the migration is recorded',
    replacements: [
      {
        file: `${POSTGRES}/tables/record.ts`,
        from: "addOwn('record', `SELECT 1 / coalesce((${conditions.join(' AND ')})::integer, 0)`)",
        to: "addOwn('record', `SELECT 1`)",
      },
    ],
    killedBy: ['test/race/surroundings-record.test.ts'],
  },
  {
    name: 'a migration has the isolation level of its session',
    replacements: [
      {
        file: `${POSTGRES}/wire/own-path.ts`,
        from: "write: 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE'",
        to: "write: 'BEGIN READ WRITE'",
      },
      {
        file: `${POSTGRES}/state/settings.ts`,
        from: "['default_transaction_isolation', 'read committed'] as const",
        to: "['application_name', 'lockstep up'] as const",
      },
    ],
    killedBy: ['test/race/surroundings-isolation.test.ts'],
  },
];
