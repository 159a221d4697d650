/** Connects the clients of a hook's pool, one at a time, and retries temporary failures as the run itself does. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

import { MigratorError } from '../../../core/errors.ts';
import { codeForSqlstate, endsSession, serverErrorOf } from '../wire/sqlstate.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export interface Waiting {
  readonly attempt: number;
  readonly retryInMs: number;
  readonly error: MigratorError;
}

export interface ConnectingOptions {
  /** How long to keep trying to connect, in milliseconds. */
  readonly connectWaitMs: number;
  readonly onWait: (waiting: Waiting) => void;
  /** Maps a refused login if the password may change soon. */
  readonly refused?: (error: MigratorError) => MigratorError;
  /** Resolves when the password may have changed, or when the signal aborts. */
  readonly secretChanged?: (signal: AbortSignal) => Promise<void>;
}

type Callback = (error: Error | undefined, client: pg.PoolClient | undefined, done: pg.PoolClient['release']) => void;

export class HookConnector {
  readonly #pool: pg.Pool;
  readonly #options: ConnectingOptions;
  readonly #connect: () => Promise<pg.PoolClient>;
  readonly #failures = new WeakMap<object, MigratorError>();
  readonly #stopped = new AbortController();
  /** The connection in progress; the next one starts after it. */
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** Clients that the hook has. */
  readonly out = new Set<pg.PoolClient>();
  /** Why the hook's last client was lost. Later queries on that client fail with other errors of the driver. */
  #lost: MigratorError | undefined;

  constructor(pool: pg.Pool, options: ConnectingOptions) {
    this.#pool = pool;
    this.#options = options;
    this.#connect = pool.connect.bind(pool) as () => Promise<pg.PoolClient>;
    // pool.query() also calls this, with a callback.
    const connect = (callback?: Callback): Promise<pg.PoolClient> | undefined => {
      const client = this.#client();
      if (!callback) return client;
      client.then(
        (one) => callback(undefined, one, one.release.bind(one)),
        (error: unknown) => callback(error as Error, undefined, () => undefined),
      );
      return undefined;
    };
    Object.assign(pool, { connect });
    pool.on('connect', (client) =>
      client.on('error', (error) => {
        const failure = connectionLost(error);
        this.#failures.set(error, failure);
        // An idle client that is lost is no loss to the hook: the pool opens another one.
        if (this.out.has(client)) this.#lost = failure;
      }),
    );
    pool.on('acquire', (client) => {
      this.out.add(client);
      // The hook continues with another client.
      this.#lost = undefined;
    });
    pool.on('release', (_error, client) => this.out.delete(client));
  }

  /** How many requests have no client yet. */
  get waiting(): number {
    return this.#waiting;
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** What a connection failed with, if that caused `error`. */
  failureOf(error: unknown): MigratorError | undefined {
    return this.#knownFailureOf(error) ?? this.#lost;
  }

  #knownFailureOf(error: unknown): MigratorError | undefined {
    if (!(error instanceof Error)) return undefined;
    const server = serverErrorOf(error);
    if (server && endsSession(server)) return connectionLost(error);
    return this.#failures.get(error) ?? this.#knownFailureOf(error.cause);
  }

  async #client(): Promise<pg.PoolClient> {
    this.#waiting += 1;
    try {
      const isFull = this.#pool.idleCount > 0 || this.#pool.totalCount >= this.#pool.options.max;
      // The hook waits for its own clients; a timeout there is the hook's failure.
      if (isFull) return await this.#connect();
      const connecting = this.#last.then(() => this.#connected());
      this.#last = connecting.catch(() => undefined);
      return await connecting;
    } finally {
      this.#waiting -= 1;
    }
  }

  async #connected(): Promise<pg.PoolClient> {
    const { connectWaitMs, onWait } = this.#options;
    const deadline = performance.now() + connectWaitMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#connect();
      } catch (thrown) {
        const error = this.#judged(thrown);
        const left = deadline - performance.now();
        const mayPass = error?.code === 'DATABASE_UNAVAILABLE' || error?.details.awaitsSecret === true;
        if (!error || !mayPass || left <= 0 || this.#stopped.signal.aborted) throw this.#remembered(thrown, error);
        const pause =
          Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempt - 1, 10), LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
        const retryInMs = Math.round(Math.min(left, pause));
        onWait({ attempt, retryInMs, error });
        await this.#pause(retryInMs);
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#stopped.signal]);
    const slept = sleep(ms, undefined, { signal }).catch(() => undefined);
    await Promise.race([slept, ...(this.#options.secretChanged ? [this.#options.secretChanged(signal)] : [])]);
    over.abort();
  }

  /** Undefined if neither the network nor the server caused it. */
  #judged(thrown: unknown): MigratorError | undefined {
    if (thrown instanceof MigratorError) return thrown;
    const server = serverErrorOf(thrown);
    const code = server ? codeForSqlstate(server.sqlstate, 'before-steps') : 'DATABASE_UNAVAILABLE';
    if (code !== 'DATABASE_UNAVAILABLE' && code !== 'ACCESS_REFUSED') return undefined;
    const error = new MigratorError(code, (thrown as Error).message, { server, cause: thrown });
    return this.#options.refused?.(error) ?? error;
  }

  /** The hook gets the driver's own error. */
  #remembered(thrown: unknown, error: MigratorError | undefined): unknown {
    if (error && thrown instanceof Error) this.#failures.set(thrown, error);
    return thrown;
  }
}

function connectionLost(cause: Error): MigratorError {
  return new MigratorError('DATABASE_UNAVAILABLE', cause.message, {
    server: serverErrorOf(cause),
    cause,
    hint: 'nothing was recorded: run again; the hook must be idempotent',
  });
}
