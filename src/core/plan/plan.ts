/** Decides what a run has to do: (files, history, target) → a plan, or every problem at once. */
import type { AppliedVersion } from '../history.ts';
import type { Migration, Version } from '../migration.ts';
import { compareVersions } from '../migration.ts';
import { equalNumbers, mixedNumbers } from '../file-names.ts';
import { namedVersion, versionGuess } from './named-version.ts';
import type { ErrorCode } from '../errors.ts';
import { MigratorError } from '../errors.ts';
import type { HeldVersion } from './held-versions.ts';
import { inPartRemarks, refuseUp, type VersionInPart } from './in-part.ts';
import type { Problem } from './problem.ts';
import { findRenames, renameProblems, sameNumbers } from './renames.ts';
import type { StepScript } from './step.ts';
import type { UpTarget } from './target.ts';

/** The state of a version that the files or the history know. */
export type VersionState = 'applied' | 'pending' | 'in part' | 'held' | 'unknown' | 'changed' | 'out of order';

export interface VersionStatus {
  readonly version: Version;
  readonly state: VersionState;
  readonly appliedAt?: Date | undefined;
  /** Of a held version. */
  readonly hold?: HeldVersion;
  /** Of a version in part: how far it is. */
  readonly inPart?: VersionInPart;
  /**
   * INVALID indexes that its file builds concurrently: another runner has recorded the version although the build
   * failed.
   */
  readonly invalidIndexes?: readonly string[];
}

export interface Plan {
  /** In the order in which they run. */
  readonly steps: readonly StepScript[];
  /** Nothing to do: already applied (up) or not applied (down). */
  readonly skipped: readonly Version[];
  /** Every file that is not applied, in the plan or not. */
  readonly pending: readonly Version[];
  /** Applied, but without a file here. */
  readonly ahead: readonly Version[];
  readonly warnings: readonly string[];
}

export type Planned =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** What the journal knows in addition to the history. */
export interface JournalFacts {
  readonly heldVersions: readonly HeldVersion[];
  readonly inPart: readonly VersionInPart[];
  /** Applied versions whose files were squashed into another one: no warning. */
  readonly squashed?: ReadonlySet<Version>;
}

export const NO_JOURNAL: JournalFacts = { heldVersions: [], inPart: [] };

/** Every version of files and history, in version order, with its state. */
export function statusOf(
  migrations: readonly Migration[],
  applied: readonly AppliedVersion[],
  { heldVersions: heldVersions, inPart, squashed }: JournalFacts = NO_JOURNAL,
): VersionStatus[] {
  const rows = new Map(applied.map((row) => [row.version, row]));
  const files = new Map(migrations.map((migration) => [migration.version, migration]));
  const parts = new Map(inPart.map((one) => [one.version, one]));
  const versions = [...new Set([...files.keys(), ...rows.keys(), ...parts.keys()])].sort(compareVersions);
  // The newest applied version that this image has a file for.
  const newest = versions.findLast((version) => rows.has(version) && files.has(version));
  const stateOf = (version: Version): Omit<VersionStatus, 'version'> => {
    const row = rows.get(version);
    const file = files.get(version);
    if (!row) {
      const hold = heldVersions.find((one) => one.version === version && file);
      if (hold) return { state: 'held', hold };
      const late = newest !== undefined && compareVersions(version, newest) < 0;
      return { state: late ? 'out of order' : 'pending' };
    }
    if (!file) return { state: squashed?.has(version) === true ? 'applied' : 'unknown', appliedAt: row.appliedAt };
    const same = row.checksum === undefined || row.checksum === file.up.checksum;
    return { state: same ? 'applied' : 'changed', appliedAt: row.appliedAt };
  };
  return versions.map((version) => {
    const part = parts.get(version);
    return { version, ...stateOf(version), ...(part && { state: 'in part', inPart: part }) };
  });
}

/** Every file that is not applied. */
export function pendingVersions(migrations: readonly Migration[], applied: readonly AppliedVersion[]): Version[] {
  const done = new Set(applied.map(({ version }) => version));
  return migrations.map(({ version }) => version).filter((version) => !done.has(version));
}

export function planUp(
  migrations: readonly Migration[],
  applied: readonly AppliedVersion[],
  options: {
    readonly target: UpTarget;
    readonly strict: boolean;
    readonly reapply?: readonly Version[];
    readonly squashed?: ReadonlySet<Version>;
    readonly inPart?: readonly VersionInPart[];
  },
): Planned {
  const { strict, reapply = [], squashed, inPart = [] } = options;
  const versions = migrations.map(({ version }) => version);
  const to = options.target.kind === 'version' ? namedVersion(options.target.version, versions) : undefined;
  const unknown = [
    ...(to === undefined ? [] : unknownVersion('--to', to, versions)),
    ...reapply.flatMap((version) => unknownVersion('--reapply', namedVersion(version, versions), versions)),
  ];
  if (unknown.length > 0) return { ok: false, problems: unknown };
  const status = statusOf(migrations, applied, { ...NO_JOURNAL, ...(squashed && { squashed }) });
  const isPending = new Set(
    status.filter((row) => row.state === 'pending' || row.state === 'out of order').map((row) => row.version),
  );
  const inReach = migrations.filter(({ version }) => to === undefined || compareVersions(version, to) <= 0);
  const steps = inReach
    .filter(({ version }) => isPending.has(version))
    .map((migration): StepScript => ({ version: migration.version, direction: 'up', script: migration.up, migration }));
  const cut = steps.filter(({ script }) => script.text === '');
  if (cut.length > 0)
    return {
      ok: false,
      problems: cut.map(({ script: { file } }) => ({ code: 'MIGRATIONS_INVALID', message: `${file}: ${ZERO_BYTES}` })),
    };
  const problems = refuseUp(inPart, migrations, steps.length);
  if (problems.length > 0) return { ok: false, problems };
  const skipped = inReach.map(({ version }) => version).filter((version) => !isPending.has(version));
  const late = rowsOf(status, versionsOf(steps)).filter(({ state }) => state === 'out of order');
  const ahead = versionsIn(status, 'unknown');
  const gone = rowsOf(applied, ahead);
  const running = steps.flatMap((step) => (step.direction === 'up' ? step.migration : []));
  const renamed = renameProblems(findRenames(running, gone));
  if (renamed.length > 0) return { ok: false, problems: renamed };
  return judge({ steps, skipped, pending: [...isPending], ahead }, [
    changedRemark(status, strict || steps.length > 0),
    ...inPartRemarks(inPart, versionsOf(steps)).map((message) => ({ message, refused: false, hint: '' })),
    ...[
      list(
        'pending but older than the newest applied (out of order)',
        late.map((row) => row.version),
      ),
      list('applied, but without a file here (the database is ahead)', ahead),
      equalNumbers(migrations),
    ].map((message) => ({ message, refused: strict, hint: 'without --strict it is only a warning' })),
    { message: sameNumbers(running, gone), refused: false, hint: '' },
    { message: mixedNumbers(migrations), refused: false, hint: '' },
  ]);
}

/** A half-copied volume looks like this. Once recorded as applied, the complete file would never run. */
export const ZERO_BYTES = 'is empty (zero bytes)';

function unknownVersion(flag: string, version: Version, versions: readonly Version[]): Problem[] {
  if (versions.includes(version)) return [];
  const guess = versionGuess(version, versions);
  const message = `${flag} ${version}: there is no such migration${guess === undefined ? '' : `; ${guess}`}`;
  return [{ code: 'CONFIG_INVALID', message }];
}

interface WithVersion {
  readonly version: Version;
}

function versionsOf(rows: readonly WithVersion[]): Version[] {
  return rows.map(({ version }) => version);
}

function rowsOf<Row extends WithVersion>(rows: readonly Row[], versions: readonly Version[]): Row[] {
  const wanted = new Set(versions);
  return rows.filter(({ version }) => wanted.has(version));
}

function versionsIn(status: readonly VersionStatus[], state: VersionState): Version[] {
  return status.filter((row) => row.state === state).map((row) => row.version);
}

function list(what: string, versions: readonly Version[]): string {
  return versions.length === 0 ? '' : `${what}: ${versions.join(', ')}`;
}

/** A remark about a plan; an empty message means none. */
interface Remark {
  readonly message: string;
  readonly refused: boolean;
  readonly hint: string;
}

export function changedRemark(status: readonly VersionStatus[], refused: boolean): Remark {
  return {
    message: list('changed after it was applied', versionsIn(status, 'changed')),
    refused,
    hint: 'restore the file as it was applied and put the change into a new migration; "lockstep status" lists every version',
  };
}

/** Turns remarks into warnings, or into a refusal if at least one of them demands it. */
export function judge(plan: Omit<Plan, 'warnings'>, remarks: readonly Remark[]): Planned {
  const withMessage = remarks.filter((remark) => remark.message !== '');
  const refused = withMessage.filter((remark) => remark.refused);
  if (refused.length > 0) {
    return { ok: false, problems: refused.map(({ message, hint }) => ({ code: 'HISTORY_CONFLICT', message, hint })) };
  }
  return { ok: true, plan: { ...plan, warnings: withMessage.map((remark) => remark.message) } };
}

/** The plan, or its problems as one error. */
export function planOrThrow(planned: Planned): Plan {
  if (planned.ok) return planned.plan;
  const [first] = planned.problems;
  const messages = planned.problems.map((problem) => problem.message);
  const hints = [...new Set(planned.problems.flatMap(({ hint }) => hint ?? []))];
  const code = first?.code ?? 'HISTORY_CONFLICT';
  throw new MigratorError(code, SUMMARIES[code] ?? 'the plan is refused', {
    problems: messages,
    hint: hints.length > 0 ? hints.join('; ') : HINTS[code],
  });
}

const SUMMARIES: Partial<Record<ErrorCode, string>> = {
  CONFIG_INVALID: 'the target does not exist',
  HISTORY_CONFLICT: 'the migration files and the history of the database disagree',
  MIGRATIONS_INVALID: 'these migrations cannot be run; nothing was run',
  ROLLBACK_REFUSED: 'the rollback is refused; nothing was run',
};

const HINTS: Partial<Record<ErrorCode, string>> = {
  MIGRATIONS_INVALID:
    'check that the image or the volume holds the whole file; if the file is meant to do nothing, write a comment into it',
  CONFIG_INVALID: 'see "lockstep status" for the versions',
  ROLLBACK_REFUSED:
    'choose a target whose versions can all be rolled back, or write a new migration that undoes them; "lockstep status" lists them',
};
