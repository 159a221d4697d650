/** How commands that record without running treat versions in part: they leave them alone, and say so. */
import { MigratorError } from '../../core/errors.ts';
import type { AppliedVersion } from '../../core/history.ts';
import { describeInPart, inPartRemarks, unfinished, waysOut, type VersionInPart } from '../../core/plan/in-part.ts';
import type { Version } from '../../core/migration.ts';
import type { Reporter } from '../../core/ports.ts';

/**
 * @throws MigratorError HISTORY_CONFLICT when one of `recording` is in part: its row would say that it was applied in
 * full.
 */
export function spareInPart(
  found: readonly VersionInPart[],
  { recording, applied }: { readonly recording: readonly Version[]; readonly applied: readonly AppliedVersion[] },
  reporter: Reporter,
): void {
  const inPart = unfinished(found, applied);
  const meant = inPart.filter(({ version }) => recording.includes(version));
  if (meant.length > 0) {
    throw new MigratorError(
      'HISTORY_CONFLICT',
      `${meant.map(({ version }) => version).join(', ')} can't be recorded as applied; nothing was recorded`,
      {
        problems: meant.map(describeInPart),
        hint: meant.map(waysOut).join('; '),
      },
    );
  }
  for (const message of inPartRemarks(inPart, [])) reporter.report({ type: 'warning', message });
}
