/** What the parts of one fake session share. */
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
