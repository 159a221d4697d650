/** A TCP port before a server that is not ready yet: it turns everybody away, in one of several ways, until it is opened. */
import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';

import { within } from './bounded.ts';
import { openTcpFront } from './tcp-front.ts';

/** `hangs-up`: at once; `hangs-up-on-tls`: it agrees to TLS, and then closes, as a proxy does whose certificate is not there yet. */
export type Manner = 'hangs-up' | 'hangs-up-on-tls';

export interface LateDoor {
  /** The same address, through the door. */
  readonly url: string;
  /** Resolves with the next one who is turned away. */
  readonly turnedAway: () => Promise<void>;
  /** From now on everybody gets through. */
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
