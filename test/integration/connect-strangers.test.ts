import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { expect } from 'chai';

import type { MigratorError } from '../../src/core/errors.ts';
import { failure, open, type OpenOptions } from '../support/opening.ts';

describe('connecting to a server that is not PostgreSQL or misbehaves', () => {
  type Answer = string | Buffer | undefined | ((packet: Buffer) => string | Buffer | undefined);

  /**
   * Answers each packet with the same bytes, or with what a function returns for it; undefined closes the connection.
   */
  async function scripted(answer: Answer): Promise<{ url: string; server: Server; stop: () => Promise<void> }> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (packet) => {
        const words = typeof answer === 'function' ? answer(packet) : answer;
        if (words === undefined) socket.destroy();
        else socket.write(words);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const stop = async (): Promise<void> => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    };
    return { url: `postgres://me@127.0.0.1:${(server.address() as AddressInfo).port}/app`, server, stop };
  }

  async function failureWhen(answer: Answer, parameters: string, options?: OpenOptions): Promise<MigratorError> {
    const { url, stop } = await scripted(answer);
    try {
      return await failure(`${url}?${parameters}`, options);
    } finally {
      await stop();
    }
  }

  /** An ErrorResponse, as a pooler sends it. */
  function errorResponse(sqlstate: string, message: string): Buffer {
    const fields = Buffer.from(`SFATAL\0C${sqlstate}\0M${message}\0\0`);
    const head = Buffer.from('E\0\0\0\0');
    head.writeInt32BE(fields.length + 4, 1);
    return Buffer.concat([head, fields]);
  }

  it('refuses bytes that arrive before the TLS handshake', async () => {
    const error = await failureWhen(
      Buffer.concat([Buffer.from('S'), errorResponse('28000', 'injected')]),
      'sslmode=require',
    );
    expect(error.code).to.equal('ACCESS_REFUSED');
    expect(error.summary).to.include('unencrypted data').and.not.include('injected');
  });

  it('does not show an error that arrived unencrypted instead of TLS', async () => {
    const error = await failureWhen(errorResponse('28000', 'injected'), 'sslmode=require');
    expect(error.code).to.equal('DATABASE_UNAVAILABLE');
    expect(error.summary).to.not.include('injected');
  });

  it('continues unencrypted on the same connection when the server offers no TLS', async () => {
    let connections = 0;
    const answer = (packet: Buffer): string | Buffer => {
      if (packet.length > 8) return errorResponse('28P01', 'wrong password');
      connections += 1;
      return 'N';
    };
    expect((await failureWhen(answer, 'sslmode=prefer')).details.problems).to.equal(undefined);
    expect(connections).to.equal(1);
  });

  it('treats an interrupted handshake as a refusal of TLS where an unencrypted connection is allowed, else as a lost connection', async () => {
    const answer = (packet: Buffer): string | Buffer | undefined => {
      if (packet.length === 8) return 'S';
      return packet[0] === 0x16 ? undefined : errorResponse('28P01', 'wrong password');
    };
    const preferred = await failureWhen(answer, 'sslmode=prefer');
    expect(preferred.code).to.equal('ACCESS_REFUSED');
    expect(preferred.details.problems).to.have.lengthOf(2);
    expect((await failureWhen(answer, 'sslmode=require')).code).to.equal('DATABASE_UNAVAILABLE');
  });

  it('retries when the server closes the connection', async () => {
    for (const parameters of ['sslmode=disable', 'sslmode=prefer', 'sslmode=require']) {
      expect((await failureWhen(undefined, parameters)).code, parameters).to.equal('DATABASE_UNAVAILABLE');
    }
  });

  it('maps the start-up errors of the server to error codes', async () => {
    for (const [sqlstate, message, code] of [
      ['57P03', 'the database system is starting up', 'DATABASE_UNAVAILABLE'],
      ['53300', 'sorry, too many clients already', 'DATABASE_UNAVAILABLE'],
      ['57014', 'canceling authentication due to timeout', 'DATABASE_UNAVAILABLE'],
      ['XX000', 'anything', 'DATABASE_UNAVAILABLE'],
      ['08P01', 'query_wait_timeout', 'DATABASE_UNAVAILABLE'],
      ['08P01', 'unsupported startup parameter: options', 'CONFIG_INVALID'],
      ['3D000', 'database "app" does not exist', 'ACCESS_REFUSED'],
      ['42501', 'permission denied for database "app"', 'ACCESS_REFUSED'],
    ] as const) {
      const error = await failureWhen(errorResponse(sqlstate, message), 'sslmode=disable');
      expect(error.code, sqlstate).to.equal(code);
      expect(error.summary).to.include(message);
      expect(error.details.server).to.deep.include({ sqlstate, message });
    }
  });

  it('times out after connect_timeout without an answer', async () => {
    for (const parameters of ['sslmode=disable', 'sslmode=require']) {
      const error = await failureWhen('', parameters, { settings: { connectTimeoutMs: 50 } });
      expect(error.code).to.equal('DATABASE_UNAVAILABLE');
      expect(error.summary).to.include('no answer from 127.0.0.1');
    }
  });

  it('ends at once with the reason of its abort signal', async () => {
    for (const parameters of ['sslmode=disable', 'sslmode=require']) {
      const { url, server, stop } = await scripted('');
      const stopping = new AbortController();
      const reason = new Error('told to stop');
      server.once('connection', () => stopping.abort(reason));
      const error = await open(`${url}?${parameters}`, { signal: stopping.signal }).catch((thrown: unknown) => thrown);
      await stop();
      expect(error).to.equal(reason);
    }
  });
});
