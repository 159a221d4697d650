/** Operators, functions, views and types that another role has planted in the first schema of the path never run. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

import { expectExit, runCli } from '../support/cli.ts';
import { useDatabase } from '../support/databases.ts';
import { callsOf, plant, withClient } from '../support/planted.ts';

/** All names are qualified: the text of a migration runs with the user's search_path. */
const FILES: Readonly<Record<string, string>> = {
  '001_a.up.sql': 'CREATE TABLE public.a (id int, part int);',
  '001_a.down.sql': 'DROP TABLE public.a;',
  '002_index.up.sql': 'CREATE INDEX CONCURRENTLY a_id ON public.a (id);\nREINDEX INDEX CONCURRENTLY public.a_id;',
  '002_index.down.sql': 'DROP INDEX CONCURRENTLY public.a_id;',
  '003_parts.up.sql':
    'CREATE TABLE public.p (id int) PARTITION BY LIST (id);\nCREATE TABLE public.p1 PARTITION OF public.p FOR VALUES IN (1);',
  '003_parts.down.sql': 'DROP TABLE public.p, public.p1;',
  '004_detach.up.sql': 'ALTER TABLE public.p DETACH PARTITION public.p1 CONCURRENTLY;',
  '004_detach.down.sql': 'ALTER TABLE public.p ATTACH PARTITION public.p1 FOR VALUES IN (1);',
};

/** Every command that queries the server, in an order in which each has work. */
const COMMANDS: readonly (readonly [args: string, exit: number])[] = [
  ['status', 0],
  ['up --dry-run', 0],
  ['wait --timeout 0', 33],
  ['baseline --to 001_a --table based', 0],
  ['repair --table based', 0],
  ['down --all --confirm DATABASE --dry-run --table based', 0],
  // Its table was never created.
  ['down --all --confirm DATABASE --reason test --table based', 40],
  ['up', 0],
  ['up', 0],
  ['wait', 0],
  ['status --json', 0],
  ['history --json', 0],
  ['lock', 0],
  ['down --steps 2 --dry-run', 0],
  ['down --to 001_a', 0],
  ['up --to 002_index', 0],
  ['up --lock-wait 1s HELD', 31],
  ['lock HELD', 0],
  ['up --table foreign_versions', 22],
  ['import --from golang-migrate --from-table foreign_versions --table imported', 0],
  ['up --table imported', 0],
  ['repair --dry-run', 0],
];

describe('an object that another role has planted', () => {
  const database = useDatabase();
  const app = `lockstep_test_app_${randomBytes(4).toString('hex')}`;
  const owner = `lockstep_test_owner_${randomBytes(4).toString('hex')}`;
  let dir = '';

  before('plant', async function () {
    this.timeout(120_000);
    dir = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
    for (const [name, text] of Object.entries(FILES)) await writeFile(join(dir, name), text);
    await withClient(database(), (client) =>
      client.query(
        `CREATE ROLE ${app}; CREATE ROLE ${owner} LOGIN PASSWORD 'o'; GRANT CREATE ON SCHEMA public TO ${owner}`,
      ),
    );
    const planted = await plant(database(), app);
    expect(planted.operators).to.be.greaterThan(20_000);
    expect(planted.functions).to.be.greaterThan(3_000);
    expect(planted.relations).to.be.greaterThan(100);
    expect(planted.types).to.be.greaterThan(40);
  });
  after('drop the roles', async () => {
    await rm(dir, { recursive: true, force: true });
    if (database() !== '')
      await withClient(database(), (client) =>
        client.query(`DROP OWNED BY ${app}, ${owner} CASCADE; DROP ROLE ${app}, ${owner}`),
      ).catch(() => undefined);
  });

  async function run(args: string, url: string): Promise<void> {
    const [exit] = COMMANDS.flatMap(([one, code]) => (one === args ? [code] : []));
    const words = args.replace('DATABASE', new URL(url).pathname.slice(1)).replace(' HELD', '').split(' ');
    expectExit(
      await runCli(words, { env: { PATH: process.env['PATH'] ?? '', DATABASE_URL: url, LOCKSTEP_DIR: dir } }),
      exit ?? 0,
    );
  }

  async function holdingTheLock(url: string, body: () => Promise<void>): Promise<void> {
    await withClient(url, async (client) => {
      await client.query('SELECT pg_catalog.pg_advisory_lock(7244554146635925501)');
      await body();
    });
  }

  it('runs in a statement without qualified names and without a path (proof that the test can fail)', async () => {
    await withClient(database(), async (client) => {
      await client.query('SELECT 1::numeric * 2, upper($1::pg_catalog.text), 1::pg_catalog.oid = 1::pg_catalog.oid', [
        'x',
      ]);
    });
    const called = Object.keys(await callsOf(database())).join();
    expect(called).to.include('planted(numeric,integer)').and.include('planted(oid,oid)').and.include('upper(text)');
    await withClient(database(), (client) => client.query('SELECT pg_catalog.pg_stat_reset()'));
    expect(await callsOf(database())).to.deep.equal({});
  });

  for (const who of ['a superuser', 'the owner of its tables'] as const) {
    it(`never runs in any command of ${who}`, async function () {
      this.timeout(120_000);
      const url = new URL(database());
      if (who !== 'a superuser') [url.username, url.password] = [owner, 'o'];
      await withClient(url.href, (client) =>
        client.query(
          'CREATE TABLE public.foreign_versions (version bigint PRIMARY KEY, dirty boolean NOT NULL); INSERT INTO public.foreign_versions VALUES (2, false)',
        ),
      );
      for (const [args] of COMMANDS) {
        if (args.endsWith('HELD')) await holdingTheLock(url.href, () => run(args, url.href));
        else await run(args, url.href);
        expect(await callsOf(database()), args).to.deep.equal({});
      }
      await withClient(database(), (client) =>
        client.query(
          'DROP TABLE IF EXISTS public.a, public.p, public.p1, public.schema_migrations, public.schema_migrations_journal, public.imported, public.imported_journal, public.based, public.based_journal, public.foreign_versions',
        ),
      );
    });
  }
});
