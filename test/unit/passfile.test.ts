import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';

import { parseAddress } from '../../src/adapters/postgres/address/address.ts';
import { passwordIn, readPassword, type Password } from '../../src/adapters/postgres/address/passfile.ts';
import type { MigratorError } from '../../src/core/errors.ts';
import { failure } from '../support/fakes/run.ts';

const QUERY = { host: 'db', port: 5432, database: 'app', user: 'me' };

describe('the password file', () => {
  const cases: readonly (readonly [title: string, file: string, password: string | undefined])[] = [
    ['a matching line', 'db:5432:app:me:secret', 'secret'],
    ['wildcards', '*:*:*:*:secret', 'secret'],
    ['the first of two lines', '*:*:app:*:first\ndb:5432:app:me:second\n', 'first'],
    ['lines that do not match', 'other:5432:app:me:1\ndb:5433:app:me:2\ndb:5432:x:me:3\ndb:5432:app:you:4', undefined],
    ['comments and blank lines', '# db:5432:app:me:no\n\n  \ndb:5432:app:me:secret\n', 'secret'],
    ['lines that end in CRLF', 'db:5432:app:me:secret\r\n', 'secret'],
    ['a colon in the password, bare or escaped', 'db:5432:app:me:a:b\\:c', 'a:b:c'],
    ['a backslash in the password', 'db:5432:app:me:a\\\\b', 'a\\b'],
    ['an escaped star, which is not a wildcard', '\\*:5432:app:me:secret', undefined],
    ['too few fields', 'db:5432:app:secret', undefined],
    ['nothing', '', undefined],
  ];
  for (const [title, file, password] of cases) {
    it(title, () => {
      expect(passwordIn(file, QUERY)).to.equal(password);
    });
  }

  it('matches the default socket folder as localhost, and any other by its path', () => {
    expect(passwordIn('localhost:*:*:*:secret', { ...QUERY, host: '/var/run/postgresql' })).to.equal('secret');
    expect(passwordIn('localhost:*:*:*:secret', { ...QUERY, host: '/elsewhere' })).to.equal(undefined);
    expect(passwordIn('/elsewhere:*:*:*:secret', { ...QUERY, host: '/elsewhere' })).to.equal('secret');
  });

  it('decodes any escaped value', () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((one) => !/[\r\n]/.test(one) && !one.startsWith('#'));
    const escape = (value: string): string => value.replace(/[\\:]/g, '\\$&');
    fc.assert(
      fc.property(text, text, text, (database, user, password) => {
        const line = ['db', '*', database, user, password]
          .map((value) => (value === '*' ? value : escape(value)))
          .join(':');
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

  interface Input {
    readonly url?: string;
    readonly env?: Record<string, string>;
    readonly passwordFile?: string;
    readonly passwordCommand?: readonly string[];
    readonly databaseUrlFile?: string;
  }

  async function read(input: Input): Promise<string | undefined> {
    return (await readWhole(input)).text;
  }

  async function readWhole(input: Input): Promise<Password> {
    const { settings } = parseAddress({
      databaseUrl: input.url ?? 'postgres://me@db/app',
      databaseUrlFile: input.databaseUrlFile,
      env: input.env ?? {},
      home: folder,
      passwordFile: input.passwordFile,
      passwordCommand: input.passwordCommand,
    });
    return (await readPassword(settings!, new AbortController().signal))(settings!.hosts[0]!);
  }

  it('reads ~/.pgpass with any mode bits', async () => {
    const file = join(folder, '.pgpass');
    await writeFile(file, 'db:5432:app:me:secret\n');
    await chmod(file, 0o664);
    expect(await read({})).to.equal('secret');
  });

  it('accepts a missing ~/.pgpass', async () => {
    expect(await read({})).to.equal(undefined);
  });

  it('reads a changed file again', async () => {
    const file = join(folder, 'rotated');
    for (const password of ['one', 'two']) {
      await writeFile(file, `${password}\n`);
      expect(await read({ passwordFile: file })).to.equal(password);
    }
  });

  it('prefers the password file, then the address, then PGPASSWORD, then PGPASSFILE', async () => {
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, 'from file');
    const passfile = join(folder, 'passfile');
    await writeFile(passfile, '*:*:*:*:from passfile');
    const env = { PGPASSWORD: 'from env', PGPASSFILE: passfile };
    const url = 'postgres://me:from-address@db/app';
    expect(await read({ url, env, passwordFile })).to.equal('from file');
    expect(await read({ url, env })).to.equal('from-address');
    expect(await read({ env })).to.equal('from env');
    expect(await read({ env: { PGPASSFILE: passfile } })).to.equal('from passfile');
  });

  const LATE: Readonly<Record<string, (path: string) => Input>> = {
    'the password file': (path) => ({ passwordFile: path }),
    'a named .pgpass': (path) => ({ env: { PGPASSFILE: path } }),
    'the file with the address': (path) => ({ databaseUrlFile: path }),
  };
  for (const [what, input] of Object.entries(LATE)) {
    it(`${what} may appear later when it is missing or empty`, async () => {
      const path = join(folder, 'late');
      for (const text of [undefined, '', ' \n']) {
        if (text !== undefined) await writeFile(path, text);
        const error = await failure<MigratorError>(read(input(path)));
        expect(error).to.include({ code: 'DATABASE_UNAVAILABLE', exit: 30 });
        expect(error.summary)
          .to.include(path)
          .and.include(text === undefined ? 'does not exist' : 'empty');
        expect(error.details.awaitsSecret).to.equal(true);
      }
    });

    it(`${what} that cannot be read is an invalid setting`, async () => {
      expect(await failure(read(input(folder))))
        .to.include({ code: 'CONFIG_INVALID' })
        .and.not.have.nested.property('details.awaitsSecret');
    });
  }

  it('names the source of the password if the source may change', async () => {
    const path = join(folder, 'secret');
    await writeFile(path, 'postgres://me:pw@db/app');
    const source = async (input: Input): Promise<string | undefined> => (await readWhole(input)).source;
    expect(await source({ url: 'postgres://me:pw@db/app' })).to.equal(undefined);
    expect(await source({ env: { PGPASSWORD: 'pw' } })).to.equal(undefined);
    expect(await source({ databaseUrlFile: path })).to.equal(`the address file ${path}`);
    expect(await source({ passwordFile: path })).to.equal(`the password file ${path}`);
    expect(await source({ env: { PGPASSFILE: path } })).to.equal(`the password file ${path}`);
    expect(await source({ passwordCommand: [process.execPath, '-e', 'console.log(1)'] })).to.equal(
      `--password-command (${process.execPath})`,
    );
  });

  describe('from a command', () => {
    const command = (script: string, ...args: string[]): Input => ({
      passwordCommand: [process.execPath, '-e', script, ...args],
    });

    it('is its output without the line break, read anew each time, without a shell', async () => {
      expect(await read(command('process.stdout.write(process.argv[1] + "\\n")', '$HOME; *'))).to.equal('$HOME; *');
      const counting = command(
        `const fs = require('fs'); fs.appendFileSync(${JSON.stringify(join(folder, 'count'))}, '.'); console.log(fs.statSync(${JSON.stringify(join(folder, 'count'))}).size)`,
      );
      for (const password of ['1', '2']) expect(await read(counting)).to.equal(password);
    });

    it('overrides all other sources', async () => {
      const input = {
        ...command('console.log("from the command")'),
        url: 'postgres://me:pw@db/app',
        env: { PGPASSWORD: 'pw' },
      };
      expect(await read(input)).to.equal('from the command');
    });

    const FAILURES: Readonly<Record<string, readonly [script: string, what: string]>> = {
      'that fails: with its reason but without its output': [
        'console.log("s3cret"); console.error("no s3cret: password=other"); process.exit(3)',
        'exited with 3: no ***: password=***',
      ],
      'that prints nothing': ['', 'printed nothing'],
      'that is killed': ['process.kill(process.pid, "SIGKILL")', 'was killed by SIGKILL'],
    };
    for (const [what, [script, message]] of Object.entries(FAILURES)) {
      it(`${what}: may succeed later`, async () => {
        const error = await failure<MigratorError>(read(command(script)));
        expect(error).to.include({ code: 'DATABASE_UNAVAILABLE' });
        expect(error.summary).to.equal(`--password-command: ${process.execPath} ${message}`);
        expect(error.details.awaitsSecret).to.equal(true);
      });
    }

    it('that cannot be started is an invalid setting', async () => {
      const error = await failure<MigratorError>(read({ passwordCommand: [join(folder, 'none')] }));
      expect(error).to.include({ code: 'CONFIG_INVALID' });
      expect(error.summary).to.include('ENOENT');
    });

    it('that never ends is killed with the attempt, and a child process of it that goes on delays nothing', async () => {
      const { settings } = parseAddress({
        databaseUrl: 'postgres://me@db',
        env: {},
        ...command(
          'require("child_process").spawn(process.execPath, ["-e", "setTimeout(() => {}, 5000)"], { stdio: "inherit" }); setInterval(() => {}, 1000)',
        ),
      });
      const error = await failure<MigratorError>(readPassword(settings!, AbortSignal.timeout(500)));
      expect(error.summary).to.include('printed nothing in time');
    });
  });
});
