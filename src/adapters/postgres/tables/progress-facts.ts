/** Which versions are in part according to the journal, and whether it knows a release. */
import type { Direction } from '../../../core/migration.ts';
import { progressOf, type VersionInPart } from '../../../core/plan/in-part.ts';
import type { JournalLook } from '../../../core/ports.ts';
import type { Encoding } from '../wire/encoding.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import type { Statements } from '../wire/statements.ts';
import { literal } from '../wire/sql.ts';

/** Events that end a version, or reset its progress. */
export const VERSION_ENDS = `'applied', 'rolled back', 'baselined', 'progress reset'`;

/** The path may be that of the place where the tables are (check.ts). */
const IS = 'OPERATOR(pg_catalog.=)';

const STATEMENT_EVENTS = `'statement started', 'statement done', 'statement failed', 'statement reset'`;

/** Statements since their versions last ended, oldest first. A journal of an early version may lack `statement_sql`. */
export function inPartQuery(journal: string, { withSql }: { readonly withSql: boolean }): string {
  return (
    `SELECT s.version, s.direction, s.event, s.statement, s.checksum, ${withSql ? 's.statement_sql' : 'NULL'} FROM ${journal} s` +
    // The second condition implies the first, but only the first can use an index.
    ` WHERE s.statement IS NOT NULL AND s.event ${IS} ANY (ARRAY[${STATEMENT_EVENTS}])` +
    ` AND NOT EXISTS (SELECT 1 FROM ${journal} e WHERE e.version ${IS} s.version AND e.id OPERATOR(pg_catalog.>) s.id` +
    ` AND e.event ${IS} ANY (ARRAY[${VERSION_ENDS}])) ORDER BY s.id`
  );
}

export function readInPart(result: ResultSet | undefined): VersionInPart[] {
  const rows = (result?.rows ?? []).map(([version, direction, event, statement, checksum, sql]) => ({
    version: version ?? '',
    direction: direction as Direction,
    event: event ?? '',
    statement: Number(statement),
    checksum: checksum ?? '',
    ...(sql != null && { sql }),
  }));
  return progressOf(rows);
}

/** Two plain statements: a new session's planner is fastest with those. */
export function lookQueries(
  journal: string,
  release: string | undefined,
): Readonly<Record<'seen' | 'in part', string>> {
  const seen =
    release === undefined ? 'true' : `EXISTS (SELECT 1 FROM ${journal} WHERE release ${IS} ${literal(release)})`;
  return { seen: `SELECT ${seen}`, 'in part': inPartQuery(journal, { withSql: false }) };
}

/** Undefined when there is no answer. */
export function readLook(
  message: Statements,
  results: readonly ResultSet[],
  { decode }: Encoding,
): JournalLook | undefined {
  const [seen, inPart] = [message.result('seen', results), message.result('in part', results)];
  if (!seen || !inPart) return undefined;
  const rows = inPart.rows.map((row) => row.map((value) => (value === null ? null : decode(value))));
  return { releaseSeen: seen.rows[0]?.[0] === 't', inPart: readInPart({ ...inPart, rows }) };
}

/** Versions whose newest ending event says that they were applied or recorded. */
export function appliedByJournalQuery(journal: string): string {
  return (
    `SELECT version FROM (SELECT DISTINCT ON (version) version, event FROM ${journal} WHERE event IN (${VERSION_ENDS}) AND event <> 'progress reset'` +
    ` ORDER BY version, id DESC) newest WHERE event <> 'rolled back'`
  );
}

/** The id of the entry that last ended this version. */
export function lastEnd(journal: string, version: string): string {
  return (
    `coalesce((SELECT pg_catalog.max(id) FROM ${journal} WHERE version = ${literal(version)}` +
    ` AND event IN (${VERSION_ENDS})), 0)`
  );
}
