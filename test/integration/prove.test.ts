/** `prove` finds the down files that do not lead back, on scratch databases that it removes itself. */
import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';

import { execute } from '../support/catalogs.ts';
import { runInProcess, type InProcessResult } from '../support/in-process.ts';
import { valid } from '../support/json-documents.ts';
import { testServer } from '../support/server.ts';
import { useWorkspace } from '../support/workspace.ts';

const RIGHT = {
  '001_orders.up.sql': 'CREATE TABLE orders (id bigint PRIMARY KEY, total numeric DEFAULT 0);',
  '001_orders.down.sql': 'DROP TABLE orders;',
  '002_index.up.sql': 'CREATE INDEX CONCURRENTLY orders_total ON orders (total);',
  '002_index.down.sql': 'DROP INDEX CONCURRENTLY orders_total;',
  '003_note.up.sql': 'ALTER TABLE orders ADD note text;',
  '003_note.down.sql': 'ALTER TABLE orders DROP COLUMN note;',
};

interface Version {
  readonly version: string;
  readonly way: string;
  readonly differences: readonly { readonly object: string; readonly file: string; readonly note?: true }[];
}

describe('prove', () => {
  const workspace = useWorkspace();

  async function run(...args: readonly string[]): Promise<InProcessResult> {
    const { serverUrl, dir } = workspace();
    return await runInProcess(['prove', ...args], { env: { LOCKSTEP_SCRATCH_URL: serverUrl, LOCKSTEP_DIR: dir } });
  }

  async function prove(exit: number, ...args: readonly string[]): Promise<readonly Version[]> {
    const { code, stdout, stderr } = await run('--json', ...args);
    expect(code, `${stdout}${stderr}`).to.equal(exit);
    return valid('prove', stdout)['versions'] as readonly Version[];
  }

  afterEach('no scratch database is left', async () => {
    expect(await scratches((await testServer()).url)).to.deep.equal([]);
  });

  it('proves down files that lead back, and lists those that are not there', async () => {
    await workspace().write({
      ...RIGHT,
      '004_more.up.sql': 'CREATE TABLE more (a int);',
      '005_gone.up.sql': 'DROP TABLE more;',
      '005_gone.down.sql': '-- lockstep: irreversible\nSELECT 1;',
    });
    expect((await prove(0)).map(({ way }) => way)).to.deep.equal([
      'proved',
      'proved',
      'proved',
      'none',
      'irreversible',
    ]);
    await prove(25, '--strict');
  });

  it('names the object and the file of a wrong down, and proves the next version on what the files make', async () => {
    await workspace().write({
      ...RIGHT,
      '002_index.down.sql': 'ALTER TABLE orders ALTER total DROP DEFAULT; DROP INDEX orders_total;',
    });
    const [first, second, third] = await prove(25);
    expect([first?.way, second?.way, third?.way]).to.deep.equal(['proved', 'different', 'proved']);
    expect(second?.differences.map(({ object, file }) => [object, file])).to.deep.equal([
      ['column total of table public.orders', '002_index.down.sql'],
      ['column total of table public.orders', '002_index.up.sql, after the down file'],
    ]);
  });

  it('reports a down file that fails, and one after which the up file fails', async () => {
    await workspace().write({
      ...RIGHT,
      '001_orders.down.sql': 'SELECT 1;',
      '002_index.down.sql': 'DROP INDEX nothing;',
    });
    expect((await prove(25)).map(({ way }) => way)).to.deep.equal(['failed', 'failed', 'proved']);
  });

  it('takes the position of a column for a note', async () => {
    await workspace().write({
      ...RIGHT,
      '004_total.up.sql': 'ALTER TABLE orders DROP COLUMN total;',
      '004_total.down.sql':
        'ALTER TABLE orders ADD total numeric DEFAULT 0; CREATE INDEX orders_total ON orders (total);',
    });
    const [found] = await prove(0, '--from', '004_total');
    expect(found).to.deep.include({ version: '004_total', way: 'proved' });
    expect(found?.differences.map(({ note }) => note)).to.deep.equal([true]);
  });

  it('writes the schema, and checks it', async () => {
    await workspace().write(RIGHT);
    const kept = join(workspace().dir, 'schema.txt');
    await prove(0, '--write');
    const text = await readFile(kept, 'utf8');
    expect(text).to.include('index orders_total USING btree (total)');
    await prove(0, '--check');
    await writeFile(kept, text.replace('column note text', 'column note integer'));
    const { code, stdout } = await run('--check');
    expect(code).to.equal(25);
    expect(stdout).to.include('kept schema: column note of table public.orders: expected integer, found text');
  });

  it('refuses statements about the whole server, and says what the server lacks', async () => {
    const role = `lockstep_role_${randomBytes(4).toString('hex')}`;
    await workspace().write({
      ...RIGHT,
      '004_role.up.sql': `CREATE ROLE ${role};`,
      '004_role.down.sql': `DROP ROLE ${role};`,
    });
    const refused = await run();
    expect(refused.code).to.equal(20);
    expect(refused.stderr).to.include(`004_role.up.sql: CREATE ROLE ${role}`);
    await prove(0, '--scratch-owned');
    await workspace().write({ '004_role.up.sql': 'CREATE EXTENSION no_such_extension;', '004_role.down.sql': '' });
    const lacking = await run();
    expect(lacking.code).to.equal(20);
    expect(lacking.stderr).to.include('not provable here');
  });

  it('runs --setup first', async () => {
    const setup = join(workspace().dir, 'setup.txt');
    await writeFile(setup, 'CREATE SCHEMA app;');
    await workspace().write({ '001_a.up.sql': 'CREATE TABLE app.a ();', '001_a.down.sql': 'DROP TABLE app.a;' });
    await prove(0, '--setup', setup);
  });

  it('needs a server for scratch databases', async () => {
    await workspace().write(RIGHT);
    const { code } = await runInProcess(['prove'], {
      env: { LOCKSTEP_DIR: workspace().dir, DATABASE_URL: workspace().url },
    });
    expect(code).to.equal(20);
  });

  it('drops what a killed run has left, and nothing of a run that lives', async () => {
    const { serverUrl } = workspace();
    const [dead, living] = ['dead', 'living'].map(
      (word) => `lockstep_scratch_${word}${randomBytes(4).toString('hex')}`,
    );
    const maker = new pg.Client({ connectionString: serverUrl });
    await maker.connect();
    try {
      await maker.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [living]);
      await maker.query(`CREATE DATABASE ${living}`);
      await maker.query(`CREATE DATABASE ${dead}`);
      await workspace().write(RIGHT);
      await prove(0);
      expect(await scratches(serverUrl)).to.deep.equal([living]);
    } finally {
      await maker.end();
      await execute(serverUrl, `DROP DATABASE IF EXISTS ${living}`);
    }
  });
});

async function scratches(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ datname: string }>(
      `SELECT datname FROM pg_database WHERE datname LIKE 'lockstep\\_scratch\\_%'`,
    );
    return rows.map(({ datname }) => datname);
  } finally {
    await client.end();
  }
}
