/** Which statements outside a transaction give way to those who would queue behind them. */

/** They rewrite what they name while nobody may read it, and wait for that behind everybody who reads: outside a transaction, too. */
const REWRITES_ALONE: ReadonlySet<string> = new Set(['VacuumStmt', 'ClusterStmt', 'ReindexStmt']);

/** Whether a statement outside a transaction gives way to those who would queue behind it. */
export function givesWayAlone({ kind, blocking }: { readonly kind: string; readonly blocking: boolean }): boolean {
  return blocking && REWRITES_ALONE.has(kind);
}
