/** A PostgreSQL server with TLS, a user for each authentication method, and the files that a client may need. */
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import pg from 'pg';

import { startPostgres, type Postgres } from '../../scripts/postgres/server.ts';
import { issue, makeAuthority } from './certificates.ts';

export const PASSWORD = 'p@ss/w:rd %';
/** The names in the server's certificate. */
export const SERVER_NAME = 'db.test';
export const KEY_PASSPHRASE = 'key secret';

/** The first matching line decides; the server answers 28000 for `reject` and without a matching line. */
const PG_HBA = `
local     all  all                     trust
hostnossl all  only_tls  127.0.0.1/32  reject
hostssl   all  only_clear 127.0.0.1/32 reject
hostssl   all  by_cert   127.0.0.1/32  cert
host      all  by_cert   127.0.0.1/32  reject
host      all  in_clear  127.0.0.1/32  password
host      all  by_md5    127.0.0.1/32  md5
host      all  trusted   127.0.0.1/32  trust
host      all  all       127.0.0.1/32  scram-sha-256
`;
const USERS = ['only_tls', 'only_clear', 'by_cert', 'in_clear', 'trusted', 'readonly', 'by_md5'];

export interface TlsServer {
  readonly postgres: Postgres;
  /** An address that contains the password, to which parameters can be appended. */
  readonly url: (user: string, parameters?: string, host?: string) => string;
  /** Also the directory of its Unix socket. */
  readonly folder: string;
  readonly files: Readonly<
    Record<'ca' | 'otherCa' | 'cert' | 'key' | 'encryptedKey' | 'otherCert' | 'otherKey' | 'garbage', string>
  >;
  stop(): Promise<void>;
}

export async function startTlsServer(): Promise<TlsServer> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-tls-'));
  // The server runs as another user, and creates its socket here.
  await chmod(folder, 0o777);
  const postgres = await startPostgres({ auth: 'scram-sha-256', settings: { unix_socket_directories: folder } });
  const stop = async (): Promise<void> => {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const ca = makeAuthority('test authority');
    const files = await writeClientFiles(folder, ca);
    await createUsers(postgres);
    await switchTlsOn(postgres, ca);
    const url: TlsServer['url'] = (user, parameters = '', name = postgres.host) =>
      `postgres://${user}:${encodeURIComponent(PASSWORD)}@${name}:${postgres.port}/postgres?${parameters}`;
    return { postgres, url, folder, files, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function writeClientFiles(folder: string, ca: ReturnType<typeof makeAuthority>): Promise<TlsServer['files']> {
  const other = makeAuthority('another authority');
  const client = issue(ca, 'by_cert');
  const stranger = issue(other, 'by_cert');
  const texts = {
    ca: ca.pem,
    otherCa: other.pem,
    cert: client.pem,
    key: client.keyPem(),
    encryptedKey: client.keyPem(KEY_PASSPHRASE),
    otherCert: stranger.pem,
    otherKey: stranger.keyPem(),
    garbage: 'no certificate',
  };
  const files = Object.fromEntries(Object.keys(texts).map((name) => [name, join(folder, name)])) as Record<
    keyof typeof texts,
    string
  >;
  for (const [name, text] of Object.entries(texts)) await writeFile(join(folder, name), text);
  return files;
}

async function createUsers({ url }: Postgres): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    for (const user of USERS) await client.query(`CREATE USER ${user} PASSWORD '${PASSWORD}'`);
    await client.query(`SET password_encryption = 'md5'; ALTER USER by_md5 PASSWORD '${PASSWORD}'`);
    await client.query('ALTER USER readonly SET default_transaction_read_only = on');
  } finally {
    await client.end();
  }
}

async function switchTlsOn(postgres: Postgres, ca: ReturnType<typeof makeAuthority>): Promise<void> {
  const server = issue(ca, 'the server', [SERVER_NAME, postgres.host]);
  const { uid, gid } = postgres.owner;
  const inDataDir = (name: string): string => join(postgres.dataDir, name);
  for (const [name, text] of [
    ['server.crt', server.pem],
    ['server.key', server.keyPem()],
    ['ca.crt', ca.pem],
  ] as const) {
    await writeFile(inDataDir(name), text, { mode: 0o600 });
    await chown(inDataDir(name), uid, gid);
  }
  await writeFile(inDataDir('pg_hba.conf'), PG_HBA);
  const settings = await readFile(inDataDir('postgresql.conf'), 'utf8');
  await writeFile(inDataDir('postgresql.conf'), `${settings}\nssl = on\nssl_ca_file = 'ca.crt'\n`);
  await postgres.restart('fast');
}
