/** Which statements outside a transaction run under a lock timeout, so that nobody queues behind them for long. */

/**
 * They take an exclusive lock, so they wait for every reader, and new readers queue behind them, outside a transaction
 * too.
 */
const REWRITES_ALONE: ReadonlySet<string> = new Set(['VacuumStmt', 'ClusterStmt', 'ReindexStmt']);

/** Whether a statement outside a transaction gives up its wait for a lock and tries again later. */
export function givesWayAlone({ kind, blocking }: { readonly kind: string; readonly blocking: boolean }): boolean {
  return blocking && REWRITES_ALONE.has(kind);
}
