import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { createMigration } from '../../src/adapters/files/create.ts';
import { createFileSource } from '../../src/adapters/files/source.ts';
import { MigratorError } from '../../src/core/errors.ts';
import type { MigrationSet } from '../../src/core/ports.ts';

/** An account that owns nothing. */
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
    it('reads scripts, directives and hooks, in the order of numbers', async () => {
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

    it('passes over what is none of its business', async () => {
      await write({ '1_a.up.sql': '', 'README.md': '', '.gitkeep': '', '.1_x.up.sql': '', 'shared.mjs': '', '1_a.up.sql~': '' });
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

    it('names every wrong file at once, in order', async () => {
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
        '6_f.up.sql: line 2: holds a NUL character',
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
      // Root reads everything.
      const isRoot = process.getuid?.() === 0;
      if (isRoot) process.seteuid?.(NOBODY);
      try {
        expect((await refused(read())).details.problems).to.deep.equal(['1_a.up.sql: may not be read by this user']);
      } finally {
        if (isRoot) process.seteuid?.(0);
      }
    });

    it('takes a directory without migration files for a wrong mount', async () => {
      await write({ 'README.md': '' });
      const error = await refused(read());
      expect(error.summary).to.equal(`there are no migration files in ${dir}`);
      expect(error.hint).to.match(/--dir/).and.match(/--allow-empty/);
      expect(await read(dir, true)).to.deep.equal({ migrations: [] });
    });

    it('refuses a directory that is none, also with --allow-empty', async () => {
      await write({ file: '' });
      expect((await refused(read(join(dir, 'gone'), true))).summary).to.match(/gone does not exist$/);
      expect((await refused(read(join(dir, 'file'), true))).summary).to.match(/file is not a directory$/);
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
      ['begins with 001', [], '001'],
      ['goes on after the highest, in its width', ['0001_a', '0009_b', '0002_c'], '0010'],
      ['grows over its width', ['99_a', '9_b'], '100'],
      ['goes on with times', ['20240101000000_a'], '20240506070809'],
      ['is higher also when the clock is behind', ['20990101000000_a'], '20990101000001'],
    ];
    for (const [name, existing, number] of table) {
      it(name, async () => {
        for (const version of existing) await write({ [`${version}.up.sql`]: '' });
        const files = await createMigration({ dir, name: 'x', now });
        expect(files).to.deep.equal([join(dir, `${number}_x.up.sql`), join(dir, `${number}_x.down.sql`)]);
        expect((await read()).migrations.at(-1)).to.have.property('down');
      });
    }

    it('makes the directory', async () => {
      expect(await createMigration({ dir: join(dir, 'a', 'b'), name: 'x', now })).to.have.length(2);
    });

    it('says where it could not write', async () => {
      await write({ file: '' });
      expect((await refused(createMigration({ dir: join(dir, 'file'), name: 'x', now }))).summary).to.match(/cannot write .*file \(EEXIST\)/);
    });
  });
});
