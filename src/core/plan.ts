/** Decides what a run has to do: (files, history, target) → a plan, or every problem at once. */
import type { AppliedVersion } from './history.ts';
import type { Migration, Version } from './migration.ts';
import { compareVersions, versionNumber } from './migration.ts';
import { nearest } from './nearest.ts';
import type { ErrorCode } from './errors.ts';
import { MigratorError } from './errors.ts';
import type { DownTarget, UpTarget } from './target.ts';

/** Each version that files or history know. */
export type VersionState = 'applied' | 'pending' | 'unknown' | 'changed' | 'out of order';

export interface VersionStatus {
  readonly version: Version;
  readonly state: VersionState;
  readonly appliedAt?: Date | undefined;
}

export interface Plan {
  /** In the order in which they run. */
  readonly steps: readonly Migration[];
  /** Needed nothing: already applied (up) or not applied (down). */
  readonly skipped: readonly Version[];
  /** Every file that is not applied, in the plan or not. */
  readonly pending: readonly Version[];
  /** Applied, but without a file here. */
  readonly ahead: readonly Version[];
  readonly warnings: readonly string[];
}

/** Something that forbids the plan. */
interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
}

export type Planned =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Every version of files and history in version order, and how it stands. */
export function statusOf(migrations: readonly Migration[], applied: readonly AppliedVersion[]): VersionStatus[] {
  const rows = new Map(applied.map((row) => [row.version, row]));
  const files = new Map(migrations.map((migration) => [migration.version, migration]));
  const newest = newestApplied(migrations, rows);
  const versions = [...new Set([...files.keys(), ...rows.keys()])].sort(compareVersions);
  return versions.map((version) => {
    const row = rows.get(version);
    const file = files.get(version);
    if (!row) {
      const late = newest !== undefined && compareVersions(version, newest) < 0;
      return { version, state: late ? 'out of order' : 'pending' };
    }
    if (!file) return { version, state: 'unknown', appliedAt: row.appliedAt };
    const same = row.checksum === undefined || row.checksum === file.up.checksum;
    return { version, state: same ? 'applied' : 'changed', appliedAt: row.appliedAt };
  });
}

/** Every file that is not applied. */
export function pendingVersions(migrations: readonly Migration[], applied: readonly AppliedVersion[]): Version[] {
  return statusOf(migrations, applied)
    .filter(({ state }) => state === 'pending' || state === 'out of order')
    .map(({ version }) => version);
}

/** The newest version that is applied and has a file: what an image knows to be done. */
function newestApplied(
  migrations: readonly Migration[],
  rows: ReadonlyMap<Version, AppliedVersion>,
): Version | undefined {
  return migrations
    .map((migration) => migration.version)
    .filter((version) => rows.has(version))
    .sort(compareVersions)
    .at(-1);
}

/** Pairs of files with the same number, as one sentence each. */
export function equalNumbers(migrations: readonly Migration[]): string[] {
  const byNumber = Map.groupBy(migrations, (migration) => versionNumber(migration.version));
  return [...byNumber.values()]
    .filter((group) => group.length > 1)
    .map((group) => `the same number twice, so their names decide the order: ${group.map((migration) => migration.version).join(', ')}`);
}

export function planUp(
  migrations: readonly Migration[],
  applied: readonly AppliedVersion[],
  options: { readonly target: UpTarget; readonly strict: boolean },
): Planned {
  const { target, strict } = options;
  if (target.kind === 'version') {
    const problem = unknownTarget(target.version, migrations);
    if (problem) return { ok: false, problems: [problem] };
  }
  const status = statusOf(migrations, applied);
  const isPending = new Set(
    status.filter((row) => row.state === 'pending' || row.state === 'out of order').map((row) => row.version),
  );
  const inReach = migrations.filter(
    ({ version }) => target.kind === 'latest' || compareVersions(version, target.version) <= 0,
  );
  const steps = inReach.filter(({ version }) => isPending.has(version));
  const skipped = inReach.map(({ version }) => version).filter((version) => !isPending.has(version));
  const late = status.filter((row) => row.state === 'out of order' && steps.some((s) => s.version === row.version));
  const ahead = versionsIn(status, 'unknown');
  return judge(
    { steps, skipped, pending: [...isPending], ahead },
    [
      { message: list('changed after it was applied', versionsIn(status, 'changed')), refused: strict || steps.length > 0 },
      { message: list('pending but older than the newest applied (out of order)', late.map((row) => row.version)), refused: strict },
      { message: list('applied, but these files have no such version (the database is ahead)', ahead), refused: strict },
      ...equalNumbers(migrations).map((message) => ({ message, refused: strict })),
    ],
  );
}

export function planDown(
  migrations: readonly Migration[],
  applied: readonly AppliedVersion[],
  options: { readonly target: DownTarget; readonly strict: boolean; readonly database: string },
): Planned {
  const { target, strict, database } = options;
  const newestFirst = applied.map((row) => row.version).sort((a, b) => compareVersions(b, a));
  const refusal = refuseTarget(target, newestFirst, database);
  if (refusal) return { ok: false, problems: [refusal] };

  const leaving = newestFirst.filter((version, index) => {
    if (target.kind === 'all') return true;
    return target.kind === 'steps' ? index < target.count : compareVersions(version, target.version) > 0;
  });
  const files = new Map(migrations.map((migration) => [migration.version, migration]));
  const problems = leaving.flatMap((version) => whyNotReversible(version, files.get(version)));
  if (problems.length > 0) return { ok: false, problems };

  const steps = leaving.flatMap((version) => files.get(version) ?? []);
  const rows = new Set(newestFirst);
  const pending = migrations.map(({ version }) => version).filter((version) => !rows.has(version));
  const changed = versionsIn(statusOf(migrations, applied), 'changed');
  return judge({ steps, skipped: pending.toReversed(), pending, ahead: [] }, [
    { message: list('changed after it was applied', changed), refused: strict || steps.length > 0 },
  ]);
}

function refuseTarget(target: DownTarget, newestFirst: readonly Version[], database: string): Problem | undefined {
  if (target.kind === 'all' && target.database !== database) {
    return {
      code: 'ROLLBACK_REFUSED',
      message: `--confirm says "${target.database}", but the connected database is "${database}"`,
    };
  }
  if (target.kind !== 'version' || newestFirst.includes(target.version)) return undefined;
  const candidates = newestFirst.slice(0, 10).join(', ');
  return {
    code: 'ROLLBACK_REFUSED',
    message:
      `${target.version} is not applied, so nothing can be rolled back to it` +
      (candidates === '' ? '; no version is applied' : `; the newest applied are ${candidates}`),
  };
}

function whyNotReversible(version: Version, migration: Migration | undefined): Problem[] {
  const refused = (message: string): Problem[] => [{ code: 'ROLLBACK_REFUSED', message }];
  if (!migration) return refused(`${version}: these files do not have it, so there is no down script`);
  if (migration.up.directives.irreversible || migration.down?.directives.irreversible === true) {
    return refused(`${version}: its file says "irreversible"`);
  }
  return migration.down ? [] : refused(`${version}: there is no ${version}.down.sql`);
}

function unknownTarget(version: Version, migrations: readonly Migration[]): Problem | undefined {
  const versions = migrations.map((migration) => migration.version);
  if (versions.includes(version)) return undefined;
  const guess = nearest(version, versions) ?? versions.at(-1);
  return {
    code: 'CONFIG_INVALID',
    message: `--to ${version}: there is no such migration${guess === undefined ? '' : `; did you mean ${guess}?`}`,
  };
}

function versionsIn(status: readonly VersionStatus[], state: VersionState): Version[] {
  return status.filter((row) => row.state === state).map((row) => row.version);
}

function list(what: string, versions: readonly Version[]): string {
  return versions.length === 0 ? '' : `${what}: ${versions.join(', ')}`;
}

/** Remarks become warnings, or together refuse the plan when one of them must. */
function judge(
  plan: Omit<Plan, 'warnings'>,
  remarks: readonly { readonly message: string; readonly refused: boolean }[],
): Planned {
  const told = remarks.filter((remark) => remark.message !== '');
  const refused = told.filter((remark) => remark.refused);
  if (refused.length > 0) {
    return { ok: false, problems: refused.map(({ message }) => ({ code: 'HISTORY_CONFLICT', message })) };
  }
  return { ok: true, plan: { ...plan, warnings: told.map((remark) => remark.message) } };
}

/** The plan, or its problems as one error. */
export function planOrThrow(planned: Planned): Plan {
  if (planned.ok) return planned.plan;
  const [first] = planned.problems;
  const messages = planned.problems.map((problem) => problem.message);
  const code = first?.code ?? 'HISTORY_CONFLICT';
  throw new MigratorError(code, SUMMARIES[code] ?? 'the plan is refused', {
    problems: messages,
    hint: HINTS[code],
  });
}

const SUMMARIES: Partial<Record<ErrorCode, string>> = {
  CONFIG_INVALID: 'the target does not exist',
  HISTORY_CONFLICT: 'the migration files and the history of the database disagree',
  ROLLBACK_REFUSED: 'the rollback is refused; nothing was run',
};

const HINTS: Partial<Record<ErrorCode, string>> = {
  CONFIG_INVALID: 'see "lockstep status" for the versions',
  HISTORY_CONFLICT: 'restore the file as it was applied and put the change into a new migration; "lockstep status" lists every version',
  ROLLBACK_REFUSED: 'see "lockstep status", then choose a target whose down scripts all exist',
};
