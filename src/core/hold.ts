/** Versions that were rolled back on purpose: for whom they are held, and what ends that. */
import { MigratorError } from './errors.ts';
import type { Migration, Version } from './migration.ts';
import { isKnownRelease } from './release.ts';

/** What a rollback leaves behind, so that nobody applies the version again by accident. */
export interface Hold {
  readonly version: Version;
  readonly at: Date;
  /** The runner that rolled it back, and its release. */
  readonly by: string;
  readonly release?: string | undefined;
  readonly reason?: string | undefined;
  /** Every release that was known then: these do not apply it again. */
  readonly releases: readonly string[];
  /** Of the up file that was applied; another text is another migration. */
  readonly upChecksum?: string | undefined;
}

export type HoldEnd = 'new release' | 'changed file' | 'reapply' | 'repair';

export interface EndedHold {
  readonly hold: Hold;
  readonly because: HoldEnd;
}

export interface HoldAsker {
  readonly release: string | undefined;
  /** What a person wants to be applied again. */
  readonly reapply: readonly Version[];
}

/** Of the holds on `migrations`, which bind who asks, and which end with it. */
export function judgeHolds(
  holds: readonly Hold[],
  migrations: readonly Migration[],
  asker: HoldAsker,
): { readonly binding: readonly Hold[]; readonly ended: readonly EndedHold[] } {
  const files = new Map(migrations.map((migration) => [migration.version, migration]));
  const binding: Hold[] = [];
  const ended: EndedHold[] = [];
  for (const hold of holds) {
    const file = files.get(hold.version);
    const because = file && endOf(hold, file, asker);
    if (because !== undefined) ended.push({ hold, because });
    else if (file) binding.push(hold);
  }
  return { binding, ended };
}

function endOf(hold: Hold, { version, up }: Migration, { release, reapply }: HoldAsker): HoldEnd | undefined {
  if (reapply.includes(version)) return 'reapply';
  if (!isSameText(hold, up.checksum)) return 'changed file';
  // A person or a container without a release is no new release.
  return release === undefined || isKnownRelease(release, hold.releases) ? undefined : 'new release';
}

/** Whether the hold is about this text of the up file. */
export function isSameText({ upChecksum }: Hold, checksum: string): boolean {
  return upChecksum === undefined || upChecksum === checksum;
}

/** One line for people. */
export function describeHold({ version, at, by, release, reason }: Hold): string {
  const who = release === undefined ? by : `${by} (release ${release})`;
  return `${version} was rolled back by ${who} at ${at.toISOString()}${reason === undefined ? '' : `: ${reason}`}`;
}

/** For a run that would apply what is held for it. */
export function heldError(holds: readonly Hold[]): MigratorError {
  const versions = holds.map(({ version }) => version);
  const [first] = versions;
  return new MigratorError(
    'HISTORY_CONFLICT',
    `${versions.join(', ')} ${versions.length === 1 ? 'is' : 'are'} held: rolled back on purpose, and not to be applied again by this release; nothing was applied`,
    {
      problems: holds.map(describeHold),
      ...(versions.length === 1 && first !== undefined && { version: first }),
      hint: `deploy a new release or a changed file, or apply it again on purpose: lockstep up --reapply ${versions.join(',')} (lockstep repair ends the hold without applying)`,
    },
  );
}
