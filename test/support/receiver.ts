/** An HTTP server in place of a Pushgateway, a collector or a chat: it keeps what it is sent. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

import { issue, makeAuthority } from './certificates.ts';

interface Posted {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Receiver {
  readonly url: string;
  readonly received: readonly Posted[];
  stop(): Promise<void>;
}

/** Of `silence` it never answers. */
export async function startReceiver(status: number | 'silence' = 200): Promise<Receiver> {
  return await listen(createServer(), status);
}

/** With a certificate of the authority whose PEM is `ca`. */
export async function startTlsReceiver(): Promise<Receiver & { readonly ca: string }> {
  const authority = makeAuthority('receivers');
  const certificate = issue(authority, 'receiver', ['127.0.0.1']);
  const receiver = await listen(createTlsServer({ key: certificate.keyPem(), cert: certificate.pem }), 200);
  return { ...receiver, url: receiver.url.replace('http:', 'https:'), ca: authority.pem };
}

async function listen(server: Server, status: number | 'silence'): Promise<Receiver> {
  const received: Posted[] = [];
  server.on('request', (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      received.push({ method, path, headers, body });
      if (status !== 'silence') response.writeHead(status).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
