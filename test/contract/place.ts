/** What a contract runs on: several sessions in memory, or on a real server. */
import type { Version } from '../../src/core/migration.ts';
import type { Session } from '../../src/core/ports.ts';
import type { RunnerIdentity } from '../../src/core/runner.ts';

/** A session that is not one of Lockstep's. */
export interface Stranger {
  readonly pid: number;
  /** How its wait for the lock ended: `acquired`, or the SQLSTATE. */
  readonly ended?: Promise<string>;
  end(): Promise<void>;
}

export interface Place {
  /** Opens a session for a run of its own. */
  open(runner: RunnerIdentity): Promise<Session>;
  /** Ends a session's connection on the server's side. */
  kill(session: Session): Promise<void>;
  /** Opens a session that holds the lock. */
  holdLock(applicationName: string): Promise<Stranger>;
  /** Opens a session that blocks inside PostgreSQL on the lock's key. */
  blockOnLock(applicationName: string): Promise<Stranger>;
  /** Creates the history table of the original Go runner. */
  makeOriginalTable(...versions: readonly Version[]): Promise<void>;
  /** Records a version as the original Go runner does. */
  applyAsOriginal(version: Version): Promise<void>;
  /** Creates a history table of dbmate. */
  makeForeignTable(name: string, ...versions: readonly string[]): Promise<void>;
  hasTable(name: string): Promise<boolean>;
  /** Creates a table `name`, and on its column `a` an INVALID index `name_a`. */
  makeInvalidIndex(name: string): Promise<void>;
  close(): Promise<void>;
}
