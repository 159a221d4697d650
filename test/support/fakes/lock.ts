/** The advisory lock of one session on a FakeServer. */
import type { JournalEntry } from '../../../src/core/history.ts';
import type { AdvisoryLock, Waiter } from '../../../src/core/ports.ts';
import type { Holder } from '../../../src/core/runner.ts';
import type { FakeContext } from './context.ts';
import type { Peer } from './server.ts';

export class FakeLock implements AdvisoryLock {
  readonly #context: FakeContext;
  #released: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(context: FakeContext) {
    this.#context = context;
  }

  get key(): string {
    return this.#context.server.key;
  }

  async tryAcquire(): Promise<boolean> {
    const { server, peer, reach } = this.#context;
    await reach('lock.tryAcquire');
    if (server.holder || server.lookers.size > 0) return false;
    server.holder = peer;
    return true;
  }

  async release(): Promise<void> {
    const { server, peer, reach } = this.#context;
    await reach('lock.release');
    if (server.holder === peer) server.holder = undefined;
    for (const listener of server.listeners) listener.wake();
  }

  async joinQueue(): Promise<void> {
    const { server, peer, reach } = this.#context;
    await reach('lock.joinQueue');
    server.queue.add(peer);
    server.listeners.add(peer);
  }

  async leaveQueue(): Promise<void> {
    const { server, peer, reach } = this.#context;
    await reach('lock.leaveQueue');
    server.queue.delete(peer);
    server.listeners.delete(peer);
  }

  async nextRelease(): Promise<void> {
    await this.#released.promise;
    this.#released = Promise.withResolvers();
  }

  wake(): void {
    this.#released.resolve();
  }

  async holder(): Promise<Holder | undefined> {
    const { server, reach } = this.#context;
    await reach('lock.holder');
    return server.holder && { ...asHolder(server.holder), ...currentRun(server.contents.journal, server.holder) };
  }

  async waiters(): Promise<readonly Waiter[]> {
    const { server, reach } = this.#context;
    await reach('lock.waiters');
    const waiters = [
      ...[...server.queue].map((peer) => ({ ...asHolder(peer), blocked: false })),
      ...[...server.blocked].map((peer) => ({ ...asHolder(peer), blocked: true })),
    ];
    return waiters.sort((a, b) => a.pid - b.pid);
  }

  async cancelBlockedWaiters(): Promise<readonly Holder[]> {
    const { server, reach } = this.#context;
    await reach('lock.cancelBlockedWaiters');
    const cancelled = [...server.blocked];
    server.blocked.clear();
    for (const peer of cancelled) peer.cancel?.();
    return cancelled.map(asHolder);
  }

  async terminate({ pid }: Holder): Promise<boolean> {
    const { server, reach } = this.#context;
    await reach('lock.terminate');
    const peer = server.peers.get(pid);
    if (!peer) return false;
    peer.lose();
    server.dismiss(peer);
    return true;
  }
}

function asHolder({ pid, applicationName }: Peer): Holder {
  return { pid, applicationName };
}

/** The newest run without an end of a runner of that name. */
function currentRun(journal: readonly JournalEntry[], { applicationName }: Peer): Pick<Holder, 'since' | 'doing'> {
  if (!applicationName.startsWith('lockstep ')) return {};
  const ended = new Set(
    journal.filter(({ event }) => event === 'run ended' || event === 'run lost').map(({ run }) => run),
  );
  const isHolders = ({ command, runner }: JournalEntry): boolean =>
    new RegExp(`^lockstep ${command} \\S+ ${runner}$`).test(applicationName);
  const start = journal.findLast((entry) => entry.event === 'run started' && !ended.has(entry.run) && isHolders(entry));
  const step = journal.findLast(
    ({ event, run }) => run === start?.run && (event === 'started' || event === 'statement started'),
  );
  return { since: start?.at, doing: step && `${step.direction} ${step.version}` };
}
