/** What `runMigrations` is asked for: the engine's request of a direction and its target. */
import { MigratorError } from '../core/errors.ts';
import type { DownRequest, Request } from '../engine/migrate/request.ts';
import type { RunMigrationsOptions } from './options.ts';

/** @throws MigratorError ROLLBACK_REFUSED for a rollback without exactly one target. */
export function requestOf(options: RunMigrationsOptions): Request {
  const { direction, to, reapply = [], from: choice, trustStored = false, hold, reason } = options;
  if (direction === 'down') return { direction, target: downTarget(options), choice, trustStored, hold, reason };
  return { direction, target: to === undefined ? { kind: 'latest' } : { kind: 'version', version: to }, reapply };
}

function downTarget({ to, steps, toFiles, all, confirm }: RunMigrationsOptions): DownRequest['target'] {
  const targets = [to, steps, toFiles === true ? toFiles : undefined, all === true ? all : undefined].filter(
    (target) => target !== undefined,
  );
  if (targets.length === 1) {
    if (to !== undefined) return { kind: 'version', version: to };
    if (steps !== undefined && Number.isInteger(steps) && steps > 0) return { kind: 'steps', count: steps };
    if (toFiles === true) return { kind: 'files' };
    if (all === true && confirm !== undefined) return { kind: 'all', database: confirm };
  }
  throw new MigratorError('ROLLBACK_REFUSED', 'a rollback needs exactly one target', {
    hint: 'give one of: to (the version that stays), steps (a whole number from 1), toFiles, all together with confirm (the name of the database)',
  });
}
