import { expect } from 'chai';
import fc from 'fast-check';

import { parseAddress, type ParsedAddress } from '../../src/adapters/postgres/address/address.ts';
import { describeAddress, type ConnectionSettings } from '../../src/adapters/postgres/address/connection-settings.ts';

const CANARY = 'c4n4ry';

type Env = Record<string, string>;
/** Only the fields that a case tests. */
type Part = {
  [K in keyof ConnectionSettings]?: K extends 'tls' ? Partial<ConnectionSettings['tls']> : ConnectionSettings[K];
};

const at = (host: string, port = 5432, address?: string): ConnectionSettings['hosts'][number] => ({
  host,
  address,
  port,
});

function parse(databaseUrl: string | undefined, env: Env = {}): ParsedAddress {
  return parseAddress({ databaseUrl, env, home: '/home/me' });
}

describe('parseAddress accepts', () => {
  const cases: readonly (readonly [string, Part, Env?])[] = [
    // Hosts, ports and database.
    ['postgres://me:pw@db:6432/app', { hosts: [at('db', 6432)], user: 'me', password: 'pw', database: 'app' }],
    ['postgresql://me@db', { hosts: [at('db')], user: 'me', password: undefined, database: 'me' }],
    ['postgres://me@h1:1,h2,h3:3/app', { hosts: [at('h1', 1), at('h2'), at('h3', 3)] }],
    ['postgres://me@h1,h2/app?port=7', { hosts: [at('h1', 7), at('h2', 7)] }],
    ['postgres://me@[::1]:6432/app', { hosts: [at('::1', 6432)] }],
    ['postgres://me@[2001:db8::1],db/app', { hosts: [at('2001:db8::1'), at('db')] }],
    ['postgres://me@/app?host=/var/run/postgresql', { hosts: [at('/var/run/postgresql')] }],
    ['postgres://me@%2Fvar%2Frun%2Fpostgresql:6432/app', { hosts: [at('/var/run/postgresql', 6432)] }],
    ['postgres://me@db/app?hostaddr=10.0.0.1', { hosts: [at('db', 5432, '10.0.0.1')] }],
    [
      'postgres://?host=db&user=me&password=p%26w&dbname=app',
      { hosts: [at('db')], user: 'me', password: 'p&w', database: 'app' },
    ],
    ['postgres://db/app', { user: 'you', password: 'pw' }, { PGUSER: 'you', PGPASSWORD: 'pw' }],
    ['postgres://db/app?user=me@srv', { user: 'me@srv' }],
    [' postgres://me@db/app\n', { hosts: [at('db')], database: 'app' }],
    ['postgres://m%40e:p%2Fw%3A%25+@db/a%20b', { user: 'm@e', password: 'p/w:%+', database: 'a b' }],
    ['postgres://me:a?b#c@db/app', { password: 'a?b#c' }],
    ['host=db port=6432 user=me dbname=app', { hosts: [at('db', 6432)], user: 'me', database: 'app' }],
    ["host = db user=me password='it\\'s a \\\\ secret' dbname=''", { password: "it's a \\ secret", database: 'me' }],
    ['host=db user=me password=a\\ b', { password: 'a b' }],
    ['host=/tmp user=me', { hosts: [at('/tmp')] }],
    // The environment supplies what the address omits; an empty variable counts as unset.
    [
      '',
      { hosts: [at('h1', 1), at('h2', 2)], user: 'me', database: 'app' },
      { PGHOST: 'h1,h2', PGPORT: '1,2', PGUSER: 'me', PGDATABASE: 'app' },
    ],
    [
      '',
      { hosts: [at('10.0.0.1', 5432, '10.0.0.1')] },
      { PGHOSTADDR: '10.0.0.1', PGUSER: 'me', PGPORT: '', PGSSLMODE: '' },
    ],
    [
      'postgres://me@db:1/app',
      { hosts: [at('db', 1)], database: 'app' },
      { PGHOST: 'x', PGPORT: '2', PGDATABASE: 'y', PGUSER: 'z' },
    ],
    ['postgres://me@db', { passfile: { path: '/home/me/.pgpass', named: false } }],
    ['postgres://me@db', { passfile: { path: '/p', named: true } }, { PGPASSFILE: '/p' }],
    ['postgres://me@db?passfile=/q', { passfile: { path: '/q', named: true } }, { PGPASSFILE: '/p' }],
    // TLS.
    [
      'postgres://me@db',
      {
        tls: {
          mode: 'prefer',
          negotiation: 'postgres',
          minVersion: 'TLSv1.2',
          sendsName: true,
          folder: '/home/me/.postgresql',
        },
      },
    ],
    ['postgres://me@db?sslmode=require', { tls: { mode: 'require' } }, { PGSSLMODE: 'disable' }],
    ['postgres://me@db?ssl=true', { tls: { mode: 'require' } }],
    [
      'postgres://me@db',
      { tls: { mode: 'verify-full', rootCert: '/ca' } },
      { PGSSLMODE: 'verify-full', PGSSLROOTCERT: '/ca' },
    ],
    ['postgres://me@db?sslrootcert=system', { tls: { mode: 'verify-full', rootCert: 'system' } }],
    [
      'postgres://me@db?sslcert=/c&sslkey=/k&sslpassword=pw&sslcrl=/r',
      { tls: { cert: '/c', key: '/k', keyPassword: 'pw', crl: '/r' } },
    ],
    ['postgres://me@db?sslsni=0&sslcertmode=disable', { tls: { sendsName: false, sendsCert: false } }],
    ['postgres://me@db?sslmode=require&sslnegotiation=direct', { tls: { negotiation: 'direct' } }],
    [
      'postgres://me@db?ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.3',
      { tls: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } },
    ],
    ['postgres://me@db?channel_binding=require', { channelBinding: 'require' }, { PGCHANNELBINDING: 'disable' }],
    // Connection settings.
    [
      'postgres://me@db',
      { connectTimeoutMs: 10_000, keepAlive: { idleMs: 10_000, intervalMs: 5_000, count: 3 }, targetSession: 'any' },
    ],
    ['postgres://me@db?connect_timeout=3', { connectTimeoutMs: 3_000 }, { PGCONNECT_TIMEOUT: '9' }],
    ['postgres://me@db?connect_timeout=-1', { connectTimeoutMs: 0 }],
    ['postgres://me@db?keepalives=0', { keepAlive: undefined }],
    [
      'postgres://me@db?keepalives_idle=5&keepalives_interval=2&keepalives_count=3',
      { keepAlive: { idleMs: 5_000, intervalMs: 2_000, count: 3 } },
    ],
    [
      'postgres://me@h1,h2?target_session_attrs=read-write&load_balance_hosts=random',
      { targetSession: 'read-write', loadBalance: true },
    ],
    ['postgres://me@db?application_name=a', { runnerName: 'a' }, { PGAPPNAME: 'b' }],
    ['postgres://me@db?fallback_application_name=a', { runnerName: 'b' }, { PGAPPNAME: 'b' }],
    ['postgres://me@db?fallback_application_name=a', { runnerName: 'a' }],
    // Settings equal to the defaults.
    [
      'postgres://me@db?gssencmode=prefer&client_encoding=UTF8&sslcompression=0&replication=false&max_protocol_version=latest',
      { serverSettings: {} },
    ],
    // Server settings.
    [
      'postgres://me@db?search_path=app,public&statement_timeout=5s',
      { serverSettings: { search_path: 'app,public', statement_timeout: '5s' } },
    ],
    [
      'postgres://me@db?options=-c%20search_path%3Dapp%5C%20x%20--work-mem%3D64MB%20-cgeqo%3Doff',
      { serverSettings: { search_path: 'app x', work_mem: '64MB', geqo: 'off' } },
    ],
    [
      'postgres://me@db',
      { serverSettings: { statement_timeout: '1s', timezone: 'UTC' } },
      { PGOPTIONS: '-c statement_timeout=1s', PGTZ: 'UTC', PGDATESTYLE: 'default' },
    ],
    [
      'postgres://me@db?app.tenant=7&tcp_user_timeout=9000',
      { serverSettings: { 'app.tenant': '7', tcp_user_timeout: '9000' } },
    ],
    ['postgres://me@db?TimeZone=UTC&options=-c%20timezone%3DCET', { serverSettings: { timezone: 'UTC' } }],
  ];
  for (const [url, expected, env = {}] of cases) {
    it(`${JSON.stringify(url)}${Object.keys(env).length > 0 ? ` with ${JSON.stringify(env)}` : ''}`, () => {
      const { settings, problems } = parse(url, env);
      expect(problems).to.deep.equal([]);
      const { tls, ...others } = expected;
      for (const [name, value] of Object.entries(others)) expect(settings).to.have.deep.property(name, value);
      expect(settings!.tls).to.deep.include(tls ?? {});
    });
  }

  it('no file from the home folder when it does not exist', () => {
    const { settings } = parseAddress({ databaseUrl: 'postgres://me@db', env: {} });
    expect(settings).to.deep.include({ passfile: undefined });
    expect(settings!.tls.folder).to.equal(undefined);
  });
});

describe('parseAddress refuses', () => {
  const cases: readonly (readonly [string | undefined, readonly string[], Env?])[] = [
    [undefined, ['no database address: set DATABASE_URL or PGHOST', 'no database user']],
    ['', ['no database address', 'no database user']],
    ['postgres:///app', ['has no host', 'no database user']],
    ['postgres://db/app', ['no database user']],
    ['mysql://me@db/app', ['must start with postgres://']],
    ['postgresql+asyncpg://me@db/app', ['must start with postgres://']],
    ['app', ['neither a postgres:// URL nor']],
    ['postgres://me@db:port/app', ['percent-encode']],
    ['postgres://me:p@ss@db/app', ['percent-encode']],
    ['postgres://me:p@rt/of/it@db/app', ['percent-encode']],
    ['postgres://me:p@rt?of=it@db/app', ['percent-encode']],
    ['postgres://me:p@rt/of?user=it@db', ['percent-encode']],
    ['postgres://me@rt:80/of@db/app', ['percent-encode']],
    ['postgres://me:80/part@db/app', ['percent-encode']],
    ['postgres://me:80/part?of=it@db/app', ['percent-encode']],
    ['postgres://db/app?user=me&password=p&rt-of=it', ['parameters as keyword=value']],
    ['host=db user=me password=p rt-of=it', ["put a value with spaces or quotes into '…'"]],
    ['postgres://me@db:70000/app', ['port: must be a number from 1 to 65535']],
    ['postgres://me@h1,,h2/app', ['host: each entry must be']],
    ['postgres://me@h1,h2/app?port=1,2,3', ['port: must have one entry']],
    ['postgres://me@db/app?hostaddr=db', ['hostaddr: must be an IP address']],
    ['postgres://me@h1,h2/app?hostaddr=10.0.0.1', ['hostaddr: must have as many']],
    ['postgres://me@db/a%zz', ['a % in it']],
    ['postgres://me@db/a%00', ['a % in it']],
    ['postgres://me@db?sslmode', ['parameters as keyword=value']],
    ['postgres://me@db?options=-c x=y', ['parameters as keyword=value']],
    ["host=db user='me", ["put a value with spaces or quotes into '…'"]],
    ['host=db user=me password=two words', ["put a value with spaces or quotes into '…'"]],
    [
      'postgres://me@db?sslmode=verify-ful',
      ['sslmode: must be one of disable, allow, prefer, require, verify-ca, verify-full (did you mean verify-full?)'],
    ],
    ['postgres://me@db', ['PGSSLMODE: must be one of'], { PGSSLMODE: 'on' }],
    ['postgres://me@db?sslrootcert=system&sslmode=require', ['sslrootcert=system: needs sslmode=verify-full']],
    ['postgres://me@db?sslnegotiation=direct', ['sslnegotiation=direct: needs sslmode=require']],
    [
      'postgres://me@db?ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2',
      ['is newer than ssl_max_protocol_version'],
    ],
    ['postgres://me@db?connect_timeout=3s', ['connect_timeout: must be a whole number']],
    [
      'postgres://me@db?target_session_attrs=standby',
      ['target_session_attrs: must be one of any, read-write, primary'],
    ],
    ['postgres://me@db?client_encoding=latin1', ['client_encoding: migration files are UTF-8']],
    ['postgres://me@db?gssencmode=require', ['gssencmode: GSSAPI']],
    ['postgres://me@db?replication=database', ['replication: ']],
    [
      'postgres://me@db',
      ['PGSERVICE: service files', 'PGREQUIREPEER: '],
      { PGSERVICE: 'prod', PGREQUIREPEER: 'postgres' },
    ],
    [
      'postgres://me@db?x-migrations-table=m',
      [
        "x-migrations-table: a golang-migrate parameter: remove it from the address, and name Lockstep's table with --table",
      ],
    ],
    ['postgres://me@db?schema=public&pgbouncer=true', ['schema: a Prisma parameter', 'pgbouncer: a Prisma parameter']],
    ['postgres://me@db?a-b=1', ['a-b: neither a libpq keyword nor']],
    ['postgres://me@db?options=-d%205', ['options: only -c name=value']],
    ['postgres://me@db', ['PGOPTIONS: only -c name=value'], { PGOPTIONS: 'endpoint=x' }],
    [
      'postgres://db:0?sslmode=x&connect_timeout=y&service=z',
      ['service: ', 'port: ', 'no database user', 'connect_timeout: ', 'sslmode: '],
    ],
  ];
  for (const [url, expected, env = {}] of cases) {
    it(`${JSON.stringify(url)}${Object.keys(env).length > 0 ? ` with ${JSON.stringify(env)}` : ''}`, () => {
      const { settings, problems } = parse(url, env);
      expect(settings).to.equal(undefined);
      expect(problems).to.have.lengthOf(expected.length);
      for (const [index, part] of expected.entries()) expect(problems[index]).to.include(part);
    });
  }
});

describe('an address', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((one) => !one.includes('\0') && one.isWellFormed());
  const host = fc.oneof(
    fc.domain(),
    fc.ipV4(),
    fc.ipV6().map((ip) => `[${ip}]`),
    fc.constant('%2Ftmp%2Fsocket'),
  );

  it('decodes any percent-encoded value', () => {
    fc.assert(
      fc.property(
        text,
        text,
        text,
        host,
        fc.integer({ min: 1, max: 65535 }),
        (user, password, database, name, port) => {
          const url = `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${name}:${port}/${encodeURIComponent(database)}`;
          const { settings, problems } = parse(url);
          expect(problems).to.deep.equal([]);
          const plain = decodeURIComponent(name).replace(/^\[(.*)\]$/, '$1');
          expect(settings).to.deep.include({ user, password, database, hosts: [at(plain, port)] });
          expect(
            parse(`postgres://?host=${name.replace(/^\[(.*)\]$/, '$1')}&user=${encodeURIComponent(user)}`).settings
              ?.hosts,
          ).to.deep.equal([at(plain)]);
        },
      ),
    );
  });

  it('decodes any quoted key=value word', () => {
    const quote = (value: string): string => `'${value.replace(/['\\]/g, '\\$&')}'`;
    fc.assert(
      fc.property(text, text, (user, password) => {
        expect(parse(`host=db user=${quote(user)} password=${quote(password)}`).settings).to.deep.include({
          user,
          password,
        });
      }),
    );
  });

  it('never shows a secret in a problem or a description', () => {
    const secret = text.map((one) => `${one}${CANARY}${one}`);
    const rest = fc.constantFrom(
      '',
      '?sslmode=x',
      '?x-lock=1',
      '?port=p&connect_timeout=z',
      '?options=1',
      '?service=s',
      '?hostaddr=h,i',
      '?sslpassword=%zz',
    );
    // Includes a password that was not percent-encoded.
    const encode = fc.constantFrom(
      encodeURIComponent,
      (raw: string) => raw.replace(/[?=&]/g, ''),
      (raw: string) => raw,
    );
    fc.assert(
      fc.property(secret, rest, encode, (password, query, encoded) => {
        const { settings, problems } = parse(`postgres://me:${encoded(password)}@db/app${query}`, {
          PGSSLMODE: 'y',
          PGPASSWORD: CANARY,
        });
        expect(settings).to.equal(undefined);
        expect(problems.join('\n')).to.not.include(CANARY);
      }),
    );
    for (const url of [`postgres://me:${CANARY}@db/app?sslpassword=${CANARY}`, `host=db user=me password=${CANARY}`]) {
      expect(describeAddress(parse(url).settings!)).to.not.include(CANARY);
    }
  });

  it('never reads part of an unencoded password as a host, a database or a setting name', () => {
    const piece = fc.string({ unit: fc.constantFrom(...'@/?:#&=,;% 1a'), maxLength: 6 });
    fc.assert(
      fc.property(piece, piece, fc.constantFrom('', '?sslmode=disable'), (before, after, query) => {
        const { settings, problems } = parse(`postgres://me:S3${before}${CANARY}${after}@db/app${query}`);
        const { password: _password, ...shown } = settings ?? {};
        expect(JSON.stringify([shown, problems])).to.not.include(CANARY);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is described by user, hosts and database', () => {
    expect(describeAddress(parse('postgres://me:pw@h1,[::1]:1/app').settings!)).to.equal('me@h1:5432,[::1]:1/app');
    expect(describeAddress(parse('postgres://me@/app?host=/tmp').settings!)).to.equal('me@/tmp:5432/app');
  });
});
