/** One connection as a sequence of messages; it notices when the connection is gone, and keeps it awake. */
import type { EventEmitter } from 'node:events';
import type { Writable } from 'node:stream';

import type pg from 'pg';

import { MigratorError, type ErrorCode, type ServerError } from '../../../core/errors.ts';
import { keepNamed, type Named } from './named.ts';
import { encodingOf, type Encoding } from './encoding.ts';
import { BEGIN, OWN_PATH, type Access } from './own-path.ts';
import { resultsBefore, SimpleQuery, submit, type ResultSet } from './simple-query.ts';
import { codeForSqlstate, isPooledByStatement, serverErrorOf } from './sqlstate.ts';

/** Well below `idle_session_timeout` (30 s), so that a holder whose hook runs for long keeps its lock. */
const HEARTBEAT_MS = 5_000;

interface MessageOptions {
  /** False for messages that may last: a migration's own statements, and the clean-up that belongs to one. */
  readonly promptly?: boolean;
  /** False for messages whose rows nobody reads. */
  readonly keepRows?: boolean;
}

interface TransactionOptions extends MessageOptions {
  /** Leaves the ROLLBACK after an error to whatever is sent next. */
  readonly lazyRollback?: boolean;
}

/** Longer than any busy server takes for a message of ours, which never waits longer than this for a lock. */
const PROMPT_MS = 30_000;

/** In ASCII, so that it is understood whatever the encoding is. */
const SPEAK_UTF8 = `SET client_encoding = 'UTF8'`;

const IS_ASCII = /^[\x00-\x7f]*$/;

export class Wire {
  readonly client: pg.ClientBase;
  readonly #lost = new AbortController();
  /** In the order of sending; whether the answer is to come promptly. */
  readonly #inFlight = new Map<SimpleQuery, boolean>();
  #overdue: NodeJS.Timeout | undefined;
  #usedLately = false;
  #owesRollback = false;
  #heldBack: Promise<void> | undefined;
  /** What we send is UTF-8; a migration may have told the server otherwise. */
  #otherEncoding = false;
  readonly #listening: (() => void)[] = [];
  #heartbeat: NodeJS.Timeout | undefined;

  /** Of the database; of a lent client it is known after the first check. */
  encoding: Encoding;

  constructor(client: pg.ClientBase) {
    this.client = client;
    this.encoding = encodingOf((client as { serverEncoding?: string }).serverEncoding ?? 'UTF8');
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
    // Which event gives which value, pg's types say only event by event.
    const client = this.client as unknown as {
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

  /** The session is inside a failed transaction until the next message. */
  get owesRollback(): boolean {
    return this.#owesRollback;
  }

  /** A message waits for its answer. */
  get busy(): boolean {
    return this.#inFlight.size > 0;
  }

  /** The pid of the start-up packet's answer: behind a pooler it is not the backend's. */
  get processId(): number | undefined {
    return (this.client as { processID?: number | null }).processID ?? undefined;
  }

  /** What `body` sends before it first waits leaves in one piece. */
  together<T>(body: () => T): T {
    const stream = (this.client as { connection?: { stream?: Writable } }).connection?.stream;
    stream?.cork();
    try {
      return body();
    } finally {
      stream?.uncork();
    }
  }

  /**
   * Sends statements of ours and waits for their results. They are one implicit transaction, in which names and operators
   * are looked up where nobody can plant any.
   * @throws MigratorError with the server's words, or DATABASE_UNAVAILABLE once the connection is gone.
   */
  async message(sql: string, options: MessageOptions = {}): Promise<readonly ResultSet[]> {
    return this.#decoded((await this.asIs(this.encoding.encode(`${OWN_PATH};\n${sql}`), options)).slice(1));
  }

  /** The same about relations that a migration names: where each is under its path, the query knows by `namedOid`. */
  async messageAbout(
    names: readonly Named[],
    sql: string,
    options: MessageOptions = {},
  ): Promise<readonly ResultSet[]> {
    return this.#decoded(
      (
        await this.asIs(
          this.encoding.encode(`SELECT ${names.map(keepNamed).join(', ')};\n${OWN_PATH};\n${sql}`),
          options,
        )
      ).slice(2),
    );
  }

  #decoded(results: readonly ResultSet[]): readonly ResultSet[] {
    const { decode } = this.encoding;
    return results.map(({ command, rows }) => ({
      command,
      rows: rows.map((row) => row.map((value) => (value === null ? null : decode(value)))),
    }));
  }

  /**
   * Sends one message under the path that the session has: for the text of migrations, and for single statements that
   * can't stand in a transaction. Ours must then qualify every name and operator.
   */
  async asIs(sql: string, options: MessageOptions = {}): Promise<readonly ResultSet[]> {
    if (this.#heldBack) await this.#heldBack;
    this.lost.throwIfAborted();
    if (this.#owesRollback) await this.#rollBack();
    // What is still unanswered may set another encoding, in which the server would read this.
    if (this.#otherEncoding || (this.busy && !IS_ASCII.test(sql))) this.#speakUtf8();
    const query = new SimpleQuery(sql, { keepRows: options.keepRows ?? true });
    this.#inFlight.set(query, options.promptly ?? true);
    if (this.#inFlight.size === 1) this.#limitOldest();
    try {
      submit(this.client, query);
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

  /** The time of a message begins when those before it are answered. */
  #limitOldest(): void {
    clearTimeout(this.#overdue);
    const [oldest] = this.#inFlight;
    if (oldest?.[1] === true) this.#overdue = setTimeout(this.#noAnswer, PROMPT_MS);
  }

  /** Sent ahead, not waited for: what comes next must not be overtaken. */
  #speakUtf8(): void {
    this.#otherEncoding = false;
    const query = new SimpleQuery(SPEAK_UTF8, { keepRows: false });
    query.result.catch(() => {
      this.#otherEncoding = true;
    });
    submit(this.client, query);
  }

  /** Statements of ours as one transaction in one message; resolves with their results, without those of BEGIN and COMMIT. */
  async transaction(
    access: Access,
    statements: readonly string[],
    options: TransactionOptions = {},
  ): Promise<readonly ResultSet[]> {
    const results = await this.transactionAsIs(
      this.encoding.encode([BEGIN[access], OWN_PATH, ...statements, 'COMMIT'].join(';\n')),
      options,
    );
    return this.#decoded(results.slice(2, -1));
  }

  /**
   * `BEGIN; …; COMMIT` as one message, under the path that the session has. After an error the transaction is rolled back,
   * and that error is the one thrown, whatever the rollback says.
   */
  async transactionAsIs(sql: string, options: TransactionOptions = {}): Promise<readonly ResultSet[]> {
    try {
      const results = await this.asIs(sql, options);
      // A transaction that had failed answers COMMIT by ROLLBACK (PostgreSQL manual, "COMMIT").
      if (results.at(-1)?.command !== 'COMMIT') {
        throw new MigratorError('MIGRATION_FAILED', 'the server rolled the transaction back instead of committing it');
      }
      return results;
    } catch (error) {
      // Of a message with a syntax error nothing runs, not even its BEGIN.
      this.#owesRollback = serverErrorOf(error) === undefined || resultsBefore(error).length > 0;
      if (this.#owesRollback && options.lazyRollback !== true) await this.#rollBack().catch(() => undefined);
      throw error;
    }
  }

  /** Several messages in one transaction, with the same rule about errors. */
  async withTransaction<T>(body: () => Promise<T>): Promise<T> {
    await this.asIs(`${BEGIN.write};\n${OWN_PATH}`);
    try {
      const value = await body();
      await this.asIs('COMMIT');
      return value;
    } catch (error) {
      await this.#rollBack().catch(() => undefined);
      throw error;
    }
  }

  /** An error is told before the server has given up what its transaction held: the answer to this comes after. */
  async endTransaction(): Promise<void> {
    if (this.#owesRollback && !this.lost.aborted) await this.#rollBack().catch(() => undefined);
  }

  async #rollBack(): Promise<void> {
    this.#owesRollback = false;
    await this.asIs('ROLLBACK');
  }

  /** Sends nothing until it has settled: a cancel request that comes late would meet whatever is sent next. */
  async holdBack(request: Promise<void>): Promise<void> {
    this.#heldBack = request.catch(() => undefined);
    await request;
  }

  /** Sends something at least every 5 s from now on, but never while a query is in flight. */
  keepAwake(): void {
    this.#heartbeat ??= setInterval(() => {
      const needless = this.#inFlight.size > 0 || this.#usedLately;
      this.#usedLately = false;
      if (needless) return;
      // A failure shows as a lost connection.
      this.asIs('SELECT 1').catch(() => undefined);
    }, HEARTBEAT_MS / 2);
  }

  /** Takes the connection for lost: whatever waits for an answer fails with the reason. */
  giveUp(reason: unknown): void {
    this.#onLost(reason);
    for (const query of this.#inFlight.keys()) query.handleError(connectionLost(reason));
  }

  /** Stops listening to the client, which may go back to a pool. */
  detach(): void {
    clearInterval(this.#heartbeat);
    for (const stop of this.#listening) stop();
  }

  readonly #noAnswer = (): void => {
    this.giveUp(new Error(`no answer within ${PROMPT_MS / 1000} s`));
  };

  readonly #onLost = (error?: unknown): void => {
    clearInterval(this.#heartbeat);
    if (!this.lost.aborted) this.#lost.abort(connectionLost(error));
  };
}

function connectionLost(error: unknown): MigratorError {
  if (error instanceof MigratorError) return error;
  const server = serverErrorOf(error);
  // Its last word may come as an answer, or as the end of the connection.
  if (server && isPooledByStatement(server)) return refused(server, error);
  const reason = error instanceof Error && error.message !== '' ? `: ${error.message}` : '';
  return new MigratorError('DATABASE_UNAVAILABLE', `the connection to the database was lost${reason}`, {
    cause: error,
    hint: 'run again; nothing else was executed after the connection was lost',
  });
}

const NEXT: Partial<Record<ErrorCode, string>> = {
  ACCESS_REFUSED: 'grant the role what it needs, or connect as another one',
  DATABASE_UNAVAILABLE: 'run again when the server is there; nothing else was executed after this',
};

/** The meaning before the first step; a step's own errors are read again in step-error.ts. */
function refused(server: ServerError, cause: unknown): MigratorError {
  if (isPooledByStatement(server)) {
    return new MigratorError('CONFIG_INVALID', 'the connection pooler in between pools by statement', {
      server,
      cause,
      hint: 'give the address of PostgreSQL itself; --allow-pooler is for a pooler that pools by session',
    });
  }
  const code = codeForSqlstate(server.sqlstate, 'before-steps') ?? 'INTERNAL';
  return new MigratorError(code, `the server answered: ${server.message}`, {
    server,
    cause,
    hint: NEXT[code],
  });
}
