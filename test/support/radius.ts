/**
 * A RADIUS server (RFC 2865): with it PostgreSQL refuses a password with 28000, as with PAM, which clouds use for
 * tokens.
 */
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const ACCEPT = 2;
const REJECT = 3;

export interface Radius {
  /** For pg_hba.conf. */
  readonly method: string;
  /** The number of requests for a user. */
  readonly asked: number;
  accepts: boolean;
  close(): void;
}

export async function startRadius(): Promise<Radius> {
  const secret = 'between-the-two';
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  let asked = 0;
  let accepts = false;
  socket.on('message', (request, { port, address }) => {
    asked += 1;
    const head = Buffer.from([accepts ? ACCEPT : REJECT, request[1] ?? 0, 0, 20]);
    const proof = createHash('md5')
      .update(Buffer.concat([head, request.subarray(4, 20), Buffer.from(secret)]))
      .digest();
    socket.send(Buffer.concat([head, proof]), port, address);
  });
  return {
    method: `radius radiusservers="127.0.0.1" radiusports="${socket.address().port}" radiussecrets="${secret}"`,
    get asked() {
      return asked;
    },
    get accepts() {
      return accepts;
    },
    set accepts(value) {
      accepts = value;
    },
    close: () => void socket.close(),
  };
}
