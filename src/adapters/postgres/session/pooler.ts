/** Finds a connection pooler between the runner and PostgreSQL, and whether it keeps a session on one backend. */
import { MigratorError } from '../../../core/errors.ts';
import type { Wire } from './wire.ts';

const HINT =
  'give the address of PostgreSQL itself, for example LOCKSTEP_DATABASE_URL=postgresql://user@postgres:5432/db;' +
  ' --allow-pooler is for a pooler that pools by session';

/** Behind a pooler the pid of the start-up packet is the pooler's invention. */
export function isPooled(wire: Wire, backendPid: number): boolean {
  return wire.processId !== undefined && wire.processId !== backendPid;
}

/** A session-level lock would stay behind on a pooled backend. */
export function poolerRefused(): MigratorError {
  return new MigratorError(
    'CONFIG_INVALID',
    'there is a connection pooler between this runner and PostgreSQL, and a session-level lock does not survive it',
    { hint: HINT },
  );
}

/**
 * Two messages must meet the same backend, also while somebody else asks the pooler for one: a pooler by transaction
 * gives away the backend that we have just left.
 * @throws MigratorError CONFIG_INVALID when they do not.
 */
export async function requireSessionPooling(
  wire: Wire,
  backendPid: number,
  competitor: (<T>(body: (other: Wire) => Promise<T>) => Promise<T>) | undefined,
): Promise<void> {
  const same = async (): Promise<boolean> => (await pidOf(wire, 'SELECT pg_catalog.pg_backend_pid()')) === backendPid;
  const kept = competitor
    ? await competitor(async (other) => {
        const taken = await pidOf(other, 'BEGIN; SELECT pg_catalog.pg_backend_pid()');
        return taken !== backendPid && (await same());
      })
    : await same();
  if (kept) return;
  throw new MigratorError('CONFIG_INVALID', '--allow-pooler: this pooler does not keep a session on one backend', {
    hint: HINT,
  });
}

async function pidOf(wire: Wire, sql: string): Promise<number> {
  const results = await wire.message(sql);
  return Number(results.at(-1)?.rows[0]?.[0]);
}
