/** What is known of each database of a fleet, and which of its problems decides the exit code? */
import { ERRORS, MigratorError, type ErrorCode } from './errors.ts';
import type { JournalEntry } from './history.ts';
import type { Version } from './migration.ts';
import type { VersionStatus } from './plan/plan.ts';
import type { Holder } from './runner.ts';

export interface TargetReport {
  readonly target: string;
  /** Absent if the target could not be read. */
  readonly seen?: TargetState;
  /** Why it could not be read, or why a run would refuse what is pending. */
  readonly error?: MigratorError;
}

interface TargetState {
  readonly rows: readonly VersionStatus[];
  /** The newest failure of a version that is still not applied. */
  readonly failed?: JournalEntry | undefined;
  /** Who is at work. */
  readonly holder?: Holder | undefined;
}

/** From the gravest to the one that goes away by itself. */
const GRAVITY: readonly ErrorCode[] = [
  'INTERRUPTED',
  'MIGRATION_INCOMPLETE',
  'MIGRATION_FAILED',
  'DRIFTED',
  'CONFIG_INVALID',
  'MIGRATIONS_INVALID',
  'HISTORY_CONFLICT',
  'ACCESS_REFUSED',
  'ROLLBACK_REFUSED',
  'NOT_PROVEN',
  'INTERNAL',
  'OUTCOME_UNKNOWN',
  'HOOK_FAILED',
  'DATABASE_UNAVAILABLE',
  'LOCK_TIMEOUT',
  'CONTENTION',
  'PENDING',
];

/** The one that decides the exit code of a run over many. */
export function gravest(codes: readonly ErrorCode[]): ErrorCode | undefined {
  return codes.toSorted((a, b) => GRAVITY.indexOf(a) - GRAVITY.indexOf(b))[0];
}

/** Undefined for a target that is up to date. */
export function problemOf({ seen, error }: TargetReport): ErrorCode | undefined {
  if (!seen) return error?.code;
  const { rows, failed, holder } = seen;
  const inPart = rows.find(({ state }) => state === 'in part');
  // A failure says more; without one, the run was killed.
  if (inPart && !holder && failed?.version !== inPart.version) return 'MIGRATION_INCOMPLETE';
  return missingVersions(rows).length === 0 ? undefined : (error?.code ?? failed?.code ?? 'PENDING');
}

/** Versions whose files are not fully applied. */
export function missingVersions(rows: readonly VersionStatus[]): Version[] {
  const states = ['pending', 'out of order', 'held', 'in part'];
  return rows.filter(({ state }) => states.includes(state)).map(({ version }) => version);
}

/** The journal keeps the SQLSTATE at the end of the error's text. */
export function sqlstateOf({ error = '' }: Pick<JournalEntry, 'error'>): string | undefined {
  return / \(([0-9A-Z]{5})\)$/.exec(error)?.[1];
}

/** How many targets an error names; the answer has all. */
const NAMED = 10;

interface Judging {
  /** What each is. */
  readonly noun: string;
  readonly codeOf: typeof problemOf;
}

/** For `status` with `--schemas`, whose exit code is that of `status`: what is not applied is pending, why ever. */
export const AS_STATUS: Judging = {
  noun: 'schemas',
  codeOf: (report) => (report.seen && problemOf(report) ? 'PENDING' : problemOf(report)),
};

/** Undefined when every target is up to date. */
export function fleetError(
  reports: readonly TargetReport[],
  { noun, codeOf }: Judging = { noun: 'targets', codeOf: problemOf },
): MigratorError | undefined {
  const wrong = reports.flatMap((report) => {
    const code = codeOf(report);
    return code === undefined ? [] : [{ report, code }];
  });
  const code = gravest(wrong.map((one) => one.code));
  if (code === undefined) return undefined;
  // Those first that decide the exit code.
  const first = wrong.toSorted((a, b) => Number(b.code === code) - Number(a.code === code));
  const problems = first.slice(0, NAMED).map(({ report, code }) => `${report.target}: ${describe(report, code)}`);
  const left = wrong.length - problems.length;
  return new MigratorError(code, `${wrong.length} of ${reports.length} ${noun} are not up to date`, {
    problems: left === 0 ? problems : [...problems, `and ${left} more`],
    hint: `correct the causes, then run again: ${noun} with nothing pending are left as they are`,
  });
}

function describe({ seen, error }: TargetReport, code: ErrorCode): string {
  if (error) return `${code} (exit ${error.exit}): ${error.summary}`;
  if (code === 'PENDING') return describePending(seen);
  const sqlstate = seen?.failed && sqlstateOf(seen.failed);
  return `${code} (exit ${ERRORS[code].exit})${sqlstate === undefined ? '' : `, SQLSTATE ${sqlstate}`}`;
}

export function describePending(seen: TargetReport['seen']): string {
  const failed = seen?.failed ? `, ${seen.failed.version} failed` : '';
  return `${missingVersions(seen?.rows ?? []).length} pending${failed}`;
}
