// Answers: what goes over the line? A TCP proxy that makes a round trip slow, and counts how often a client waits for
// an answer.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { MessageReader } from '../test/support/frontend-messages.ts';

export class SlowLine {
  /** Since the last `reset()`. */
  connections = 0;
  /**
   * How often a client sent something of its log-in, and how often something else, after an answer; its farewell needs
   * none.
   */
  logInTrips = 0;
  trips = 0;
  /** The messages among them that carry SQL. */
  queries: string[] = [];
  readonly #target: URL;
  readonly #oneWayMs: number;
  readonly #server: Server;

  private constructor(target: URL, roundTripMs: number) {
    this.#target = target;
    this.#oneWayMs = roundTripMs / 2;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  static async start(url: string, roundTripMs: number): Promise<SlowLine> {
    const line = new SlowLine(new URL(url), roundTripMs);
    line.#server.listen(0, '127.0.0.1');
    await once(line.#server, 'listening');
    return line;
  }

  /** The same address, over this line. */
  get url(): string {
    const url = new URL(this.#target);
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  reset(): void {
    [this.connections, this.logInTrips, this.trips, this.queries] = [0, 0, 0, []];
  }

  async stop(): Promise<void> {
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    this.connections += 1;
    const server = connect({ host: this.#target.hostname, port: Number(this.#target.port), allowHalfOpen: true });
    const reader = new MessageReader(this.connections);
    let answered = true;
    client.on('data', (chunk: Buffer) => {
      for (const { type, text } of reader.read(chunk)) {
        if (type === 'X') continue;
        if (text !== '' && type !== 'startup') this.queries.push(text);
        if (!answered) continue;
        answered = false;
        if (type.length > 1 || type === 'p') this.logInTrips += 1;
        else this.trips += 1;
      }
    });
    server.on('data', () => (answered = true));
    // To open a connection takes a round trip too: the client, whom we accept at once, pays for it with its first
    // message.
    carry(client, server, this.#oneWayMs, 2 * this.#oneWayMs);
    carry(server, client, this.#oneWayMs, 0);
  }
}

/** Brings what comes from `from`, and its end, to `to` so much later. */
function carry(from: Socket, to: Socket, delayMs: number, moreAtFirst: number): void {
  let due = performance.now() + moreAtFirst;
  let last = Promise.resolve();
  const later = (act: () => unknown): void => {
    due = Math.max(due, performance.now() + delayMs);
    const at = due;
    last = last.then(() => until(at)).then(() => void act());
  };
  from.on('data', (chunk: Buffer) => later(() => to.write(chunk)));
  from.on('end', () => later(() => to.end()));
  // A reset shows as a close.
  from.on('error', () => undefined);
  from.on('close', (failed) => {
    if (failed) to.destroy();
  });
}

/** Timers count in whole milliseconds: the rest is waited for awake. */
async function until(at: number): Promise<void> {
  for (let rest = at - performance.now(); rest > 0; rest = at - performance.now())
    await (rest > 2 ? setTimeout(rest - 1.5) : setImmediate());
}
