/** Versions that were rolled back on purpose: for whom they are held, and what ends that. */
import type { Version } from '../migration.ts';
import { isKnownRelease, releaseName } from '../release.ts';

/** What a rollback leaves behind, so that nobody applies the version again by accident. */
export interface HeldVersion {
  readonly version: Version;
  readonly at: Date;
  /** The runner that rolled it back, and its release. */
  readonly by: string;
  readonly release?: string | undefined;
  readonly reason?: string | undefined;
  /** Every release that was known then: these do not apply it again. */
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
  /** What a person wants to be applied again. */
  readonly reapply: readonly Version[];
}

/** Of the holds on what is about to be applied: which bind who asks, and which end when it is applied. */
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

/** Whatever the text of the file is: a release that was known stays bound. */
function endOf(hold: HeldVersion, { release, reapply }: HeldCheck): HeldUntil | undefined {
  if (reapply.includes(hold.version)) return 'reapply';
  // A person or a container without a release is no new release.
  if (release === undefined || isKnownRelease(release, hold.releases)) return undefined;
  const names = namesOf(hold);
  return names.length === 0 || names.includes(releaseName(release)) ? 'new release' : undefined;
}

/** Whose later release ends it: of who had applied it, else of who rolled it back, else of anybody who was known. */
function namesOf({ appliedBy, release, releases }: HeldVersion): readonly string[] {
  const known = appliedBy ?? release;
  return (known === undefined ? releases : [known]).map(releaseName);
}

/** One line for people. */
export function describeHeldVersion({ version, at, by, release, reason }: HeldVersion): string {
  const who = release === undefined ? by : `${by} (release ${release})`;
  return `${version} was rolled back by ${who} at ${at.toISOString()}${reason === undefined ? '' : `: ${reason}`}`;
}
