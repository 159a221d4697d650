import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';

import { encryption, failure } from '../support/opening.ts';
import { KEY_PASSPHRASE, PASSWORD, startTlsServer, type TlsServer } from '../support/tls-server.ts';

const secret = encodeURIComponent(PASSWORD);

describe('logging in', () => {
  let server: TlsServer;
  let at: TlsServer['url'];

  before(async () => {
    server = await startTlsServer();
    at = server.url;
  });
  after(() => server.stop());

  it('authenticates with a client certificate, whose key may be encrypted', async () => {
    const { cert, key, encryptedKey } = server.files;
    expect(await encryption(at('by_cert', `sslmode=require&sslcert=${cert}&sslkey=${key}`))).to.equal(true);
    const passphrase = encodeURIComponent(KEY_PASSPHRASE);
    expect(
      await encryption(
        at('by_cert', `sslmode=require&sslcert=${cert}&sslkey=${encryptedKey}&sslpassword=${passphrase}`),
      ),
    ).to.equal(true);
  });

  it('reports what is wrong with a client certificate', async () => {
    const { cert, key, encryptedKey, otherCert, otherKey, garbage } = server.files;
    const code = async (parameters: string): Promise<string> =>
      (await failure(at('by_cert', `sslmode=require&${parameters}`))).code;
    expect(await code(`sslcert=${otherCert}&sslkey=${otherKey}`)).to.equal('ACCESS_REFUSED');
    expect(await code(`sslcert=${cert}&sslkey=${key}&sslcertmode=disable`)).to.equal('ACCESS_REFUSED');
    expect(await code(`sslcert=${cert}`)).to.equal('CONFIG_INVALID');
    expect(await code(`sslcert=${cert}&sslkey=${encryptedKey}`)).to.equal('CONFIG_INVALID');
    expect(await code(`sslcert=${cert}&sslkey=${garbage}`)).to.equal('CONFIG_INVALID');
  });

  it('takes the password from the connection URL, the environment or a password file', async () => {
    const bare = `postgres://readonly@127.0.0.1:${server.postgres.port}/postgres`;
    const passfile = join(server.folder, 'passfile');
    await writeFile(passfile, `127.0.0.1:*:postgres:readonly:${PASSWORD.replace(/[:\\]/g, '\\$&')}\n`, { mode: 0o644 });
    expect(await encryption(at('readonly'))).to.equal(true);
    expect(await encryption(bare, { env: { PGPASSWORD: PASSWORD } })).to.equal(true);
    expect(await encryption(bare, { env: { PGPASSFILE: passfile } })).to.equal(true);
  });

  it('reports a wrong password, a missing password and a missing database, each without a retry', async () => {
    const { port } = server.postgres;
    for (const url of [
      `postgres://readonly:wrong@127.0.0.1:${port},127.0.0.1:${port}/postgres`,
      `postgres://readonly@127.0.0.1:${port}/postgres`,
      `postgres://readonly:${secret}@127.0.0.1:${port}/nowhere`,
    ]) {
      const error = await failure(url);
      expect(error.code, error.summary).to.equal('ACCESS_REFUSED');
      expect(error.details.problems, error.summary).to.equal(undefined);
    }
  });

  for (const parameters of ['channel_binding=require', 'channel_binding=prefer', 'channel_binding=disable']) {
    it(`authenticates with SCRAM and ${parameters}`, async () => {
      expect(await encryption(at('readonly', parameters))).to.equal(true);
    });
  }

  it('with channel_binding=require, sends the password only to a server that proves to know it', async () => {
    for (const url of [
      at('in_clear', 'channel_binding=require'),
      at('trusted', 'channel_binding=require'),
      at('readonly', 'channel_binding=require&sslmode=disable'),
    ]) {
      const error = await failure(url);
      expect(error.code).to.equal('ACCESS_REFUSED');
      expect(error.summary).to.include('channel_binding=require');
    }
  });
});
