/**
 * A TCP proxy in front of a PostgreSQL server that records each client message, and can break the connection at any of
 * them.
 */
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import { within } from './bounded.ts';
import { MessageReader, queryMessage, type FrontendMessage } from './frontend-messages.ts';
import { openTcpFront, type TcpFront } from './tcp-front.ts';

export type { FrontendMessage };

/**
 * The action for a message: `pass` it; `cut` the connection instead; `cut-after` passing it, so that the
 * answer never arrives; fall `silent`, with both sides left open; pass it after a delay; or pass a query of other text.
 */
type ProxyAction = 'pass' | 'cut' | 'cut-after' | 'silent' | { readonly delayMs: number } | { readonly sql: string };

export type ProxyRule = (message: FrontendMessage, index: number) => ProxyAction;

export class WireProxy {
  /** All messages of the clients, in order. */
  readonly messages: FrontendMessage[] = [];
  /** Decides about each message; `index` is its position in `messages`. */
  rule: ProxyRule = () => 'pass';
  readonly #links = new Set<Link>();
  readonly #watchers = new Set<() => void>();
  #connections = 0;
  #silent = false;
  #front!: TcpFront;

  /** `url` is the server's address; the proxy connects without TLS, and refuses TLS to its clients. */
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

  /** The messages after login: everything except startup, passwords and Terminate. */
  get queries(): readonly FrontendMessage[] {
    return this.messages.filter(({ type }) => type.length === 1 && type !== 'p' && type !== 'X');
  }

  /** The first such message: a past one, or the next one. Bounded. */
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

  /** Ends every current connection, on both sides. */
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
    // While the proxy is silent, the client may have left without the server noticing.
    for (const socket of [client, server]) {
      socket.once('close', () => {
        if (client.closed && server.closed) this.#links.delete(link);
      });
    }
    if (this.#silent) link.silence();
  }
}

/** A client's connection and its connection to the server. */
class Link {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #decide: (message: FrontendMessage) => ProxyAction;
  #silent = false;
  /** Messages keep their order, even after a delayed one. */
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
      // A reset also emits a close event.
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
      // The server reads the message, and then the end of the connection.
      this.#server.end();
    }
  }
}
