/** `drift` compares a database with the kept schema: what was changed behind the migrations' back is named, and only that. */
import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { writeCatalog } from '../../src/core/catalog/text.ts';
import { execute, readCatalogOf } from '../support/catalogs.ts';
import { inDatabase, useDatabase } from '../support/databases.ts';
import { runInProcess, type InProcessResult } from '../support/in-process.ts';
import { testServer } from '../support/server.ts';
import { valid } from '../support/json-documents.ts';

const SHOP = `CREATE TABLE orders (id bigint PRIMARY KEY, total numeric, state varchar CHECK (state IN ('new', 'old')));
CREATE INDEX orders_total ON orders (total);
CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';`;

describe('drift', () => {
  let dir = '';
  const database = useDatabase();

  async function run(...args: readonly string[]): Promise<InProcessResult> {
    return await runInProcess(args, { env: { DATABASE_URL: database(), LOCKSTEP_DIR: dir } });
  }

  async function drift(exit: number, ...args: readonly string[]): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await run('drift', '--json', ...args);
    expect(code, stderr).to.equal(exit);
    return valid('drift', stdout);
  }

  before('apply the migrations and keep their schema', async () => {
    dir = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
    await writeFile(join(dir, '001_shop.up.sql'), SHOP);
    expect((await run('up')).code).to.equal(0);
    await writeFile(join(dir, 'schema.txt'), writeCatalog(await readCatalogOf(database())));
  });

  after('remove the files', () => rm(dir, { recursive: true }));

  it('finds none where there is none', async () => {
    expect(await drift(0)).to.deep.include({ drifted: false, differences: [], pending: [], unknown: [] });
  });

  it('needs nothing but CONNECT and SELECT on the history', async () => {
    await execute(database(), 'CREATE ROLE drift_reader LOGIN; GRANT SELECT ON schema_migrations TO drift_reader');
    try {
      const url = new URL(database());
      url.username = 'drift_reader';
      const { code, stdout, stderr } = await runInProcess(['drift'], {
        env: { DATABASE_URL: url.href, LOCKSTEP_DIR: dir },
      });
      expect(code, stderr).to.equal(0);
      expect(stdout).to.equal('No drift.\n');
    } finally {
      await execute(database(), 'DROP OWNED BY drift_reader; DROP ROLE drift_reader');
    }
  });

  it('says what the role may not read, and does not compare it', async () => {
    const role = 'drift_blind_reader';
    await execute(
      database(),
      `CREATE ROLE ${role} LOGIN; GRANT SELECT ON schema_migrations TO ${role}; REVOKE SELECT ON pg_proc FROM PUBLIC; CREATE FUNCTION two() RETURNS int LANGUAGE sql AS 'SELECT 2'`,
    );
    try {
      const url = new URL(database());
      url.username = role;
      const env = { DATABASE_URL: url.href, LOCKSTEP_DIR: dir };
      const { code, stdout, stderr } = await runInProcess(['drift'], { env });
      expect(code, stderr).to.equal(0);
      expect(stdout).to.match(/^not compared, as this role may not read them: .*function/);
    } finally {
      await execute(
        database(),
        `DROP FUNCTION two(); GRANT SELECT ON pg_proc TO PUBLIC; DROP OWNED BY ${role}; DROP ROLE ${role}`,
      );
    }
  });

  it('compares all but deparsed text with a schema of another major, and says so', async () => {
    const kept = join(dir, 'elsewhere.txt');
    const text = await readFile(join(dir, 'schema.txt'), 'utf8');
    await writeFile(kept, text.replace(/^server \d+/m, 'server 13').replace(/CHECK .*/, 'CHECK (true)'));
    const { code, stdout } = await run('drift', '--expect', kept);
    expect(code, stdout).to.equal(0);
    expect(stdout).to.include('the schema was kept on PostgreSQL 13');
    await writeFile(kept, text.replace(/^server \d+/m, 'server 13').replace('total numeric', 'total integer'));
    await drift(42, '--expect', kept);
  });

  it('up --drift looks before it applies, and leaves out what pending files name', async () => {
    await writeFile(
      join(dir, '002_note.up.sql'),
      'ALTER TABLE orders ADD note text; CREATE TABLE parcels (id serial);',
    );
    const kept = await readFile(join(dir, 'schema.txt'), 'utf8');
    try {
      await execute(database(), 'CREATE TABLE by_hand (a int)');
      const failed = await run('up', '--drift', 'fail');
      expect(failed.code).to.equal(42);
      expect(failed.stderr).to.include('table public.by_hand is foreign').and.not.include('parcels');
      const warned = await run('up', '--drift', 'warn');
      expect(warned.code).to.equal(0);
      expect(warned.stderr).to.include('drift: table public.by_hand is foreign');
      expect((await run('up', '--drift', 'fail')).code).to.equal(0);
    } finally {
      await execute(database(), 'DROP TABLE by_hand, parcels; ALTER TABLE orders DROP note');
      await execute(database(), `DELETE FROM schema_migrations WHERE version = '002_note'`);
      await rm(join(dir, '002_note.up.sql'));
      await writeFile(join(dir, 'schema.txt'), kept);
    }
  });

  it('names what is missing, foreign and different; --ignore leaves it out', async () => {
    await execute(
      database(),
      `DROP INDEX orders_total; CREATE TABLE parts_1 (a int); CREATE EXTENSION pg_trgm; CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 2'`,
    );
    const { differences } = await drift(42, '--ignore', 'public.parts_*');
    const found = (differences as { object: string; change: string }[]).map(({ object, change }) => [object, change]);
    expect(found).to.deep.equal([
      ['function public.one()', 'different'],
      ['index orders_total on table public.orders', 'missing'],
      ['extension pg_trgm', 'foreign'],
    ]);
    await writeFile(
      join(dir, 'ignored'),
      '# made elsewhere\nextension *\nfunction *\nindex * on table public.orders\n',
    );
    await drift(42, '--ignore-file', join(dir, 'ignored'));
    await drift(0, '--ignore-file', join(dir, 'ignored'), '--ignore', 'public.parts_*');
    const text = await run('drift');
    expect(text.stdout).to.include('index orders_total on table public.orders is missing');
    expect(text.stderr).to.include('DRIFTED');
  });

  it("leaves out an extension's own objects, and partitions that a job makes and a pattern ignores", async () => {
    const migrations = join(dir, 'partitioned');
    await mkdir(migrations);
    await writeFile(
      join(migrations, '001_events.up.sql'),
      'CREATE EXTENSION hstore; CREATE TABLE events (at date NOT NULL, facts hstore) PARTITION BY RANGE (at); CREATE INDEX events_at ON events (at);',
    );
    const { url } = await testServer();
    await inDatabase(url, `lockstep_test_${randomBytes(6).toString('hex')}`, async (other) => {
      const look = async (...args: readonly string[]): Promise<InProcessResult> =>
        await runInProcess(args, { env: { DATABASE_URL: other, LOCKSTEP_DIR: migrations } });
      expect((await look('up')).code).to.equal(0);
      await writeFile(join(migrations, 'schema.txt'), writeCatalog(await readCatalogOf(other)));
      expect(await readFile(join(migrations, 'schema.txt'), 'utf8'))
        .to.include('extension hstore')
        .and.not.include('hstore_in');
      await execute(
        other,
        `CREATE TABLE events_2026_01 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); CREATE TABLE events_2026_02 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')`,
      );
      const found = await look('drift');
      expect(found.code).to.equal(42);
      expect(found.stdout).to.include('table public.events_2026_01 is foreign');
      const ignored = await look('drift', '--ignore', 'public.events_20*');
      expect(ignored.code, ignored.stdout).to.equal(0);
    });
  });

  it('takes the same check from a dump for the same', async () => {
    await execute(
      database(),
      `ALTER TABLE orders DROP CONSTRAINT orders_state_check, ADD CONSTRAINT orders_state_check CHECK (((state)::text = ANY (ARRAY[('new'::character varying)::text, ('old'::character varying)::text])))`,
    );
    await drift(0, '--ignore', 'public.parts_*,extension *,function *,index * on *');
  });

  it('tells pending and unknown versions, which are no drift', async () => {
    await writeFile(join(dir, '002_later.up.sql'), 'SELECT 1;');
    expect(await drift(0, '--ignore', '*')).to.deep.include({ pending: ['002_later'] });
  });

  it('refuses a file that is no kept schema', async () => {
    const { code, stderr } = await run('drift', '--expect', join(dir, '001_shop.up.sql'));
    expect(code).to.equal(20);
    expect(stderr).to.include('line 1 is not what');
  });
});
