/**
 * An HTTPS server in place of the Kubernetes API, for answers that a real one does not give on demand: errors,
 * throttling, silence.
 */
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

import { issue, makeAuthority } from './certificates.ts';

/** The answer to the next request; undefined means none. */
export type Answer = { readonly status: number; readonly headers?: Readonly<Record<string, string>> } | undefined;

interface Received {
  readonly method: string;
  readonly path: string;
  readonly authorization: string;
  readonly body: {
    readonly reason: string;
    readonly note: string;
    readonly eventTime: string;
    readonly metadata: { readonly name: string };
    readonly [field: string]: unknown;
  };
}

export interface ApiDouble {
  readonly url: string;
  readonly ca: string;
  readonly received: readonly Received[];
  /** Frees the port; later connections are refused. */
  stop(): Promise<void>;
}

/** The last answer is repeated forever. */
export async function startApiDouble(answers: readonly Answer[]): Promise<ApiDouble> {
  const authority = makeAuthority('api double');
  const certificate = issue(authority, 'kubernetes', ['127.0.0.1']);
  const left = [...answers];
  const received: Received[] = [];
  const server = createServer({ key: certificate.keyPem(), cert: certificate.pem }, (request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      received.push({
        method,
        path,
        authorization: headers.authorization ?? '',
        body: JSON.parse(text) as Received['body'],
      });
      const answer = left.length > 1 ? left.shift() : left[0];
      if (!answer) return;
      const status = {
        kind: 'Status',
        apiVersion: 'v1',
        code: answer.status,
        message: `the double says ${answer.status}`,
      };
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
      response.end(answer.status === 201 ? text : JSON.stringify(status));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    ca: authority.pem,
    received,
    async stop() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
