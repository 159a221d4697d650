/** Keeps a run from applying what was rolled back on purpose, and tells of holds that end. */
import { MigratorError } from '../../core/errors.ts';
import {
  describeHeldVersion,
  judgeHeldVersions,
  type NoLongerHeld,
  type HeldVersion,
  type HeldCheck,
} from '../../core/plan/held-versions.ts';
import type { Version } from '../../core/migration.ts';
import type { Reporter } from '../../core/ports.ts';

/** The holds that end with this run. @throws MigratorError HISTORY_CONFLICT when one binds it. */
export function refuseHeldVersions(
  holds: readonly HeldVersion[],
  versions: readonly Version[],
  asker: HeldCheck,
): readonly NoLongerHeld[] {
  const { binding, ended } = judgeHeldVersions(holds, versions, asker);
  if (binding.length > 0) throw heldVersionsError(binding);
  return ended;
}

/** For commands that only look: a role that may read the history alone is told that it does not see everything. */
export async function ifVisible<T>(read: Promise<T>, otherwise: T, warn: (message: string) => void): Promise<T> {
  return await read.catch((error: unknown) => {
    if (!(error instanceof MigratorError) || error.code !== 'ACCESS_REFUSED') throw error;
    warn('this role may not read the journal, so what is held looks pending to it: grant it SELECT on that table, too');
    return otherwise;
  });
}

export function reportNoLongerHeld(ended: readonly NoLongerHeld[], reporter: Reporter, dryRun: boolean): void {
  for (const { hold, because } of ended) reporter.report({ type: 'hold.ended', hold, because, dryRun });
}

/** For a run that would apply what is held for it. */
export function heldVersionsError(holds: readonly HeldVersion[]): MigratorError {
  const versions = holds.map(({ version }) => version);
  const [first] = versions;
  return new MigratorError(
    'HISTORY_CONFLICT',
    `${versions.join(', ')} ${versions.length === 1 ? 'is' : 'are'} held: rolled back on purpose, and not to be applied again by this release; nothing was applied`,
    {
      problems: holds.map(describeHeldVersion),
      ...(versions.length === 1 && first !== undefined && { version: first }),
      hint: `deploy a new release, or apply it again on purpose: lockstep up --reapply ${versions.join(',')} (lockstep repair --only VERSION ends a hold without applying)`,
    },
  );
}
