/** Repeats the error from the journal instead of running a migration that has just failed in the same release. */
import { MigratorError } from '../../core/errors.ts';
import { pauseLeftMs } from '../../core/plan/pause.ts';
import type { Plan } from '../../core/plan/plan.ts';
import type { Run } from './run.ts';

/** @throws MigratorError with the code of the last failure, and the time of the next try. */
export async function refuseWhilePaused({ session, options, ports }: Run, { steps: [next] }: Plan): Promise<void> {
  if (next?.direction !== 'up' || !options.pausesAfterFailure) return;
  const { migration } = next;
  const failures = await session.journal.failuresOf(migration);
  const left = failures ? pauseLeftMs(failures) : 0;
  if (!failures || left === 0) return;
  const times = failures.count === 1 ? 'once' : `${failures.count} times`;
  throw new MigratorError(
    failures.code,
    `${migration.version} failed ${times} in this release; the next try is not before ${new Date(ports.clock.now() + left).toISOString()}`,
    {
      version: migration.version,
      recorded: failures,
      problems: [`last error: ${failures.error}`],
      hint: 'correct the migration and release it again, or try at once with --retry-now',
    },
  );
}
