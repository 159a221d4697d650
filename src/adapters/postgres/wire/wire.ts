/**
 * Sends transactions and single statements over one connection; our own under a search_path where others cannot plant
 * objects.
 */
import type pg from 'pg';

import { MigratorError } from '../../../core/errors.ts';
import { Channel, type MessageOptions } from './channel.ts';
import { encodingOf, type Encoding } from './encoding.ts';
import { keepNamed, type Named } from './named.ts';
import { BEGIN, OWN_PATH, type Access } from './own-path.ts';
import { resultsBefore, type ResultSet } from './simple-query.ts';
import { serverErrorOf } from './sqlstate.ts';

interface TransactionOptions extends MessageOptions {
  /** Leaves the ROLLBACK after an error to the next message. */
  readonly lazyRollback?: boolean;
}

export class Wire extends Channel {
  /** Of the database; for a caller's client it is known after the first check. */
  encoding: Encoding;

  constructor(client: pg.ClientBase) {
    super(client);
    this.encoding = encodingOf((client as { serverEncoding?: string }).serverEncoding ?? 'UTF8');
  }

  /**
   * Sends statements of ours, as one implicit transaction under our own search_path, and waits for their results.
   * @throws as asIs.
   */
  async message(sql: string, options: MessageOptions = {}): Promise<readonly ResultSet[]> {
    return this.#decoded((await this.asIs(this.encoding.encode(`${OWN_PATH};\n${sql}`), options)).slice(1));
  }

  /**
   * The same, about relations that a migration names: `namedOid` is the oid of each, resolved under the migration's
   * search_path.
   */
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

  /** Statements of ours as one transaction in one message; resolves with the results of these statements only. */
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
   * `BEGIN; …; COMMIT` as one message, under the search_path that the session has. After an error the transaction is
   * rolled back; an error of the rollback never hides the first one.
   */
  async transactionAsIs(sql: string, options: TransactionOptions = {}): Promise<readonly ResultSet[]> {
    try {
      const results = await this.asIs(sql, options);
      // The server answers the COMMIT of a failed transaction with ROLLBACK (PostgreSQL manual, "COMMIT").
      if (results.at(-1)?.command !== 'COMMIT') {
        throw new MigratorError('MIGRATION_FAILED', 'the server rolled the transaction back instead of committing it');
      }
      return results;
    } catch (error) {
      // Nothing of a message with a syntax error runs, not even its BEGIN.
      this.owesRollback = serverErrorOf(error) === undefined || resultsBefore(error).length > 0;
      if (this.owesRollback && options.lazyRollback !== true) await this.rollBack().catch(() => undefined);
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
      await this.rollBack().catch(() => undefined);
      throw error;
    }
  }

  /** The server reports an error before it releases what the transaction held; it answers this one after that. */
  async endTransaction(): Promise<void> {
    if (this.owesRollback && !this.lost.aborted) await this.rollBack().catch(() => undefined);
  }
}
