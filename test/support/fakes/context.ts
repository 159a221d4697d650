/** The state that the parts of one fake session share. */
import type { JournalEntry } from '../../../src/core/history.ts';
import type { RunnerIdentity } from '../../../src/core/runner.ts';
import type { FakeServer, Peer } from './server.ts';

export interface FakeContext {
  readonly server: FakeServer;
  readonly peer: Peer;
  readonly runner: RunnerIdentity;
  readonly lost: AbortSignal;
  /** Resolves when it is this call's turn. @throws MigratorError when the session is lost, or interrupted meanwhile. */
  readonly reach: (call: string) => Promise<void>;
}

type Entry = Pick<JournalEntry, 'event'> & Partial<Omit<JournalEntry, 'id' | 'at'>>;

/** Adds a journal entry of this session's run. */
export function write({ server, runner }: FakeContext, entry: Entry): void {
  const { run, command, name, release, image } = runner;
  server.write({ run, command, runner: name, release, image, ...entry });
}
