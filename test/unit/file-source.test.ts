import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { createMigration } from '../../src/adapters/files/create.ts';
import { createFileSource } from '../../src/adapters/files/source.ts';
import { MigratorError } from '../../src/core/errors.ts';
import type { MigrationSet } from '../../src/core/ports.ts';

/** A user id that owns no files. */
const NOBODY = 65_534;

describe('files', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lockstep-files-'));
  });

  afterEach(async () => {
    await rm(dir, { recursive: true });
  });

  async function write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
    for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
  }

  function read(from = dir, allowEmpty = false): Promise<MigrationSet> {
    return createFileSource({ dir: from, allowEmpty }).read();
  }

  async function refused(promise: Promise<unknown>): Promise<MigratorError> {
    const error = await promise.then(
      () => expect.fail('nothing was refused'),
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(MigratorError).with.property('exit', 21);
    return error as MigratorError;
  }

  describe('createFileSource', () => {
    it('reads scripts, directives and hooks in number order', async () => {
      await write({
        '10_b.up.sql': '\uFEFF-- lockstep: irreversible\r\nSELECT 2;\r\n',
        '9_a.up.sql': 'SELECT 1;',
        '9_a.down.sql': 'SELECT 0;',
        '9_a.before.mjs': 'export default async () => {};',
      });
      const { migrations } = await read();
      expect(migrations.map(({ version }) => version)).to.deep.equal(['9_a', '10_b']);
      const [first, second] = migrations;
      expect(first?.down).to.include({ file: '9_a.down.sql', text: 'SELECT 0;' });
      expect(first?.hookPath).to.equal(join(dir, '9_a.before.mjs'));
      expect(second?.up.text).to.equal('-- lockstep: irreversible\r\nSELECT 2;\r\n');
      expect(second?.up.directives.irreversible).to.equal(true);
      expect(second).to.not.have.any.keys('down', 'hookPath');
    });

    it('reads a text again that is too long to be kept, and refuses it once it has changed', async () => {
      const text = `SELECT '${'x'.repeat(9_000_000)}';`;
      await write({ '1_a.up.sql': text, '2_b.up.sql': 'SELECT 2;' });
      const [first, second] = (await read()).migrations;
      await write({ '2_b.up.sql': 'SELECT 3;' });
      expect(first?.up.text === text).to.equal(true);
      expect(() => second?.up.text)
        .to.throw(MigratorError, '2_b.up.sql was changed while this command was running')
        .with.property('code', 'MIGRATIONS_INVALID');
    });

    it('ignores unrelated files', async () => {
      await write({
        '1_a.up.sql': '',
        'README.md': '',
        '.gitkeep': '',
        '.1_x.up.sql': '',
        'shared.mjs': '',
        '1_a.up.sql~': '',
      });
      await mkdir(join(dir, 'archive'));
      expect((await read()).migrations).to.have.length(1);
    });

    it('reads a ConfigMap as Kubernetes mounts it', async () => {
      await mkdir(join(dir, '..2024_01_01'));
      await writeFile(join(dir, '..2024_01_01', '1_a.up.sql'), 'SELECT 1;');
      await symlink('..2024_01_01', join(dir, '..data'));
      await symlink('..data/1_a.up.sql', join(dir, '1_a.up.sql'));
      expect((await read()).migrations).to.have.length(1);
    });

    it('reports all invalid files together, in order', async () => {
      await write({
        '1_a.up.sql': '-- lockstep: no-transactoin\n-- lockstep: irreversable\n',
        '2_b.down.sql': '',
        '3_c.before.mjs': '',
        '4_d.up.sql': new Uint8Array([0x53, 0xff, 0x54]),
        '5_e.up.sql': new Uint8Array([0xff, 0xfe, 0x53, 0x00]),
        '6_f.up.sql': 'SELECT 1;\nSELECT \0;',
        'schema.sql': '',
        '7.up.SQL': '',
        'seed.before.mjs': '',
      });
      await symlink('gone.sql', join(dir, '8_g.up.sql'));
      await mkdir(join(dir, '9_h.up.sql'));
      const error = await refused(read());
      expect(error.summary).to.equal(`the migration files in ${dir} have 12 problems`);
      const pattern = 'is not named <number>_<name>.up.sql, .down.sql or .before.mjs';
      expect(error.details.problems).to.deep.equal([
        '1_a.up.sql: line 1: unknown directive "no-transactoin"; did you mean "no-transaction"?',
        '1_a.up.sql: line 2: unknown directive "irreversable"; did you mean "irreversible"?',
        '2_b.down.sql: there is no 2_b.up.sql',
        '3_c.before.mjs: there is no 3_c.up.sql',
        '4_d.up.sql: is not valid UTF-8',
        '5_e.up.sql: is UTF-16; save it as UTF-8',
        '6_f.up.sql: line 2: contains a NUL character',
        `7.up.SQL: ${pattern}`,
        '8_g.up.sql: does not exist',
        '9_h.up.sql: is not a file',
        `schema.sql: ${pattern}`,
        `seed.before.mjs: ${pattern}`,
      ]);
    });

    it('names an unreadable file', async () => {
      await write({ '1_a.up.sql': '' });
      await chmod(dir, 0o755);
      await chmod(join(dir, '1_a.up.sql'), 0o000);
      // Root can read every file.
      const isRoot = process.getuid?.() === 0;
      if (isRoot) process.seteuid?.(NOBODY);
      try {
        expect((await refused(read())).details.problems).to.deep.equal(['1_a.up.sql: is not readable by this user']);
      } finally {
        if (isRoot) process.seteuid?.(0);
      }
    });

    it('refuses a directory without migration files as a wrong mount', async () => {
      await write({ 'README.md': '' });
      const error = await refused(read());
      expect(error.summary).to.equal(`there are no migration files in ${dir}`);
      expect(error.hint)
        .to.match(/--dir/)
        .and.match(/--allow-empty/);
      expect(await read(dir, true)).to.deep.equal({ migrations: [], remarks: [] });
    });

    it('refuses a path that is not a directory, even with --allow-empty', async () => {
      await write({ file: '' });
      expect((await refused(read(join(dir, 'gone'), true))).summary).to.match(/gone does not exist$/);
      expect((await refused(read(join(dir, 'file'), true))).summary).to.match(/file is not a directory$/);
    });

    describe('pairs files by number when their names differ', () => {
      const cases: Readonly<
        Record<
          string,
          {
            readonly files: readonly string[];
            readonly pairs: Readonly<Record<string, string | undefined>>;
            readonly lonely?: readonly string[];
          }
        >
      > = {
        'one up file and one down file': {
          files: ['1_add_a.up.sql', '1_drop_a.down.sql'],
          pairs: { '1_add_a': '1_drop_a.down.sql' },
        },
        'with different leading zeros': {
          files: ['0001_add.up.sql', '1_drop.down.sql'],
          pairs: { '0001_add': '1_drop.down.sql' },
        },
        'beside a pair with that number and equal names': {
          files: ['1_a.up.sql', '1_a.down.sql', '1_b.up.sql', '1_c.down.sql'],
          pairs: { '1_a': '1_a.down.sql', '1_b': '1_c.down.sql' },
        },
        'not when the down file has a pair by name': {
          files: ['1_a.up.sql', '1_a.down.sql', '1_b.up.sql'],
          pairs: { '1_a': '1_a.down.sql', '1_b': undefined },
        },
        'not for two up files': { files: ['1_a.up.sql', '1_b.up.sql', '1_c.down.sql'], pairs: {}, lonely: ['1_c'] },
        'not for two down files': {
          files: ['1_a.up.sql', '1_b.down.sql', '1_c.down.sql'],
          pairs: {},
          lonely: ['1_b', '1_c'],
        },
        'not for another number': { files: ['1_a.up.sql', '2_b.down.sql'], pairs: {}, lonely: ['2_b'] },
        'not for a hook': { files: ['1_a.up.sql', '1_b.down.sql', '1_b.before.mjs'], pairs: {}, lonely: ['1_b'] },
      };
      for (const [name, { files, pairs, lonely = [] }] of Object.entries(cases)) {
        it(name, async () => {
          await write(Object.fromEntries(files.map((file) => [file, 'SELECT 1;'])));
          if (lonely.length > 0) {
            const { details } = await refused(read());
            expect(details.problems?.map((problem) => /there is no (.*)\.up\.sql$/.exec(problem)?.[1])).to.deep.equal(
              lonely,
            );
            return;
          }
          const { migrations, remarks } = await read();
          expect(Object.fromEntries(migrations.map(({ version, down }) => [version, down?.file]))).to.deep.equal(pairs);
          const byNumber = Object.entries(pairs).filter(
            ([version, down]) => down !== undefined && down !== `${version}.down.sql`,
          );
          expect(remarks.map(({ message, strict }) => [message.split(': ')[1], strict])).to.deep.equal(
            byNumber.map(([version, down]) => [`${version}.up.sql with ${down}`, false]),
          );
        });
      }

      it('reports all of them in one remark', async () => {
        for (let n = 1; n <= 9; n += 1) await write({ [`${n}_add.up.sql`]: '', [`${n}_drop.down.sql`]: '' });
        const { remarks } = await read();
        expect(remarks).to.have.length(1);
        expect(remarks[0]?.message).to.match(/5_add\.up\.sql with 5_drop\.down\.sql and 4 more$/);
      });
    });

    describe('names that resemble migration files', () => {
      it('refuses files that golang-migrate would apply', async () => {
        await write({
          '1_a.up.sql': '',
          '2_b.up.SQL': '',
          '3_c.up.pgsql': '',
          '4_.up.sql': '',
          '5_e.down.psql': '',
          '1_a.seed.sql': '',
        });
        await symlink('1_a.up.sql', join(dir, '6_f.up.text'));
        const { details } = await refused(read());
        expect(details.problems?.map((problem) => problem.split(':')[0])).to.deep.equal([
          '2_b.up.SQL',
          '3_c.up.pgsql',
          '4_.up.sql',
          '5_e.down.psql',
          '6_f.up.text',
        ]);
      });

      it('reports files that another tool would apply, including subfolders', async () => {
        await write({ '1_a.up.sql': '', '2_b.up.go': '', '00003_c.go': '' });
        for (const folder of ['20240101_init', 'lib/deep/er', 'node_modules/x', 'lost+found', '..data', 'empty'])
          await mkdir(join(dir, folder), { recursive: true });
        for (const file of [
          '20240101_init/migration.sql',
          'lib/deep/er/x.SQL',
          'node_modules/x/a.sql',
          'lost+found/b.sql',
          '..data/c.sql',
          'empty/README',
        ])
          await writeFile(join(dir, file), '');
        await symlink('lib', join(dir, 'linked'));
        const { remarks } = await read();
        expect(remarks.map(({ strict }) => strict)).to.deep.equal([true, true]);
        expect(remarks[0]?.message).to.match(/: 00003_c\.go, 2_b\.up\.go$/);
        expect(remarks[1]?.message).to.match(
          /: 20240101_init\/migration\.sql, lib\/deep\/er\/x\.SQL, linked\/deep\/er\/x\.SQL$/,
        );
      });

      it('explains why a directory of folders contains no migrations', async () => {
        await mkdir(join(dir, '20240101_init'));
        await writeFile(join(dir, '20240101_init', 'migration.sql'), '');
        expect((await refused(read())).details.problems?.[0]).to.include('20240101_init/migration.sql');
      });
    });

    it('accepts versions with the same number: their names decide the order', async () => {
      await write({ '1_a.up.sql': '', '01_b.up.sql': '', '2_c.up.sql': '' });
      const { migrations } = await read();
      expect(migrations.map(({ version }) => version)).to.deep.equal(['01_b', '1_a', '2_c']);
    });
  });

  describe('createMigration', () => {
    const now = new Date('2024-05-06T07:08:09Z');
    const table: [name: string, existing: string[], number: string][] = [
      ['starts with 001', [], '001'],
      ['continues after the highest number with its width', ['0001_a', '0009_b', '0002_c'], '0010'],
      ['widens the number when needed', ['99_a', '9_b'], '100'],
      ['continues with timestamps', ['20240101000000_a'], '20240506070809'],
      ['continues with dates', ['20240101_a'], '20240506'],
      ['continues with seconds', ['1700000000_a'], '1714979289'],
      ['continues with milliseconds', ['1700000000000_a'], '1714979289000'],
      ['is higher than the newest timestamp even when the clock is behind', ['20990101000000_a'], '20990101000001'],
    ];
    for (const [name, existing, number] of table) {
      it(name, async () => {
        for (const version of existing) await write({ [`${version}.up.sql`]: '' });
        const files = await createMigration({ dir, name: 'x', now });
        expect(files).to.deep.equal([join(dir, `${number}_x.up.sql`), join(dir, `${number}_x.down.sql`)]);
        expect((await read()).migrations.at(-1)).to.have.property('down');
      });
    }

    it('uses a timestamp on request, even for the first file', async () => {
      const files = await createMigration({ dir, name: 'x', now, timestamp: true });
      expect(files[0]).to.equal(join(dir, '20240506070809_x.up.sql'));
    });

    it('creates the directory', async () => {
      expect(await createMigration({ dir: join(dir, 'a', 'b'), name: 'x', now })).to.have.length(2);
    });

    it('names the path that it cannot write', async () => {
      await write({ file: '' });
      expect((await refused(createMigration({ dir: join(dir, 'file'), name: 'x', now }))).summary).to.match(
        /cannot write .*file \(EEXIST\)/,
      );
    });
  });
});
