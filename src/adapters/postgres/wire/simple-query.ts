/** A simple-protocol query for pg's `client.query`: several statements in one message, a bounded memory. */
import type pg from 'pg';
import Query from 'pg/lib/query.js';

import { boundedWords } from '../../../core/server-words.ts';

export interface ResultSet {
  /** The command tag's first word, for example `COMMIT`. */
  readonly command: string;
  readonly rows: readonly (readonly (string | null)[])[];
}

/** What `client.query(submittable)` calls on us; pg's own Query and pg-cursor implement the same. */
interface WireConnection {
  query(text: string): void;
  sendCopyFail(message: string): void;
}

/**
 * Resolves with a result per statement; rejects with the first error, which gets the results before it as `results`.
 */
export class SimpleQuery extends Query {
  readonly result: Promise<readonly ResultSet[]>;
  readonly #text: string;
  readonly #keepRows: boolean;
  readonly #finished: ResultSet[] = [];
  #rows: (readonly (string | null)[])[] = [];
  #copyRefused = false;
  #resolve: (results: readonly ResultSet[]) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  constructor(text: string, options: { readonly keepRows: boolean }) {
    super(text);
    this.#text = text;
    this.#keepRows = options.keepRows;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: WireConnection): void {
    connection.query(this.#text);
  }

  handleRowDescription(): void {
    this.#rows = [];
  }

  /**
   * A migration may SELECT a whole table: of rows that nobody reads, only the last is kept, because it may be our mark.
   */
  handleDataRow(message: { readonly fields: (string | null)[] }): void {
    if (this.#keepRows) this.#rows.push(message.fields);
    else this.#rows[0] = message.fields;
  }

  handleCommandComplete(message: { readonly text: string }): void {
    this.#finished.push({ command: message.text.split(' ', 1)[0] ?? '', rows: this.#rows });
    this.#rows = [];
  }

  handleEmptyQuery(): void {
    this.#rows = [];
  }

  handlePortalSuspended(): void {
    // Only the extended protocol suspends portals.
  }

  handleCopyInResponse(connection: WireConnection): void {
    this.#copyRefused = true;
    connection.sendCopyFail('a migration cannot read COPY data from the client');
  }

  handleCopyData(): void {
    // COPY TO STDOUT: the data is dropped.
  }

  handleReadyForQuery(): void {
    this.#resolve(this.#finished);
  }

  handleError(error: Error): void {
    this.#reject(
      Object.assign(error, boundedFields(error), {
        results: this.#finished,
        ...(this.#copyRefused && { copyRefused: true }),
      }),
    );
  }
}

/** All texts of an error: its own, and those of the server's fields. */
function boundedFields({ message, stack = '', ...fields }: Error): Record<string, string> {
  const texts = Object.entries({ ...fields, message, stack }).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(texts.map(([name, text]) => [name, boundedWords(text)]));
}

/** The results of the statements before the one that failed, from the error or its cause. */
export function resultsBefore(error: unknown): readonly ResultSet[] {
  const { results, cause } = error as { results?: readonly ResultSet[]; cause?: unknown };
  return results ?? (cause === undefined ? [] : resultsBefore(cause));
}

/** pg's types know only its own Query classes. */
export function submit(client: pg.ClientBase, query: SimpleQuery): void {
  client.query(query as unknown as pg.Submittable);
}
