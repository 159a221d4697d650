/** A TCP port before a server: what the proxies of the tests stand on. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface TcpFront {
  /** The server's address, through the front. */
  readonly url: string;
  /** Lets nobody in any more. Resolves when all who are in have left. */
  close(): Promise<void>;
}

/** Hands each client to `accept`; `reach` makes a connection to the server, whose address is `url`. */
export async function openTcpFront(
  url: string,
  accept: (client: Socket, reach: () => Socket) => void,
): Promise<TcpFront> {
  const target = new URL(url);
  const port = Number(target.port === '' ? 5432 : target.port);
  const server = createServer((client) => {
    accept(client, () => connect({ host: target.hostname, port, allowHalfOpen: true }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = String((server.address() as AddressInfo).port);
  return {
    url: through.href,
    close: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}
