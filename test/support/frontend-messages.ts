/**
 * Splits a client's stream to PostgreSQL into messages (PostgreSQL manual, "Frontend/Backend Protocol", "Message
 * Formats").
 */

export interface FrontendMessage {
  /** The number of the connection to the proxy, counted from 1. */
  readonly connection: number;
  /**
   * The protocol's letter (`Q` query, `P` parse, `p` password, `X` terminate …), or the word for a message without one.
   */
  readonly type: 'startup' | 'ssl-request' | 'gss-request' | 'cancel-request' | (string & {});
  /** The SQL of `Q` and `P`, the settings of `startup`; empty otherwise. Never a password. */
  readonly text: string;
  readonly bytes: Buffer;
}

const UNTYPED: Readonly<Record<number, FrontendMessage['type']>> = {
  80877102: 'cancel-request',
  80877103: 'ssl-request',
  80877104: 'gss-request',
};

export class MessageReader {
  readonly #connection: number;
  #buffer = Buffer.alloc(0);
  /** Startup packets have no type letter. */
  #typed = false;

  constructor(connection: number) {
    this.#connection = connection;
  }

  /** The messages that are complete so far. */
  read(chunk: Buffer): FrontendMessage[] {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    const messages: FrontendMessage[] = [];
    for (let bytes = this.#take(); bytes; bytes = this.#take()) messages.push(this.#parse(bytes));
    return messages;
  }

  #take(): Buffer | undefined {
    const header = this.#typed ? 5 : 4;
    if (this.#buffer.length < header) return undefined;
    const length = this.#buffer.readUInt32BE(header - 4) + header - 4;
    if (this.#buffer.length < length) return undefined;
    const bytes = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return bytes;
  }

  #parse(bytes: Buffer): FrontendMessage {
    const connection = this.#connection;
    if (!this.#typed) {
      const type = UNTYPED[bytes.readUInt32BE(4)] ?? 'startup';
      this.#typed = type === 'startup';
      const text = type === 'startup' ? bytes.toString('utf8', 8).split('\0').filter(Boolean).join(' ') : '';
      return { connection, type, text, bytes };
    }
    const type = bytes.toString('latin1', 0, 1);
    return { connection, type, text: sqlOf(type, bytes.subarray(5)), bytes };
  }
}

/** `Q`. */
export function queryMessage(sql: string): Buffer {
  const text = Buffer.from(`Q    ${sql}\0`);
  text.writeUInt32BE(text.length - 1, 1);
  return text;
}

function sqlOf(type: string, body: Buffer): string {
  const strings = body.toString('utf8').split('\0');
  if (type === 'Q') return strings[0] ?? '';
  // The name of the statement comes first.
  return type === 'P' ? (strings[1] ?? '') : '';
}
