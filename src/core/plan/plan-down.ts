/**
 * Decides what a rollback runs: (files, history, what the journal keeps, target) → a plan, or every problem at once.
 */
import type { AppliedVersion } from '../history.ts';
import { inPartRemarks, refuseDown, type VersionInPart } from './in-part.ts';
import { compareVersions, type Migration, type Version } from '../migration.ts';
import { changedRemark, judge, statusOf, type Planned } from './plan.ts';
import type { Problem } from './problem.ts';
import type { DownStep } from './step.ts';
import { namedVersion } from './named-version.ts';
import { chooseDown, type DownChoice, type StoredDown } from './stored-down.ts';
import type { DownTarget } from './target.ts';

interface TargetOptions {
  readonly target: DownTarget;
  /** The name of the connected database. */
  readonly database: string;
  readonly squashed?: ReadonlySet<Version> | undefined;
  readonly inPart?: readonly VersionInPart[];
}

export interface PlanDownOptions extends TargetOptions {
  readonly strict: boolean;
  /** With their text. */
  readonly stored: readonly StoredDown[];
  readonly choice?: DownChoice | undefined;
  /** Who besides the owner may change the stored SQL, one sentence each; if anybody may, it does not run. */
  readonly distrust: readonly string[];
  readonly hold?: boolean | undefined;
  readonly reason?: string | undefined;
}

/** The versions to roll back, newest first, or why the target cannot be reached. */
export function leavingVersions(
  migrations: readonly Migration[],
  applied: readonly AppliedVersion[],
  { target: given, database, squashed, inPart = [] }: TargetOptions,
): { readonly leaving: readonly Version[]; readonly problems: readonly Problem[] } {
  const newestFirst = applied.map((row) => row.version).sort((a, b) => compareVersions(b, a));
  const begun = inPart.filter(({ direction }) => direction === 'up').map(({ version }) => version);
  const target =
    given.kind === 'version' ? { ...given, version: namedVersion(given.version, [...newestFirst, ...begun]) } : given;
  const problems = refuseTarget(target, { migrations, newestFirst, database, squashed });
  // The target itself is in part: show how to settle that.
  if (target.kind === 'version' && begun.includes(target.version))
    return { leaving: [], problems: refuseDown(inPart, { beyond: [target.version], leaving: [] }) };
  if (problems.length > 0) return { leaving: [], problems };
  const leaving = beyondTarget(target, newestFirst, migrations);
  const beyond = beyondTarget(
    target,
    [...newestFirst, ...begun].sort((a, b) => compareVersions(b, a)),
    migrations,
  );
  return { leaving, problems: refuseDown(inPart, { beyond, leaving }) };
}

/** Which of the versions, passed newest first, are newer than the target. */
export function beyondTarget(
  target: DownTarget,
  newestFirst: readonly Version[],
  migrations: readonly Migration[],
): readonly Version[] {
  const newestFile = newestOf(migrations);
  return newestFirst.filter((version, index) => {
    switch (target.kind) {
      case 'all':
        return true;
      case 'steps':
        return index < target.count;
      case 'version':
        return compareVersions(version, target.version) > 0;
      case 'files':
        return newestFile !== undefined && compareVersions(version, newestFile) > 0;
    }
  });
}

export function planDown(
  migrations: readonly Migration[],
  applied: readonly AppliedVersion[],
  options: PlanDownOptions,
): Planned {
  const { leaving, problems: refusals } = leavingVersions(migrations, applied, options);
  if (refusals.length > 0) return { ok: false, problems: refusals };
  const { steps, problems } = stepsOf(leaving, migrations, options);
  if (problems.length > 0) return { ok: false, problems };

  const rows = new Set(applied.map((row) => row.version));
  const pending = migrations.map(({ version }) => version).filter((version) => !rows.has(version));
  const changed = changedRemark(statusOf(migrations, applied), options.strict || steps.length > 0);
  const remarks = [...inPartRemarks(options.inPart ?? [], leaving), ...orderRemark(options.target, leaving, applied)];
  return judge({ steps, skipped: pending.toReversed(), pending, ahead: [] }, [
    changed,
    ...remarks.map((message) => ({ message, refused: false, hint: '' })),
  ]);
}

function stepsOf(
  leaving: readonly Version[],
  migrations: readonly Migration[],
  { stored, choice, distrust, hold = false, reason }: PlanDownOptions,
): { readonly steps: readonly DownStep[]; readonly problems: readonly Problem[] } {
  const files = new Map(migrations.map((migration) => [migration.version, migration]));
  const kept = new Map(stored.map((one) => [one.version, one]));
  const steps: DownStep[] = [];
  const problems: Problem[] = [];
  for (const version of leaving) {
    const file = files.get(version);
    const chosen = chooseDown(version, { file, stored: kept.get(version), choice });
    if ('problem' in chosen) problems.push(chosen.problem);
    else steps.push({ version, direction: 'down', ...chosen, hold, reason });
  }
  const fromJournal = steps.filter(({ source }) => source === 'stored').map(({ version }) => version);
  if (fromJournal.length > 0) problems.push(...distrust.map((why) => untrusted(why, fromJournal)));
  return { steps, problems };
}

/** `--steps` counts in version order, so it may not roll back what was applied last, out of order. */
function orderRemark(target: DownTarget, leaving: readonly Version[], applied: readonly AppliedVersion[]): string[] {
  const [last, ...others] = applied
    .filter(({ appliedAt }) => appliedAt)
    .sort((a, b) => Number(b.appliedAt) - Number(a.appliedAt));
  // Versions of one transaction or import have the same time: none of them is the last.
  const isOne = last && others.every(({ appliedAt }) => Number(appliedAt) !== Number(last.appliedAt));
  if (target.kind !== 'steps' || !isOne || leaving.length === 0 || leaving.includes(last.version)) return [];
  return [
    `--steps ${target.count} rolls back ${leaving.join(', ')}, the newest by version; ${last.version}, which was applied last (out of order), stays: to choose the version that stays, use --to VERSION`,
  ];
}

function untrusted(why: string, versions: readonly Version[]): Problem {
  return {
    code: 'ROLLBACK_REFUSED',
    message: `the stored down SQL of ${versions.join(', ')} cannot be trusted: ${why}`,
    hint: 'revoke that, or review the stored SQL with --dry-run --trust-stored and run it with --trust-stored',
  };
}

interface Place {
  readonly migrations: readonly Migration[];
  readonly newestFirst: readonly Version[];
  readonly database: string;
  readonly squashed: ReadonlySet<Version> | undefined;
}

function refuseTarget(target: DownTarget, place: Place): Problem[] {
  const refused = (message: string): Problem[] => [{ code: 'ROLLBACK_REFUSED', message }];
  switch (target.kind) {
    case 'steps':
      return [];
    case 'all':
      if (target.database === place.database) return [];
      return refused(`--confirm says "${target.database}", but the connected database is "${place.database}"`);
    case 'version':
      if (place.newestFirst.includes(target.version)) return [];
      return refused(
        `${target.version} is not applied, so nothing can be rolled back to it${candidates(place.newestFirst)}`,
      );
    case 'files':
      return refuseFiles(place)
        .flatMap(refused)
        .map((problem) => ({ ...problem, hint: WRONG_FILES }));
  }
}

const WRONG_FILES =
  'check --dir, and that the image holds the files of the release to go back to; or name the version that stays with --to VERSION';

/** A wrong or empty mount must not be taken for an old release: every version would be newer than its files. */
function refuseFiles({ migrations, newestFirst, squashed }: Place): string[] {
  const newest = newestOf(migrations);
  if (newest === undefined) return ['--to-files: there are no migration files, so every version would be rolled back'];
  const files = new Set(migrations.map(({ version }) => version));
  const strangers = newestFirst
    .filter((version) => !files.has(version) && compareVersions(version, newest) < 0 && squashed?.has(version) !== true)
    .toReversed();
  return [
    ...(newestFirst.includes(newest)
      ? []
      : [`--to-files: ${newest}, the newest file, is not applied${candidates(newestFirst)}`]),
    ...(strangers.length === 0
      ? []
      : [
          `--to-files: these files are not an older release of this database: they lack ${strangers.join(', ')}, older than their newest file, ${newest}`,
        ]),
  ];
}

function newestOf(migrations: readonly Migration[]): Version | undefined {
  return migrations
    .map(({ version }) => version)
    .sort(compareVersions)
    .at(-1);
}

/** The end of a sentence: what `--to` may name. */
export function candidates(newestFirst: readonly Version[]): string {
  const newest = newestFirst.slice(0, 10).join(', ');
  return newest === '' ? '; no version is applied' : `; the newest applied are ${newest}`;
}
