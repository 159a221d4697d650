import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';

import { startPostgres, type Postgres } from '../../scripts/postgres/server.ts';
import { makeAuthority } from '../support/certificates.ts';
import { closedPort, encryption, failure, open } from '../support/opening.ts';
import { SERVER_NAME, startTlsServer, type TlsServer } from '../support/tls-server.ts';

describe('connecting to a server with TLS', () => {
  let server: TlsServer;
  let at: TlsServer['url'];

  before(async () => {
    server = await startTlsServer();
    at = server.url;
  });
  after(() => server.stop());

  const ca = (): string => `sslrootcert=${server.files.ca}`;
  const named = (name: string): string => `host=${name}&hostaddr=127.0.0.1`;

  for (const [mode, encrypted] of [
    ['disable', false],
    ['allow', false],
    ['prefer', true],
    ['require', true],
  ] as const) {
    it(`sslmode=${mode} is ${encrypted ? 'encrypted' : 'unencrypted'}, and trusts any certificate`, async () => {
      expect(await encryption(at('trusted', `sslmode=${mode}`))).to.equal(encrypted);
    });
  }

  it('prefers TLS when no mode is given', async () => {
    expect(await encryption(at('trusted'))).to.equal(true);
  });

  it('sslmode=allow falls back to TLS when the server refuses an unencrypted connection', async () => {
    expect(await encryption(at('only_tls', 'sslmode=allow'))).to.equal(true);
  });

  it('sslmode=prefer falls back to an unencrypted connection when the server refuses TLS', async () => {
    expect(await encryption(at('only_clear', 'sslmode=prefer'))).to.equal(false);
  });

  it('sslmode=prefer falls back to an unencrypted connection when the root certificate does not match', async () => {
    expect(await encryption(at('trusted', `sslmode=prefer&sslrootcert=${server.files.otherCa}`))).to.equal(false);
  });

  it('reports both attempts when neither succeeds', async () => {
    const error = await failure(at('only_tls', `sslmode=prefer&sslrootcert=${server.files.otherCa}`));
    expect(error.code).to.equal('ACCESS_REFUSED');
    expect(error.details.problems).to.have.lengthOf(2);
    expect(error.details.problems![0]).to.include('self-signed certificate');
    expect(error.details.problems![1]).to.include('pg_hba.conf rejects');
  });

  it('sslmode=require verifies the chain but not the name, once there is a root certificate', async () => {
    expect(await encryption(at('trusted', `sslmode=require&${ca()}&${named('other.test')}`))).to.equal(true);
    const error = await failure(at('trusted', `sslmode=require&sslrootcert=${server.files.otherCa}`));
    expect(error.code).to.equal('ACCESS_REFUSED');
    expect(error.hint).to.include('sslrootcert');
  });

  it('finds root.crt in the home directory', async () => {
    const home = await mkdtemp(join(server.folder, 'home-'));
    await mkdir(join(home, '.postgresql'));
    await writeFile(join(home, '.postgresql', 'root.crt'), 'no certificate');
    expect((await failure(at('trusted', 'sslmode=require'), { home })).code).to.equal('CONFIG_INVALID');
    expect(await encryption(at('trusted', `sslmode=verify-full&${ca()}`), { home })).to.equal(true);
  });

  it('sslmode=verify-ca verifies the chain but not the name', async () => {
    expect(await encryption(at('trusted', `sslmode=verify-ca&${ca()}&${named('other.test')}`))).to.equal(true);
    expect((await failure(at('trusted', `sslmode=verify-ca&sslrootcert=${server.files.otherCa}`))).code).to.equal(
      'ACCESS_REFUSED',
    );
  });

  it('sslmode=verify-full also verifies the name or the IP address', async () => {
    expect(await encryption(at('trusted', `sslmode=verify-full&${ca()}&${named(SERVER_NAME)}`))).to.equal(true);
    expect(await encryption(at('trusted', `sslmode=verify-full&${ca()}`))).to.equal(true);
    const error = await failure(at('trusted', `sslmode=verify-full&${ca()}&${named('other.test')}`));
    expect(error.code).to.equal('ACCESS_REFUSED');
    expect(error.summary).to.include('other.test');
    expect(error.hint).to.include('verify-ca');
  });

  it('verifies against the trusted roots of the machine with sslrootcert=system', async () => {
    expect((await failure(at('trusted', 'sslrootcert=system'))).hint).to.include('sslrootcert');
    // OpenSSL reads its variables once, so a process of its own is needed to trust this authority.
    const opening = new URL('../support/opening.ts', import.meta.url);
    const script = `import { encryption } from '${opening.href}'; console.log(await encryption('${at('trusted', 'sslrootcert=system')}'));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      env: { ...process.env, SSL_CERT_FILE: server.files.ca, SSL_CERT_DIR: '/nowhere' },
      timeout: 20_000,
    });
    expect(stdout.trim()).to.equal('true');
  });

  it('refuses to verify without a root certificate', async () => {
    for (const parameters of [
      'sslmode=verify-ca',
      'sslmode=verify-full',
      'sslmode=verify-full&sslrootcert=/nowhere',
      'sslmode=require&sslrootcert=/nowhere',
      `sslmode=verify-ca&sslrootcert=${server.files.garbage}`,
    ]) {
      expect((await failure(at('trusted', parameters))).code, parameters).to.equal('CONFIG_INVALID');
    }
  });

  it('negotiates TLS directly with PostgreSQL 17 and newer; older servers close the connection', async () => {
    const { client } = await open(at('trusted'));
    const { rows } = await client.query<{ major: number }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS major`,
    );
    await client.end();
    const url = at('trusted', `sslmode=verify-full&${ca()}&sslnegotiation=direct`);
    if (rows[0]!.major >= 17) {
      expect(await encryption(url)).to.equal(true);
    } else {
      const error = await failure(url);
      expect(error.code).to.equal('DATABASE_UNAVAILABLE');
      expect(error.hint).to.include('PostgreSQL 17');
    }
  });

  it('uses a unix socket, where there is no TLS', async () => {
    expect(
      await encryption(
        `postgres://readonly@/postgres?host=${server.folder}&port=${server.postgres.port}&sslmode=require`,
      ),
    ).to.equal(false);
  });

  it('resolves a host name, and names it when it is unknown', async () => {
    const { client, target } = await open(at('trusted', '', 'localhost'));
    await client.end();
    expect(target).to.deep.include({ host: 'localhost', address: '127.0.0.1' });
    const error = await failure(at('trusted', '', 'nowhere.invalid'));
    expect(error.code).to.equal('DATABASE_UNAVAILABLE');
    expect(error.summary).to.include('nowhere.invalid');
  });

  it('tries the next host when one is unavailable', async () => {
    const { port } = server.postgres;
    const closed = await closedPort();
    const { client, target } = await open(
      `postgres://trusted@nowhere.invalid:1,127.0.0.1:${closed},127.0.0.1:${port}/postgres`,
    );
    await client.end();
    expect(target.port).to.equal(port);
    const error = await failure(`postgres://trusted@nowhere.invalid:1,127.0.0.1:${closed}/postgres`);
    expect(error.code).to.equal('DATABASE_UNAVAILABLE');
    expect(error.summary).to.include('ECONNREFUSED');
    expect(error.details.problems).to.have.lengthOf(2);
  });

  it('target_session_attrs skips a server that does not match', async () => {
    expect(await encryption(at('readonly', 'target_session_attrs=primary'))).to.equal(true);
    const error = await failure(at('readonly', 'target_session_attrs=read-write'));
    expect(error.code).to.equal('DATABASE_UNAVAILABLE');
    expect(error.summary).to.include('read-only');
  });
});

describe('connecting to a server without TLS', () => {
  let server: Postgres;
  let folder: string;
  let at: (parameters: string) => string;

  before(async () => {
    server = await startPostgres();
    folder = await mkdtemp(join(tmpdir(), 'lockstep-connect-'));
    await writeFile(join(folder, 'root.crt'), makeAuthority('nobody').pem);
    at = (parameters) => `${server.url}?${parameters}`;
  });
  after(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  for (const mode of ['disable', 'allow', 'prefer']) {
    it(`sslmode=${mode} is unencrypted`, async () => {
      expect(await encryption(at(`sslmode=${mode}`))).to.equal(false);
    });
  }

  for (const mode of ['require', 'verify-ca', 'verify-full']) {
    it(`sslmode=${mode} is refused`, async () => {
      const error = await failure(at(`sslmode=${mode}&sslrootcert=${join(folder, 'root.crt')}`));
      expect(error.code).to.equal('ACCESS_REFUSED');
      expect(error.summary).to.include('offers no TLS');
    });
  }

  it('direct negotiation names its requirements', async () => {
    expect((await failure(at('sslmode=require&sslnegotiation=direct'))).hint).to.include('PostgreSQL 17');
  });
});
