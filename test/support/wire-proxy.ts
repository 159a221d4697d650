/** A TCP proxy before a PostgreSQL server: it records what clients send, message by message, and can break the connection at any of them. */
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import { within } from './bounded.ts';
import { MessageReader, queryMessage, type FrontendMessage } from './frontend-messages.ts';
import { openTcpFront, type TcpFront } from './tcp-front.ts';

export type { FrontendMessage };

/**
 * What to do with a message: `pass` it; `cut` the connection instead; `cut-after` passing it, so that the
 * answer never arrives; fall `silent`, with both sides left open; pass it after a delay; or pass a query of other text.
 */
type ProxyAction = 'pass' | 'cut' | 'cut-after' | 'silent' | { readonly delayMs: number } | { readonly sql: string };

export type ProxyRule = (message: FrontendMessage, index: number) => ProxyAction;

export class WireProxy {
  /** Everything that clients sent, in order. */
  readonly messages: FrontendMessage[] = [];
  /** Decides about each message; `index` is its place in `messages`. */
  rule: ProxyRule = () => 'pass';
  readonly #links = new Set<Link>();
  readonly #watchers = new Set<() => void>();
  #connections = 0;
  #silent = false;
  #front!: TcpFront;

  /** `url` is the server's address; the proxy speaks to it without TLS, and answers for it that there is none. */
  static async start(url: string): Promise<WireProxy> {
    const proxy = new WireProxy();
    proxy.#front = await openTcpFront(url, (client, reach) => {
      proxy.#accept(client, reach());
    });
    return proxy;
  }

  /** The same address, through the proxy. */
  get url(): string {
    return this.#front.url;
  }

  /** What was sent after the log-in: everything but start-up, passwords and the farewell. */
  get queries(): readonly FrontendMessage[] {
    return this.messages.filter(({ type }) => type.length === 1 && type !== 'p' && type !== 'X');
  }

  /** The first such message, already sent or still to come. Bounded. */
  async nextMessage(what: string, predicate: (message: FrontendMessage) => boolean): Promise<FrontendMessage> {
    const found = Promise.withResolvers<FrontendMessage>();
    const look = (): void => {
      const message = this.messages.find(predicate);
      if (message) found.resolve(message);
    };
    this.#watchers.add(look);
    look();
    try {
      return await within(found.promise, `the message: ${what}`);
    } finally {
      this.#watchers.delete(look);
    }
  }

  /** Ends every connection that there is now, on both sides. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  /** From now on nothing passes in either direction, on old and new connections, and none is closed. */
  silence(): void {
    this.#silent = true;
    for (const link of this.#links) link.silence();
  }

  async stop(): Promise<void> {
    const closed = this.#front.close();
    this.cut();
    await closed;
  }

  #accept(client: Socket, server: Socket): void {
    this.#connections += 1;
    const link = new Link(client, server, this.#connections, (message) => {
      this.messages.push(message);
      for (const watcher of this.#watchers) watcher();
      return this.rule(message, this.messages.length - 1);
    });
    this.#links.add(link);
    // While it is silent the client may be gone and the server not know it.
    for (const socket of [client, server]) {
      socket.once('close', () => {
        if (client.closed && server.closed) this.#links.delete(link);
      });
    }
    if (this.#silent) link.silence();
  }
}

/** One client's connection and the one to the server that belongs to it. */
class Link {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #decide: (message: FrontendMessage) => ProxyAction;
  #silent = false;
  /** Messages keep their order, also behind a delayed one. */
  #last: Promise<void> = Promise.resolve();

  constructor(client: Socket, server: Socket, number: number, decide: (message: FrontendMessage) => ProxyAction) {
    this.#client = client;
    this.#server = server;
    this.#decide = decide;
    const reader = new MessageReader(number);
    client.on('data', (chunk: Buffer) => {
      for (const message of reader.read(chunk)) {
        this.#last = this.#last.then(() => this.#forward(message));
      }
    });
    server.on('data', (chunk: Buffer) => {
      if (!this.#silent) client.write(chunk);
    });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      // A reset shows as a close.
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#last = this.#last.then(() => {
          if (!this.#silent) to.end();
        });
      });
    }
    server.on('end', () => {
      if (!this.#silent) client.end();
    });
  }

  cut(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  silence(): void {
    this.#silent = true;
  }

  async #forward(message: FrontendMessage): Promise<void> {
    if (this.#silent) return;
    if (message.type === 'ssl-request' || message.type === 'gss-request') {
      this.#client.write('N');
      return;
    }
    const action = this.#decide(message);
    if (action === 'silent') this.silence();
    else if (action === 'cut') this.cut();
    else {
      if (typeof action === 'object' && 'delayMs' in action) await pause(action.delayMs);
      this.#server.write(typeof action === 'object' && 'sql' in action ? queryMessage(action.sql) : message.bytes);
      if (action !== 'cut-after') return;
      this.silence();
      this.#client.destroy();
      // The server reads the message, and then that nobody is there any more.
      this.#server.end();
    }
  }
}
