/** Holds in the journal: how they are written, and which of them stand. */
import type { Hold } from '../../../core/hold.ts';
import type { JournalEvent, JournalHold } from '../../../core/history.ts';
import { compareVersions } from '../../../core/migration.ts';
import type { StepScript } from '../../../core/ports.ts';
import type { RunnerIdentity } from '../../../core/runner.ts';
import { journalRows } from './journal-rows.ts';
import type { ResultSet } from './simple-query.ts';
import { literal } from './sql.ts';

interface HoldFacts {
  readonly event: JournalEvent;
  readonly step?: StepScript;
  readonly reason?: string;
}

/** What the journal's row says of a hold; the releases are those that the journal knows at this very moment. */
export function holdSql(journal: string, { release }: RunnerIdentity, { event, step, reason }: HoldFacts): string {
  const facts: [name: string, sql: string][] = [];
  const why = step?.direction === 'down' ? step.reason : reason;
  if (event === 'rolled back' && step?.direction === 'down' && step.hold) {
    const own = release === undefined ? '' : ` UNION SELECT ${literal(release)}`;
    facts.push(['releases', `(SELECT coalesce(pg_catalog.jsonb_agg(r ORDER BY r), '[]') FROM (SELECT DISTINCT release FROM ${journal} WHERE release IS NOT NULL${own}) k(r))`]);
    if (step.upChecksum !== undefined) facts.push(['upChecksum', `${literal(step.upChecksum)}::text`]);
  }
  if ((event === 'rolled back' || event === 'hold ended' || event === 'renamed') && why !== undefined) facts.push(['reason', `${literal(why)}::text`]);
  if (facts.length === 0) return 'NULL';
  return `pg_catalog.jsonb_build_object(${facts.map(([name, sql]) => `'${name}', ${sql}`).join(', ')})`;
}

/** Of each version the newest row that says whether it is held, if that is a rollback which holds it. */
export function holdsQuery(journal: string): string {
  return (
    `SELECT version, to_json(at) #>> '{}', runner, release, hold FROM (SELECT DISTINCT ON (version) * FROM ${journalRows(journal)} j` +
    ` WHERE event IN ('applied', 'baselined', 'rolled back', 'hold ended') ORDER BY version, id DESC) newest` +
    ` WHERE event = 'rolled back' AND jsonb_typeof(hold->'releases') = 'array'`
  );
}

export function readHolds(result: ResultSet | undefined): Hold[] {
  const holds = (result?.rows ?? []).map(([version, at, runner, release, json]) => {
    const { releases = [], upChecksum, reason } = JSON.parse(json ?? '{}') as JournalHold;
    return { version: version ?? '', at: new Date(at ?? ''), by: runner ?? '', release: release ?? undefined, releases, upChecksum, reason };
  });
  return holds.sort((a, b) => compareVersions(a.version, b.version));
}
