/** A TCP port in front of a server: the base of the tests' proxies. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface TcpFront {
  /** The server's address, through the front. */
  readonly url: string;
  /** Stops accepting clients. Resolves when all connected clients have left. */
  close(): Promise<void>;
}

/** Passes each client to `accept`; `reach` opens a connection to the server, whose address is `url`. */
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
