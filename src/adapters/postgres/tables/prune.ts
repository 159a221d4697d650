/** Which journal entries are deleted: old ones of runs that changed nothing. */
import { intervalOf } from '../wire/sql.ts';

/** Events that say nothing about what is applied, stored, held or in part. */
const CHANGED_NOTHING = `'run started', 'run ended', 'run lost', 'started', 'failed'`;

/** How many of the oldest entries each run looks at, so that a long journal delays no run. */
const OLDEST = 20_000;

/** Keeps the oldest entry of each release, so that the release stays known. */
export function pruneStatement(journal: string, keepMs: number): string {
  return (
    `DELETE FROM ${journal} j USING (SELECT id FROM ${journal} ORDER BY id LIMIT ${OLDEST}) oldest` +
    ` WHERE j.id = oldest.id AND j.at < now() - ${intervalOf(keepMs)} AND j.event IN (${CHANGED_NOTHING})` +
    ` AND NOT EXISTS (SELECT FROM ${journal} k WHERE k.run = j.run AND k.event NOT IN (${CHANGED_NOTHING}))` +
    ` AND (j.release IS NULL OR EXISTS (SELECT FROM ${journal} r WHERE r.release = j.release AND r.id < j.id))`
  );
}
