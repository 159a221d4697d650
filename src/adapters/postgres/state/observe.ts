/** Looks at a busy session from another one: how far its statement is, and who blocks it. */
import { setTimeout } from 'node:timers/promises';

import type { Observation } from '../../../core/ports.ts';
import type { Blocker } from '../../../core/runner.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import { namedOid, type Named } from '../wire/named.ts';
import { intervalOf } from '../wire/sql.ts';
import type { Wire } from '../wire/wire.ts';

/** View, and what is done of what is to do (PostgreSQL manual, "Progress Reporting"). */
const PROGRESS_VIEWS: readonly (readonly [view: string, phase: string, done: string, total: string])[] = [
  ['create_index', 'phase', 'greatest(blocks_done, tuples_done)', 'greatest(blocks_total, tuples_total)'],
  ['vacuum', 'phase', 'heap_blks_scanned', 'heap_blks_total'],
  ['cluster', 'phase', 'heap_blks_scanned', 'heap_blks_total'],
  ['analyze', 'phase', 'sample_blks_scanned', 'sample_blks_total'],
  ['copy', "'copying'", 'bytes_processed', 'bytes_total'],
];

const LOOK_EVERY_MS = 500;

/** Longer queries of others are cut. */
const QUERY_LENGTH = 200;

export async function observe(wire: Wire, pid: number): Promise<Observation> {
  const [progress, blockers] = await wire.message(
    `${progressQuery(pid)};\n${blockersQuery(`pg_catalog.pg_blocking_pids(${pid})`)}`,
  );
  const [phase, percent] = progress?.rows[0] ?? [];
  return {
    blockers: readBlockers(blockers),
    ...(phase != null && { progress: { phase, ...(percent != null && { percent: Number(percent) }) } }),
  };
}

/** Locks that conflict with what readers and writers take (PostgreSQL manual, "Table-Level Locks"). */
const STRONG_LOCKS = `('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`;

/**
 * Until the signal aborts: once the session has waited for a strong lock on a table for `limitMs`, cancels its
 * statement.
 */
export async function cancelLongWait(
  wire: Wire,
  pid: number,
  limitMs: number,
  ended: AbortSignal,
): Promise<readonly Blocker[] | undefined> {
  const waits =
    `FROM pg_locks l WHERE l.pid = ${pid} AND NOT l.granted AND l.locktype = 'relation' AND l.mode IN ${STRONG_LOCKS}` +
    ` AND clock_timestamp() - l.waitstart >= ${intervalOf(limitMs)}`;
  while (!ended.aborted) {
    const [blockers, cancelled] = await wire.message(
      `${blockersQuery(`pg_blocking_pids(${pid})`)};\nSELECT pg_cancel_backend(l.pid) ${waits}`,
    );
    if (cancelled?.rows[0]?.[0] === 't') return readBlockers(blockers);
    await setTimeout(Math.min(LOOK_EVERY_MS, limitMs), undefined, { signal: ended }).catch(() => undefined);
  }
  return undefined;
}

/** Who holds locks on these relations now; asked after a lock timeout. */
export async function lockHoldersOn(wire: Wire, relations: readonly Named[]): Promise<Blocker[]> {
  if (relations.length === 0) return [];
  const oids = relations.map((_relation, index) => namedOid(index)).join(', ');
  const pids =
    `ARRAY(SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l WHERE l.locktype = 'relation' AND l.granted` +
    ` AND l.relation IN (${oids}) AND l.pid <> pg_catalog.pg_backend_pid())`;
  const [result] = await wire.messageAbout(relations, blockersQuery(pids));
  return readBlockers(result);
}

function progressQuery(pid: number): string {
  return PROGRESS_VIEWS.map(
    ([view, phase, done, total]) =>
      `SELECT ${phase}, CASE WHEN ${total} > 0 THEN pg_catalog.floor(100.0 * ${done} / ${total}) END` +
      ` FROM pg_catalog.pg_stat_progress_${view} WHERE pid = ${pid}`,
  ).join(' UNION ALL ');
}

export function blockersQuery(pids: string): string {
  return (
    `SELECT a.pid, coalesce(a.application_name, ''), a.state, pg_catalog.left(a.query, ${QUERY_LENGTH}),` +
    ` pg_catalog.to_json(coalesce(a.xact_start, a.query_start)) #>> '{}'` +
    ` FROM pg_catalog.pg_stat_activity a WHERE a.pid = ANY (${pids}) ORDER BY a.pid`
  );
}

/** Rows of `blockersQuery`. */
export function readBlockers(result: ResultSet | undefined): Blocker[] {
  return (result?.rows ?? []).map(([pid, applicationName, state, query, since]) => ({
    pid: Number(pid),
    applicationName: applicationName ?? '',
    ...(state != null && { state }),
    // Other roles' queries are hidden.
    ...(query != null && query !== '' && { query }),
    ...(since != null && { since: new Date(since) }),
  }));
}
