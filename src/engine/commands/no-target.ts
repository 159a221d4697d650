/** `down` without a target: refused, with the versions that a target could name. */
import { MigratorError } from '../../core/errors.ts';
import { compareVersions } from '../../core/migration.ts';
import { candidates } from '../../core/plan/plan-down.ts';
import { connect, type ConnectPorts } from '../session/connect.ts';
import type { InspectOptions } from './inspect.ts';

/** The refusal; without the list where the database can't be asked. @throws the signal's reason. */
export async function withoutTarget(
  options: Pick<InspectOptions, 'runner' | 'signal'>,
  open: () => ConnectPorts,
): Promise<MigratorError> {
  // Whatever keeps us from looking (also a wrong address): that there is no target comes first.
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
  // Only a help, so it is asked once.
  const { session, check } = await connect({ runner, connectWaitMs: 0, writes: false }, open(), signal);
  await session.close();
  return candidates(check.history.applied.map(({ version }) => version).sort((a, b) => compareVersions(b, a)));
}
