/**
 * A TCP proxy in front of a PostgreSQL server that stops at every client message, and asks the test what to do with it.
 */
import type { Socket } from 'node:net';

import { MessageReader, type FrontendMessage } from '../../support/frontend-messages.ts';
import { openTcpFront, type TcpFront } from '../../support/tcp-front.ts';

export interface Step {
  /** `connection.message`, both counted from 1: the same in every run of the same files. */
  readonly name: string;
  readonly message: FrontendMessage;
  readonly link: Link;
}

/** Forwards the message or drops it. Later messages of the client wait until this has resolved. */
export type AtStep = (step: Step) => Promise<void>;

export class StepProxy {
  /** The error that `at` threw; its connection was cut. */
  readonly failures: unknown[] = [];
  readonly #at: AtStep;
  readonly #links: Link[] = [];
  #front!: TcpFront;

  private constructor(at: AtStep) {
    this.#at = at;
  }

  /** `url` is the server's address; the proxy connects without TLS, and refuses TLS to its clients. */
  static async start(url: string, at: AtStep): Promise<StepProxy> {
    const proxy = new StepProxy(at);
    proxy.#front = await openTcpFront(url, (client, reach) => {
      proxy.#accept(client, reach());
    });
    return proxy;
  }

  /** The same address, through the proxy. */
  get url(): string {
    return this.#front.url;
  }

  /** Ends every current connection, on both sides. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  async stop(): Promise<void> {
    const closed = this.#front.close();
    this.cut();
    await closed;
  }

  #accept(client: Socket, server: Socket): void {
    const number = this.#links.length + 1;
    const link = new Link(client, server, number, async (step) => {
      await this.#at(step).catch((error: unknown) => {
        this.failures.push(error);
        step.link.cut();
      });
    });
    this.#links.push(link);
  }
}

/** A client's connection and its connection to the server. */
export class Link {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #answers = new AnswerReader();
  readonly #passing = new Map<FrontendMessage, () => void>();
  #over = false;
  #holding = false;
  #held: Buffer[] = [];

  constructor(client: Socket, server: Socket, number: number, at: AtStep) {
    this.#client = client;
    this.#server = server;
    const reader = new MessageReader(number);
    let last: Promise<void> = Promise.resolve();
    let count = 0;
    client.on('data', (chunk: Buffer) => {
      for (const message of reader.read(chunk)) {
        count += 1;
        const step = { name: `${number}.${count}`, message, link: this };
        last = last.then(() => (this.#over ? undefined : at(step)));
      }
    });
    server.on('data', (chunk: Buffer) => {
      this.#answers.read(chunk);
      if (this.#holding) this.#held.push(chunk);
      else client.write(chunk);
    });
    // A reset also emits a close event.
    for (const socket of [client, server]) socket.on('error', () => undefined);
    client.on('close', () => {
      last = last.then(() => void server.end());
    });
    for (const event of ['end', 'close']) {
      server.on(event, () => {
        this.#answers.end();
        if (!this.#holding) client.end();
      });
    }
  }

  /** The backend's pid, from the server's login answer. */
  get backend(): number | undefined {
    return this.#answers.backend;
  }

  /**
   * Forwards the message. Resolves when the server has answered it completely (during login: at all), or has closed.
   */
  forward(message: FrontendMessage): Promise<void> {
    const { type, bytes } = message;
    if (type === 'ssl-request' || type === 'gss-request') {
      this.#client.write('N');
      return Promise.resolve();
    }
    const answered = this.#answers.next(type === 'startup' || type === 'p' ? 'anything' : 'ready');
    this.#server.write(bytes);
    this.#passing.get(message)?.();
    // The server answers the parts of an extended query together, after Sync.
    return 'PBDECHF'.includes(type) ? Promise.resolve() : answered;
  }

  /** Resolves when the message is forwarded: later messages of the client must not overtake it. */
  passed(message: FrontendMessage): Promise<void> {
    return new Promise((resolve) => {
      this.#passing.set(message, resolve);
    });
  }

  /** Holds back answers to the client until `letGo`. */
  hold(): void {
    this.#holding = true;
  }

  letGo(): void {
    this.#holding = false;
    for (const chunk of this.#held.splice(0)) this.#client.write(chunk);
    if (this.#answers.ended) this.#client.end();
  }

  /** Ends both sides at once. */
  cut(): void {
    this.#over = true;
    this.#client.destroy();
    this.#server.destroy();
  }

  /** Closes the client's side at once; the server reads what was sent, and then the end of the connection. */
  hangUp(): void {
    this.#over = true;
    this.#holding = true;
    this.#client.destroy();
    this.#server.end();
  }
}

/** Parses the server's messages (PostgreSQL manual, "Frontend/Backend Protocol", "Message Formats"). */
class AnswerReader {
  backend: number | undefined;
  ended = false;
  #buffer = Buffer.alloc(0);
  #waiting: { readonly for: 'anything' | 'ready'; readonly resolve: () => void }[] = [];

  next(what: 'anything' | 'ready'): Promise<void> {
    if (this.ended) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ for: what, resolve });
    });
  }

  end(): void {
    this.ended = true;
    this.#tell(() => true);
  }

  read(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    let ready = false;
    while (this.#buffer.length >= 5) {
      const length = this.#buffer.readUInt32BE(1) + 1;
      if (this.#buffer.length < length) break;
      const type = this.#buffer.toString('latin1', 0, 1);
      if (type === 'K') this.backend = this.#buffer.readUInt32BE(5);
      ready ||= type === 'Z';
      this.#buffer = this.#buffer.subarray(length);
    }
    this.#tell((waiting) => ready || waiting.for === 'anything');
  }

  #tell(whom: (waiting: { readonly for: 'anything' | 'ready' }) => boolean): void {
    const notified = this.#waiting.filter(whom);
    this.#waiting = this.#waiting.filter((one) => !notified.includes(one));
    for (const { resolve } of notified) resolve();
  }
}
