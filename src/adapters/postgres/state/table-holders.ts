/** Names the session that has one of our tables locked, after a statement of ours ran into the lock timeout. */
import { MigratorError } from '../../../core/errors.ts';
import { describeBlocker } from '../../../core/runner.ts';
import { blockersQuery, readBlockers } from './observe.ts';
import { OWN_LOCK_TIMEOUT_MS } from './settings.ts';
import type { Wire } from '../wire/wire.ts';

const LOCK_NOT_AVAILABLE = '55P03';

/** The error with the lock holders; any other error as it is. `oids` is SQL for a list. */
export async function withHolders(
  wire: Wire,
  names: readonly string[],
  oids: string,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof MigratorError) || error.details.server?.sqlstate !== LOCK_NOT_AVAILABLE) return error;
  const pids = `ARRAY(SELECT l.pid FROM pg_locks l WHERE l.locktype = 'relation' AND l.granted AND l.relation IN (${oids}) AND l.pid <> pg_backend_pid())`;
  const [result] = await wire.message(blockersQuery(pids)).catch(() => []);
  const blockers = readBlockers(result);
  return new MigratorError(
    'CONTENTION',
    `could not lock ${names.join(' and ')} within ${OWN_LOCK_TIMEOUT_MS / 1000} s`,
    {
      ...error.details,
      blockers,
      problems: blockers.map((blocker) => `locked by ${describeBlocker(blocker)}`),
      hint: 'run again when that session is done, or end it (SELECT pg_terminate_backend(pid))',
      cause: error,
    },
  );
}
