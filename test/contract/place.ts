/** What a contract is tried on: several sessions in memory, and the same on a real server. */
import type { Version } from '../../src/core/migration.ts';
import type { Session } from '../../src/core/ports.ts';
import type { RunnerIdentity } from '../../src/core/runner.ts';

/** A session that is none of Lockstep's. */
export interface Stranger {
  readonly pid: number;
  /** How its wait for the lock ended: `acquired`, or the SQLSTATE. */
  readonly ended?: Promise<string>;
  end(): Promise<void>;
}

export interface Place {
  /** A session of a run of its own. */
  open(runner: RunnerIdentity): Promise<Session>;
  /** Ends a session's connection from the server's side. */
  kill(session: Session): Promise<void>;
  /** Holds the lock. */
  holdLock(applicationName: string): Promise<Stranger>;
  /** Blocks inside PostgreSQL on the lock's key. */
  blockOnLock(applicationName: string): Promise<Stranger>;
  /** The history table of the original Go runner. */
  makeOriginalTable(...versions: readonly Version[]): Promise<void>;
  /** Records a version as the original Go runner does. */
  applyAsOriginal(version: Version): Promise<void>;
  /** A table of dbmate's. */
  makeForeignTable(name: string, ...versions: readonly string[]): Promise<void>;
  hasTable(name: string): Promise<boolean>;
  /** A table `name`, and on its column `a` an INVALID index `name_a`. */
  makeInvalidIndex(name: string): Promise<void>;
  close(): Promise<void>;
}
