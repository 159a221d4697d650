/** Who holds the lock, as the server tells it. */
import type { Holder } from '../../../core/runner.ts';
import { isAdvisoryKey } from './sql.ts';

interface Grant {
  readonly pid: number;
  readonly mode: string;
  readonly database: number;
  readonly name: string | null;
  /** Ours. */
  readonly here: number;
}

/**
 * Who has the key, in whatever database, as a JSON text; other roles see of it only its application name. The functions
 * are what stands behind pg_locks and pg_stat_activity: the views, and to choose here, cost a new session's planner more
 * than all the rest.
 */
export function holderQuery(key: string): string {
  const name = '(SELECT a.application_name FROM pg_catalog.pg_stat_get_activity(l.pid) a) AS name';
  const here = '(SELECT m.datid FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) m) AS here';
  const grants = `SELECT l.pid, l.mode, l.database, ${name}, ${here} FROM pg_catalog.pg_lock_status() l WHERE l.granted AND ${isAdvisoryKey(key)}`;
  return `SELECT pg_catalog.json_agg(h) FROM (${grants}) h`;
}

/** Somebody may hold the key in shared mode, which keeps us from it too; runners do so themselves, but only for a moment. */
export function readHolder(json: string | null | undefined): Holder | undefined {
  const grants = (JSON.parse(json ?? 'null') ?? []) as readonly Grant[];
  const holders = grants
    .filter(({ database, here }) => database === here)
    .map(({ pid, mode, name }) => ({ pid, mode, applicationName: name ?? '' }))
    .filter(({ mode, applicationName }) => mode === 'ExclusiveLock' || !applicationName.startsWith('lockstep '));
  const holder = holders.find(({ mode }) => mode === 'ExclusiveLock') ?? holders[0];
  return holder && { pid: holder.pid, applicationName: holder.applicationName };
}
