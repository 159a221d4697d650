/** Keeps runs that work in one schema alone out, for as long as this session works in many. */
import type { Clock, QueuedLock, Reporter } from '../../core/ports.ts';
import type { TenantSession } from '../../core/tenants/ports.ts';
import { withLock, type Lockable, type WithLockOptions } from '../session/with-lock.ts';

type GateCheck = Parameters<WithLockOptions<void>['settled']>[0];
type Options = Pick<WithLockOptions<void>, 'lockWaitMs' | 'signal'>;

/** @throws MigratorError LOCK_TIMEOUT naming the holder. */
export async function withGate(
  session: TenantSession,
  body: () => Promise<void>,
  options: Options,
  ports: { readonly clock: Clock; readonly reporter: Reporter },
): Promise<void> {
  await session.configure();
  if (!session.gate) {
    await body();
    return;
  }
  const gate = gateOf(session, session.gate);
  await withLock<undefined | true, Pick<GateCheck, 'free' | 'holder'>>(
    {
      ...options,
      session: gate,
      check: await gate.check(),
      settled: () => undefined,
      body: async () => {
        await body();
        return true;
      },
    },
    ports,
  );
}

function gateOf(session: TenantSession, lock: QueuedLock): Lockable<Pick<GateCheck, 'free' | 'holder'>> {
  return {
    lock,
    lost: session.lost,
    outlivesUs: false,
    configure: () => session.configure(),
    async check() {
      const holder = await lock.holder();
      return { free: holder === undefined || holder.mode === 'shared', holder };
    },
  };
}
