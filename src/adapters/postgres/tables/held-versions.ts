/** Holds in the journal: how they are written, and which are in force. */
import type { HeldVersion } from '../../../core/plan/held-versions.ts';
import type { JournalEvent, JournalHeldVersion } from '../../../core/history.ts';
import { compareVersions, type Version } from '../../../core/migration.ts';
import type { StepScript } from '../../../core/ports.ts';
import type { RunnerIdentity } from '../../../core/runner.ts';
import { journalRows } from './journal-table.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import { literal } from '../wire/sql.ts';

interface HeldVersionFacts {
  readonly event: JournalEvent;
  readonly step?: StepScript;
  /** Where there is no step. */
  readonly version?: Version;
  readonly reason?: string | undefined;
}

/** The hold in a journal entry; its releases are the ones that the journal knows when the entry is written. */
export function holdSql(
  journal: string,
  { release }: RunnerIdentity,
  { event, step, version, reason }: HeldVersionFacts,
): string {
  const facts: [name: string, sql: string][] = [];
  if (event === 'held' || (event === 'rolled back' && step?.direction === 'down' && step.hold)) {
    const own = release === undefined ? '' : ` UNION SELECT ${literal(release)}`;
    facts.push([
      'releases',
      `(SELECT coalesce(pg_catalog.jsonb_agg(r ORDER BY r), '[]') FROM (SELECT DISTINCT release FROM ${journal} WHERE release IS NOT NULL${own}) k(r))`,
    ]);
    facts.push(['appliedBy', appliedBy(journal, step?.version ?? version ?? '')]);
  }
  const why = whyOf(event, step) ?? reason;
  if (why !== undefined) facts.push(['reason', `${literal(why)}::text`]);
  if (facts.length === 0) return 'NULL';
  return `pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(${facts.map(([name, sql]) => `'${name}', ${sql}`).join(', ')}))`;
}

/** Why it was rolled back, or why a hold ends with it. */
function whyOf(event: JournalEvent, step: StepScript | undefined): string | undefined {
  if (step?.direction === 'down') return event === 'rolled back' ? step.reason : undefined;
  return event === 'applied' ? step?.ends?.because : undefined;
}

/** The release of the newest row that records it. */
function appliedBy(journal: string, version: Version): string {
  return `(SELECT release FROM ${journal} WHERE version = ${literal(version)} AND event IN ('applied', 'baselined') ORDER BY id DESC LIMIT 1)`;
}

/** For each version, the newest entry that says whether it is held. */
function newestSayings(journal: string): string {
  return (
    `(SELECT DISTINCT ON (version) * FROM ${journalRows(journal)} j WHERE event IN ('applied', 'baselined', 'rolled back', 'held', 'hold ended')` +
    ` ORDER BY version, id DESC)`
  );
}

/** Versions that are held. */
export function heldVersionsQuery(journal: string): string {
  return (
    `SELECT version, to_json(at) #>> '{}', runner, release, hold FROM ${newestSayings(journal)} newest` +
    ` WHERE event IN ('rolled back', 'held') AND jsonb_typeof(hold->'releases') = 'array'`
  );
}

export function readHeldVersions(result: ResultSet | undefined): HeldVersion[] {
  const holds = (result?.rows ?? []).map(([version, at, runner, release, json]) => {
    const { releases = [], appliedBy, reason } = JSON.parse(json ?? '{}') as JournalHeldVersion;
    return {
      version: version ?? '',
      at: new Date(at ?? ''),
      by: runner ?? '',
      release: release ?? undefined,
      releases,
      appliedBy,
      reason,
    };
  });
  return holds.sort((a, b) => compareVersions(a.version, b.version));
}

export function rolledBackQuery(journal: string): string {
  return `SELECT version FROM ${newestSayings(journal)} n WHERE n.event IN ('rolled back', 'held', 'hold ended')`;
}
