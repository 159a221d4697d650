/** `down` without a target: refused, with a list of versions that a target could name. */
import { MigratorError } from '../../core/errors.ts';
import { compareVersions } from '../../core/migration.ts';
import { candidates } from '../../core/plan/plan-down.ts';
import { connect, type ConnectPorts } from '../session/connect.ts';
import type { InspectOptions } from './inspect.ts';

/** The error to throw; without the list when the database cannot be read. @throws the signal's reason. */
export async function withoutTarget(
  options: Pick<InspectOptions, 'runner' | 'signal'>,
  open: () => ConnectPorts,
): Promise<MigratorError> {
  // Whatever fails here, even a wrong address: the missing target is the first problem to report.
  const list = await newestApplied(options, open).catch(() => '');
  options.signal.throwIfAborted();
  return new MigratorError('ROLLBACK_REFUSED', `down needs a target${list}`, {
    hint: 'give one of: --to VERSION (it stays, as the newest), --steps N, --to-files (what is newer than this image), or --all --confirm DATABASE',
  });
}

async function newestApplied(
  { runner, signal }: Pick<InspectOptions, 'runner' | 'signal'>,
  open: () => ConnectPorts,
): Promise<string> {
  // The list only helps, so there is just one attempt.
  const { session, check } = await connect({ runner, connectWaitMs: 0, writes: false }, open(), signal);
  await session.close();
  return candidates(check.history.applied.map(({ version }) => version).sort((a, b) => compareVersions(b, a)));
}
