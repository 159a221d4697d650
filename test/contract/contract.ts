/** Runs one suite for a port on every kind of place. */
import type { AppliedVersion, JournalEntry } from '../../src/core/history.ts';
import type { Session } from '../../src/core/ports.ts';
import type { RunnerIdentity } from '../../src/core/runner.ts';
import { runner } from '../support/fakes/run.ts';
import { memoryPlace } from './memory-place.ts';
import type { Place } from './place.ts';
import { postgresPlaces } from './postgres-place.ts';

/** The same tests for a port in memory and on PostgreSQL; each test has a place of its own. */
export function contractOf(port: string, suite: (given: Given) => void): void {
  describe(`${port}, in memory`, () => {
    suite(new Given(() => memoryPlace()));
  });
  describe(`${port}, on PostgreSQL`, () => {
    suite(new Given(postgresPlaces()));
  });
}

/** The place of the current test, and shortcuts to what it needs. */
export class Given {
  #place: Place | undefined;

  constructor(make: () => Place) {
    beforeEach('make a place', () => {
      this.#place = make();
    });
    afterEach('close the place', async () => {
      await this.#place?.close();
      this.#place = undefined;
    });
  }

  get place(): Place {
    if (!this.#place) throw new Error('a place exists only while a test runs');
    return this.#place;
  }

  /** A session that has had its first check, as the engine does it. */
  async open(
    command: RunnerIdentity['command'] = 'up',
    name?: string,
    more: Partial<RunnerIdentity> = {},
  ): Promise<Session> {
    const session = await this.place.open({ ...runner(command, name), ...more });
    await session.check();
    // A check that finds no table returns before its transaction has released the lock that it tried.
    await session.lock.holder();
    return session;
  }

  /** A session that holds the lock, with tables. */
  async holder(name?: string, more?: Partial<RunnerIdentity>): Promise<Session> {
    const session = await this.open('up', name, more);
    await session.configure();
    if (!(await session.lock.tryAcquire())) throw new Error('the lock is not free');
    await session.history.ensureTables();
    return session;
  }

  /** The applied versions, as another session sees them. */
  async applied(): Promise<readonly AppliedVersion[]> {
    const session = await this.open('status');
    return (await session.check()).history.applied;
  }

  async journal(): Promise<readonly JournalEntry[]> {
    const session = await this.open('history');
    return await session.journal.read();
  }

  /** The journal's entries, each as event, version and statement. */
  async events(): Promise<string[]> {
    const entries = await this.journal();
    return entries.map(({ event, version, statement }) =>
      [event, version, statement].filter((part) => part !== undefined).join(' '),
    );
  }
}
