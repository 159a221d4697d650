/**
 * A TCP port in front of a server that is not ready yet: it rejects every client, in one of several ways, until it is
 * opened.
 */
import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';

import { within } from './bounded.ts';
import { openTcpFront } from './tcp-front.ts';

/**
 * `hangs-up` closes at once; `hangs-up-on-tls` accepts TLS and then closes, like a proxy without its certificate yet.
 */
export type Manner = 'hangs-up' | 'hangs-up-on-tls';

export interface LateDoor {
  /** The server's address, through this port. */
  readonly url: string;
  /** Resolves with the next rejected client. */
  readonly turnedAway: () => Promise<void>;
  /** Accepts every client from now on. */
  readonly open: () => void;
  readonly stop: () => Promise<void>;
}

export async function startLateDoor(url: string, manner: Manner): Promise<LateDoor> {
  const sockets = new Set<Socket>();
  const turns = new EventEmitter();
  let isOpen = false;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };
  const front = await openTcpFront(url, (client, reach) => {
    keep(client);
    if (!isOpen) {
      turns.emit('away');
      if (manner === 'hangs-up') client.destroy();
      else client.once('data', () => client.end('S'));
      return;
    }
    const behind = reach();
    keep(behind);
    client.pipe(behind).pipe(client);
  });
  return {
    url: front.url,
    turnedAway: async () => {
      await within(once(turns, 'away'), 'somebody to come to the closed door');
    },
    open: () => {
      isOpen = true;
    },
    stop: async () => {
      const closed = front.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
