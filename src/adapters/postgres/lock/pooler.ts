/** Finds a connection pooler between the runner and PostgreSQL, and whether it keeps a session on one backend. */
import { MigratorError } from '../../../core/errors.ts';
import type { Wire } from '../wire/wire.ts';

const HINT =
  'give the address of PostgreSQL itself, for example LOCKSTEP_DATABASE_URL=postgresql://user@postgres:5432/db;' +
  ' --allow-pooler is for a pooler that pools by session';

/** Behind a pooler, the pid announced at start-up is made up by the pooler. */
export function isPooled(wire: Wire, backendPid: number): boolean {
  return wire.processId !== undefined && wire.processId !== backendPid;
}

/** A session-level lock would remain on a pooled backend. */
export function poolerRefused(): MigratorError {
  return new MigratorError(
    'CONFIG_INVALID',
    'there is a connection pooler between this runner and PostgreSQL, and a session-level lock does not survive it',
    { hint: HINT },
  );
}

/** One round could succeed by chance when others use the pool too. */
const ROUNDS = 3;

/**
 * Two messages must reach the same backend, even while another session asks the pooler for one: a pooler in transaction
 * mode gives away the backend that we have just used.
 * @throws MigratorError CONFIG_INVALID when they do not, or when it cannot be tested.
 */
export async function requireSessionPooling(
  wire: Wire,
  backendPid: number,
  competitor: (<T>(body: (other: Wire) => Promise<T>) => Promise<T>) | undefined,
): Promise<void> {
  // The first message also ends a transaction that the check may have left open, so the pooler no longer keeps a
  // backend for us.
  const same = async (): Promise<boolean> => (await pidOf(wire, 'SELECT pg_catalog.pg_backend_pid()')) === backendPid;
  const keptInSpiteOf = async (other: Wire): Promise<boolean> => {
    const taken = await pidOf(other, 'BEGIN; SELECT pg_catalog.pg_backend_pid()');
    return taken !== backendPid && (await same());
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    if (!(await same())) throw notBySession();
    if (competitor && !(await competitor(keptInSpiteOf).catch(unknownPooling))) throw notBySession();
  }
}

function notBySession(): MigratorError {
  return new MigratorError('CONFIG_INVALID', '--allow-pooler: this pooler does not keep a session on one backend', {
    hint: HINT,
  });
}

function unknownPooling(cause: unknown): never {
  throw new MigratorError(
    'CONFIG_INVALID',
    '--allow-pooler: a second connection is needed to test whether this pooler pools by session, and there was none',
    {
      cause,
      hint: `give the pool one more backend, or ${HINT}`,
    },
  );
}

async function pidOf(wire: Wire, sql: string): Promise<number> {
  const results = await wire.asIs(sql);
  return Number(results.at(-1)?.rows[0]?.[0]);
}
