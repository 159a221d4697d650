/** Held versions (rolled back on purpose): which releases must not apply them again, and what ends the hold. */
import type { Version } from '../migration.ts';
import { isKnownRelease, releaseName } from '../release.ts';

/** What a rollback records, so that nobody applies the version again by accident. */
export interface HeldVersion {
  readonly version: Version;
  readonly at: Date;
  /** The runner that rolled it back, and its release. */
  readonly by: string;
  readonly release?: string | undefined;
  readonly reason?: string | undefined;
  /** Every release that was known then: none of these applies it again. */
  readonly releases: readonly string[];
  /** The release that had applied it. */
  readonly appliedBy?: string | undefined;
}

export type HeldUntil = 'new release' | 'reapply' | 'repair';

export interface NoLongerHeld {
  readonly hold: HeldVersion;
  readonly because: HeldUntil;
}

export interface HeldCheck {
  readonly release: string | undefined;
  /** The versions of `--reapply`. */
  readonly reapply: readonly Version[];
}

/**
 * Of the holds on versions that are about to be applied: which bind this release, and which end with the application.
 */
export function judgeHeldVersions(
  holds: readonly HeldVersion[],
  versions: readonly Version[],
  asker: HeldCheck,
): { readonly binding: readonly HeldVersion[]; readonly ended: readonly NoLongerHeld[] } {
  const binding: HeldVersion[] = [];
  const ended: NoLongerHeld[] = [];
  for (const hold of holds.filter(({ version }) => versions.includes(version))) {
    const because = endOf(hold, asker);
    if (because === undefined) binding.push(hold);
    else ended.push({ hold, because });
  }
  return { binding, ended };
}

/** What ends the hold; undefined if it binds. A release that was known stays bound, even if its file has changed. */
function endOf(hold: HeldVersion, { release, reapply }: HeldCheck): HeldUntil | undefined {
  if (reapply.includes(hold.version)) return 'reapply';
  // A run without a release does not count as a new release.
  if (release === undefined || isKnownRelease(release, hold.releases)) return undefined;
  const names = namesOf(hold);
  return names.length === 0 || names.includes(releaseName(release)) ? 'new release' : undefined;
}

/**
 * The names whose later release ends the hold: of the release that had applied it, else that rolled it back, else any
 * known one.
 */
function namesOf({ appliedBy, release, releases }: HeldVersion): readonly string[] {
  const known = appliedBy ?? release;
  return (known === undefined ? releases : [known]).map(releaseName);
}

/** One line for people. */
export function describeHeldVersion({ version, at, by, release, reason }: HeldVersion): string {
  const who = release === undefined ? by : `${by} (release ${release})`;
  return `${version} was rolled back by ${who} at ${at.toISOString()}${reason === undefined ? '' : `: ${reason}`}`;
}
