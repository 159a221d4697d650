import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';

import { parseAddress } from '../../src/adapters/postgres/connection/address.ts';
import { passwordIn, readPassword } from '../../src/adapters/postgres/connection/passfile.ts';
import { MigratorError } from '../../src/core/errors.ts';

const QUERY = { host: 'db', port: 5432, database: 'app', user: 'me' };

describe('the password file', () => {
  const cases: readonly (readonly [title: string, file: string, password: string | undefined])[] = [
    ['a line that fits', 'db:5432:app:me:secret', 'secret'],
    ['wildcards', '*:*:*:*:secret', 'secret'],
    ['the first of two lines', '*:*:app:*:first\ndb:5432:app:me:second\n', 'first'],
    ['lines that do not fit', 'other:5432:app:me:1\ndb:5433:app:me:2\ndb:5432:x:me:3\ndb:5432:app:you:4', undefined],
    ['comments and blank lines', '# db:5432:app:me:no\n\n  \ndb:5432:app:me:secret\n', 'secret'],
    ['lines that end in CRLF', 'db:5432:app:me:secret\r\n', 'secret'],
    ['a colon in the password, bare or escaped', 'db:5432:app:me:a:b\\:c', 'a:b:c'],
    ['a backslash in the password', 'db:5432:app:me:a\\\\b', 'a\\b'],
    ['an escaped star, which is no wildcard', '\\*:5432:app:me:secret', undefined],
    ['too few fields', 'db:5432:app:secret', undefined],
    ['nothing', '', undefined],
  ];
  for (const [title, file, password] of cases) {
    it(title, () => {
      expect(passwordIn(file, QUERY)).to.equal(password);
    });
  }

  it('calls the default socket folder localhost, and any other by its path', () => {
    expect(passwordIn('localhost:*:*:*:secret', { ...QUERY, host: '/var/run/postgresql' })).to.equal('secret');
    expect(passwordIn('localhost:*:*:*:secret', { ...QUERY, host: '/elsewhere' })).to.equal(undefined);
    expect(passwordIn('/elsewhere:*:*:*:secret', { ...QUERY, host: '/elsewhere' })).to.equal('secret');
  });

  it('gives back whatever was escaped into it', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((one) => !/[\r\n]/.test(one) && !one.startsWith('#'));
    const escape = (value: string): string => value.replace(/[\\:]/g, '\\$&');
    fc.assert(
      fc.property(text, text, text, (database, user, password) => {
        const line = ['db', '*', database, user, password].map((value) => (value === '*' ? value : escape(value))).join(':');
        expect(passwordIn(`${line}\n`, { host: 'db', port: 1, database, user })).to.equal(password);
      }),
    );
  });
});

describe('readPassword', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-passfile-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  function read(input: { url?: string; env?: Record<string, string>; passwordFile?: string }): string | undefined {
    const { settings } = parseAddress({
      databaseUrl: input.url ?? 'postgres://me@db/app',
      env: input.env ?? {},
      home: folder,
      passwordFile: input.passwordFile,
    });
    return readPassword(settings!, settings!.hosts[0]!);
  }

  it('reads ~/.pgpass whatever its mode bits', async () => {
    const file = join(folder, '.pgpass');
    await writeFile(file, 'db:5432:app:me:secret\n');
    await chmod(file, 0o664);
    expect(read({})).to.equal('secret');
  });

  it('does without ~/.pgpass', async () => {
    expect(read({})).to.equal(undefined);
  });

  it('reads a file again that has changed', async () => {
    const file = join(folder, 'rotated');
    for (const password of ['one', 'two']) {
      await writeFile(file, `${password}\n`);
      expect(read({ passwordFile: file })).to.equal(password);
    }
  });

  it('prefers the password file, then the address, then PGPASSWORD, then PGPASSFILE', async () => {
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, 'from file');
    const passfile = join(folder, 'passfile');
    await writeFile(passfile, '*:*:*:*:from passfile');
    const env = { PGPASSWORD: 'from env', PGPASSFILE: passfile };
    const url = 'postgres://me:from-address@db/app';
    expect(read({ url, env, passwordFile })).to.equal('from file');
    expect(read({ url, env })).to.equal('from-address');
    expect(read({ env })).to.equal('from env');
    expect(read({ env: { PGPASSFILE: passfile } })).to.equal('from passfile');
  });

  it('refuses a file that was named and is not there', () => {
    for (const input of [{ passwordFile: join(folder, 'none') }, { env: { PGPASSFILE: join(folder, 'none') } }]) {
      expect(() => read(input)).to.throw(MigratorError, join(folder, 'none')).with.property('code', 'CONFIG_INVALID');
    }
  });
});
