/** Sessions on a FakeServer. */
import type { Catalog } from '../../../src/core/catalog/catalog.ts';
import type { Holder } from '../../../src/core/runner.ts';
import { MigratorError } from '../../../src/core/errors.ts';
import type { Check, Database, JournalLook, Observation, Session } from '../../../src/core/ports.ts';
import { applicationName, type RunnerIdentity } from '../../../src/core/runner.ts';
import type { FakeContext } from './context.ts';
import { FakeExecutor } from './executor.ts';
import { FakeHistory } from './history.ts';
import { FakeJournal } from './journal.ts';
import { FakeLock } from './lock.ts';
import type { FakeServer } from './server.ts';
import { FakeTakeover } from './takeover.ts';

/** One run's connection to the server. */
export class FakeDatabase implements Database {
  /** The results of the next attempts, in order. */
  readonly refusals: MigratorError[] = [];
  readonly opened: FakeSession[] = [];
  attempts = 0;
  readonly #server: FakeServer;

  constructor(server: FakeServer) {
    this.#server = server;
  }

  /** Ends the pause between two attempts. */
  changeSecret = (): void => undefined;

  async secretChanged(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.changeSecret = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async open(runner: RunnerIdentity, signal: AbortSignal): Promise<FakeSession> {
    this.attempts += 1;
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([this.#server.turn('open'), aborted]);
    signal.throwIfAborted();
    const refusal = this.refusals.shift();
    if (refusal) throw refusal;
    const session = new FakeSession(this.#server, runner);
    this.opened.push(session);
    return session;
  }
}

export class FakeSession implements Session {
  readonly address = 'memory';
  readonly database: string;
  readonly pid: number;
  readonly lock: FakeLock;
  readonly history: FakeHistory;
  readonly journal: FakeJournal;
  readonly takeover: FakeTakeover;
  readonly executor: FakeExecutor;
  closed = false;
  outlivesUs = true;
  readonly #context: FakeContext;
  readonly #lost = new AbortController();
  #interrupted = Promise.withResolvers<never>();

  constructor(server: FakeServer, runner: RunnerIdentity) {
    const peer = server.admit(applicationName(runner), {
      lose: () => this.lose(),
      wake: () => this.lock.wake(),
    });
    this.#context = { server, peer, runner, lost: this.lost, reach: (call) => this.#reach(call) };
    this.#interrupted.promise.catch(() => undefined);
    this.database = server.database;
    this.pid = peer.pid;
    this.lock = new FakeLock(this.#context);
    this.history = new FakeHistory(this.#context);
    this.journal = new FakeJournal(this.#context);
    this.takeover = new FakeTakeover(this.#context);
    this.executor = new FakeExecutor(this.#context);
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async check(): Promise<Check> {
    const { server, peer } = this.#context;
    await this.#reach('check');
    const holder = server.holder;
    if (!holder) server.lookers.add(peer);
    // The history is read a moment later.
    await this.#reach('check history').finally(() => server.lookers.delete(peer));
    const { history } = server.contents;
    return {
      free: !holder,
      holder: holder && { pid: holder.pid, applicationName: holder.applicationName },
      writesRefused: server.writesRefused,
      history: { exists: history !== undefined, applied: [...(history?.values() ?? [])] },
      journal: history && this.#look(),
    };
  }

  #look(): JournalLook {
    const { server, runner } = this.#context;
    const releaseSeen =
      runner.release === undefined || server.contents.journal.some(({ release }) => release === runner.release);
    return {
      releaseSeen,
      inPart: server.inPart().map(({ started, ...part }) => ({
        ...part,
        ...(started && { started: { statement: started.statement, checksum: started.checksum } }),
      })),
    };
  }

  async configure(): Promise<void> {
    await this.#reach('configure');
  }

  async readCatalog(): Promise<Catalog> {
    await this.#reach('read catalog');
    return this.#context.server.catalog;
  }

  readCatalogAgain(): Promise<Catalog> {
    return this.readCatalog();
  }

  async cancelLongWait(): Promise<undefined> {
    return undefined;
  }

  async observe(signal: AbortSignal): Promise<Observation> {
    signal.throwIfAborted();
    return this.#context.server.observation;
  }

  async keepWaitersAway(): Promise<readonly Holder[]> {
    return await this.lock.cancelBlockedWaiters();
  }

  async interrupt(): Promise<void> {
    this.#interrupted.reject(
      new MigratorError('CONTENTION', 'the server answered: canceling statement due to user request', {
        server: { sqlstate: '57014', message: 'canceling statement due to user request' },
      }),
    );
    this.#interrupted = Promise.withResolvers();
    this.#interrupted.promise.catch(() => undefined);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.#context.server.dismiss(this.#context.peer);
  }

  /** Ends the connection: the server releases the session's lock, and every call fails. */
  lose(): void {
    this.#context.server.dismiss(this.#context.peer);
    const reason = new MigratorError('DATABASE_UNAVAILABLE', 'the connection to the database was lost');
    this.#interrupted.reject(reason);
    this.#lost.abort(reason);
  }

  async #reach(call: string): Promise<void> {
    const { server } = this.#context;
    this.lost.throwIfAborted();
    if (this.closed) throw new Error(`${call} after the session was closed`);
    server.calls.push(`${this.pid} ${call}`);
    // Checked before the turn, because the turn itself may interrupt.
    const interrupted = this.#interrupted.promise;
    await Promise.race([interrupted, server.turn(`${this.pid} ${call}`)]);
    this.lost.throwIfAborted();
  }
}
