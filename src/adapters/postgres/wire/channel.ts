/** One connection to the server: sends one message after another, notices when it is lost, and keeps it awake. */
import type { EventEmitter } from 'node:events';
import type { Writable } from 'node:stream';

import type pg from 'pg';

import { connectionLost, refused } from './answers.ts';
import { SimpleQuery, submit, type ResultSet } from './simple-query.ts';
import { serverErrorOf } from './sqlstate.ts';

/** Well below `idle_session_timeout` (30 s), so that a holder keeps its lock while a hook runs for long. */
const HEARTBEAT_MS = 5_000;

/** Longer than any busy server takes for a message of ours, which never waits longer than this for a lock. */
export const PROMPT_MS = 30_000;

/** In ASCII, so that the server understands it in every encoding. */
const SPEAK_UTF8 = `SET client_encoding = 'UTF8'`;

const IS_ASCII = /^[\x00-\x7f]*$/;

export interface MessageOptions {
  /** False for messages that may take long: a migration's own statements, and the clean-up after one. */
  readonly promptly?: boolean;
  /** For a message that does the work of many. */
  readonly limitMs?: number;
  /** False for messages whose rows nobody reads. */
  readonly keepRows?: boolean;
}

export class Channel {
  readonly #client: pg.ClientBase;
  readonly #lost = new AbortController();
  /** In the order of sending; within how many milliseconds the answer must come. */
  readonly #inFlight = new Map<SimpleQuery, number | undefined>();
  #overdue: NodeJS.Timeout | undefined;
  #usedLately = false;
  #owesRollback = false;
  #heldBack: Promise<void> | undefined;
  /** We send UTF-8; a migration may have set another client_encoding. */
  #otherEncoding = false;
  readonly #listening: (() => void)[] = [];
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(client: pg.ClientBase) {
    this.#client = client;
    this.listen('error', this.#onLost);
    this.listen('end', this.#onLost);
    const { connection } = client as { connection?: EventEmitter };
    connection?.on('parameterStatus', this.#onParameter);
    this.#listening.push(() => connection?.removeListener('parameterStatus', this.#onParameter));
  }

  readonly #onParameter = ({
    parameterName,
    parameterValue,
  }: {
    readonly parameterName: string;
    readonly parameterValue: string;
  }): void => {
    if (parameterName === 'client_encoding') this.#otherEncoding = parameterValue !== 'UTF8';
  };

  /** Listens to the client until `detach`. */
  listen(event: string, listener: (value: never) => void): void {
    // pg declares the type of the value separately for each event.
    const client = this.#client as unknown as {
      on(event: string, listener: (value: never) => void): unknown;
      removeListener(event: string, listener: (value: never) => void): unknown;
    };
    client.on(event, listener);
    this.#listening.push(() => client.removeListener(event, listener));
  }

  /** Aborts once the connection is gone, with a MigratorError as its reason. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** The session is in a failed transaction; the next message is preceded by a ROLLBACK. */
  get owesRollback(): boolean {
    return this.#owesRollback;
  }

  protected set owesRollback(owes: boolean) {
    this.#owesRollback = owes;
  }

  /** A message has no answer yet. */
  get busy(): boolean {
    return this.#inFlight.size > 0;
  }

  /** The pid that the server announced at start-up: behind a pooler it is not the backend's. */
  get processId(): number | undefined {
    return (this.#client as { processID?: number | null }).processID ?? undefined;
  }

  /** Everything that `body` sends before its first await leaves in one piece. */
  together<T>(body: () => T): T {
    const stream = (this.#client as { connection?: { stream?: Writable } }).connection?.stream;
    stream?.cork();
    try {
      return body();
    } finally {
      stream?.uncork();
    }
  }

  /**
   * Sends one message under the search_path that the session has: for the text of migrations, and for single statements
   * that cannot run in a transaction. Statements of ours must then qualify every name and operator.
   * @throws MigratorError with the server's message, or DATABASE_UNAVAILABLE once the connection is lost.
   */
  async asIs(sql: string, options: MessageOptions = {}): Promise<readonly ResultSet[]> {
    if (this.#heldBack) await this.#heldBack;
    this.lost.throwIfAborted();
    if (this.#owesRollback) await this.rollBack();
    // A message that is not answered yet may set another encoding, in which the server would read this one.
    if (this.#otherEncoding || (this.busy && !IS_ASCII.test(sql))) this.#speakUtf8();
    const query = new SimpleQuery(sql, { keepRows: options.keepRows ?? true });
    this.#inFlight.set(query, options.promptly === false ? undefined : (options.limitMs ?? PROMPT_MS));
    if (this.#inFlight.size === 1) this.#limitOldest();
    try {
      submit(this.#client, query);
      return await query.result;
    } catch (error) {
      const server = serverErrorOf(error);
      if (server) throw refused(server, error);
      this.#onLost(error);
      throw connectionLost(error);
    } finally {
      this.#inFlight.delete(query);
      this.#limitOldest();
      this.#usedLately = true;
    }
  }

  /** The time of a message begins when the ones before it are answered. */
  #limitOldest(): void {
    clearTimeout(this.#overdue);
    const [oldest] = this.#inFlight.values();
    if (oldest !== undefined) this.#overdue = setTimeout(this.#noAnswer, oldest, oldest);
  }

  /** Sent ahead and not awaited, so that no other message gets in between. */
  #speakUtf8(): void {
    this.#otherEncoding = false;
    const query = new SimpleQuery(SPEAK_UTF8, { keepRows: false });
    query.result.catch(() => {
      this.#otherEncoding = true;
    });
    submit(this.#client, query);
  }

  protected async rollBack(): Promise<void> {
    this.#owesRollback = false;
    await this.asIs('ROLLBACK');
  }

  /** Sends nothing until the request has settled: a late cancel would hit whatever is sent next. */
  async holdBack(request: Promise<void>): Promise<void> {
    this.#heldBack = request.catch(() => undefined);
    await request;
  }

  /** From now on, sends something at least every 5 s, but never while a query is in flight. */
  keepAwake(): void {
    this.#heartbeat ??= setInterval(() => {
      const isNeedless = this.#inFlight.size > 0 || this.#usedLately;
      this.#usedLately = false;
      if (isNeedless) return;
      // A failure shows as a lost connection.
      this.asIs('SELECT 1').catch(() => undefined);
    }, HEARTBEAT_MS / 2);
  }

  /** Treats the connection as lost: everything that waits for an answer fails with the reason. */
  giveUp(reason: unknown): void {
    this.#onLost(reason);
    for (const query of this.#inFlight.keys()) query.handleError(connectionLost(reason));
  }

  /** Stops listening to the client, which may go back to a pool. */
  detach(): void {
    clearInterval(this.#heartbeat);
    for (const stop of this.#listening) stop();
  }

  readonly #noAnswer = (limitMs: number): void => {
    this.giveUp(new Error(`no answer within ${limitMs / 1000} s`));
  };

  readonly #onLost = (error?: unknown): void => {
    clearInterval(this.#heartbeat);
    if (!this.lost.aborted) this.#lost.abort(connectionLost(error));
  };
}
