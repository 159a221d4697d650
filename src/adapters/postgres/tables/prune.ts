/** What of the journal is taken out again: rows of runs that changed nothing, when nobody needs them any more. */

/** They say nothing of what is applied, stored, held or in part. */
const CHANGED_NOTHING = `'run started', 'run ended', 'run lost', 'started', 'failed'`;

/** Looked at once a run, from the oldest on, so that a long journal keeps no run waiting. */
const OLDEST = 20_000;

/** A release stays known: the oldest row that names it is kept. */
export function pruneStatement(journal: string, keepMs: number): string {
  return (
    `DELETE FROM ${journal} j USING (SELECT id FROM ${journal} ORDER BY id LIMIT ${OLDEST}) oldest` +
    ` WHERE j.id = oldest.id AND j.at < now() - interval '${keepMs} milliseconds' AND j.event IN (${CHANGED_NOTHING})` +
    ` AND NOT EXISTS (SELECT FROM ${journal} k WHERE k.run = j.run AND k.event NOT IN (${CHANGED_NOTHING}))` +
    ` AND (j.release IS NULL OR EXISTS (SELECT FROM ${journal} r WHERE r.release = j.release AND r.id < j.id))`
  );
}
