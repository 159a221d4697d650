/** Who holds the lock, according to the server. */
import type { Holder } from '../../../core/runner.ts';
import { isAdvisoryKey } from '../wire/sql.ts';

interface Grant {
  readonly pid: number;
  readonly mode: string;
  readonly database: number;
  /** The holder's transaction; ends with /0 outside a transaction. */
  readonly virtualtransaction: string;
  readonly name: string | null;
  /** Our own database. */
  readonly here: number;
}

/**
 * Who has the key, in any database, as a JSON text; a role sees only the application name of other roles' sessions. The
 * query uses the functions behind pg_locks and pg_stat_activity: the views, and a choice made in SQL, cost a new
 * session's planner more than everything else.
 */
export function holderQuery(key: string): string {
  const name = '(SELECT a.application_name FROM pg_stat_get_activity(l.pid) a) AS name';
  const here = '(SELECT m.datid FROM pg_stat_get_activity(pg_backend_pid()) m) AS here';
  const grants = `SELECT l.pid, l.mode, l.database, l.virtualtransaction, ${name}, ${here} FROM pg_lock_status() l WHERE l.granted AND ${isAdvisoryKey(key)}`;
  return `SELECT json_agg(h) FROM (${grants}) h`;
}

/** The session that holds the key exclusively, else one that holds it in shared mode, which blocks us too. */
export function readHolder(json: string | null | undefined, earlier?: string | null): Holder | undefined {
  const grants = here(json);
  const before = here(earlier);
  const found =
    grants.find(({ mode }) => mode === 'ExclusiveLock') ??
    grants.find((grant) => !isLook(grant) || before.some((one) => isSame(one, grant)));
  return (
    found && {
      pid: found.pid,
      applicationName: found.name ?? '',
      ...(found.mode !== 'ExclusiveLock' && { mode: 'shared' as const }),
    }
  );
}

/** Whether a second look is needed to tell holders in shared mode from runners that only check the lock. */
export function needsSecondLook(json: string | null | undefined): boolean {
  return !readHolder(json) && here(json).length > 0;
}

function here(json: string | null | undefined): readonly Grant[] {
  return ((JSON.parse(json ?? 'null') ?? []) as readonly Grant[]).filter((grant) => grant.database === grant.here);
}

/** A runner that checks the lock holds it in shared mode for one short transaction. */
function isLook({ name, virtualtransaction }: Grant): boolean {
  return name?.startsWith('lockstep ') === true && !virtualtransaction.endsWith('/0');
}

function isSame(one: Grant, other: Grant): boolean {
  return one.pid === other.pid && one.virtualtransaction === other.virtualtransaction;
}
