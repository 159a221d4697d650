/** Keeps a run from applying versions that were rolled back on purpose. */
import { MigratorError } from '../../core/errors.ts';
import {
  describeHeldVersion,
  judgeHeldVersions,
  type NoLongerHeld,
  type HeldVersion,
  type HeldCheck,
} from '../../core/plan/held-versions.ts';
import type { Version } from '../../core/migration.ts';
import { namedVersion } from '../../core/plan/named-version.ts';
import type { Plan } from '../../core/plan/plan.ts';
import type { Run } from './run.ts';

/** The holds that this run ends. @throws MigratorError HISTORY_CONFLICT when one forbids its plan. */
export async function checkHeldVersions(
  { session, options: { request, runner } }: Run,
  { steps }: Plan,
): Promise<readonly NoLongerHeld[]> {
  if (request.direction === 'down' || steps.length === 0) return [];
  const versions = steps.map(({ version }) => version);
  return refuseHeldVersions(await session.journal.heldVersions(), versions, {
    release: runner.release,
    reapply: (request.reapply ?? []).map((given) => namedVersion(given, versions)),
  });
}

/**
 * The holds that end for whoever applies these versions. @throws MigratorError HISTORY_CONFLICT when one forbids it.
 */
export function refuseHeldVersions(
  holds: readonly HeldVersion[],
  versions: readonly Version[],
  asker: HeldCheck,
): readonly NoLongerHeld[] {
  const { binding, ended } = judgeHeldVersions(holds, versions, asker);
  if (binding.length > 0) throw heldVersionsError(binding);
  return ended;
}

/**
 * For commands that only read: warns a role that may read the history but not the journal that it does not see
 * everything.
 */
export async function ifVisible<T>(read: Promise<T>, otherwise: T, warn: (message: string) => void): Promise<T> {
  return await read.catch((error: unknown) => {
    if (!(error instanceof MigratorError) || error.code !== 'ACCESS_REFUSED') throw error;
    warn(
      'this role may not read the journal, so held versions look pending to it: grant it SELECT on the journal table, too',
    );
    return otherwise;
  });
}

/** The error of a run that would apply versions held for it. */
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
