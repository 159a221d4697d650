/**
 * A lint of the SQL that is really sent: no statement of Lockstep resolves a name along a path that others can write
 * to.
 */
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';

import { runMigrations } from '../../src/index.ts';
import { runCli, startCli } from '../support/cli.ts';
import { file } from '../support/migrations.ts';
import { strayNames } from '../support/own-sql.ts';
import { createRole } from '../support/roles.ts';
import { done, proxyOf } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

const SQL: Readonly<Record<string, string>> = {
  '001_t.up.sql': 'CREATE TABLE t (id int, v text)',
  '001_t.down.sql': 'DROP TABLE t',
  '002_index.up.sql': 'CREATE INDEX CONCURRENTLY t_id ON t (id)',
  '002_index.down.sql': 'DROP INDEX CONCURRENTLY t_id',
  '003_reindex.up.sql': 'REINDEX TABLE CONCURRENTLY t',
  '003_reindex.down.sql': 'SELECT 1',
  '004_parts.up.sql': 'CREATE TABLE p (id int) PARTITION BY LIST (id)',
  '004_parts.down.sql': 'DROP TABLE p',
  '005_do.up.sql': '-- lockstep: no-transaction\nDO $$ BEGIN PERFORM 1; COMMIT; END $$',
  '005_do.down.sql': 'SELECT 2',
  '006_detach.up.sql':
    'CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);\nALTER TABLE p DETACH PARTITION p1 CONCURRENTLY',
  '006_detach.down.sql': 'DROP TABLE p1',
};

describe('the SQL that is sent', () => {
  const workspace = useWorkspace();
  const texts = Object.values(SQL).flatMap((text) => text.replace(/^--.*\n/, '').split(';\n'));
  const isFile = (sql: string): boolean => texts.includes(sql);

  /** The lint must have read messages of each of these kinds. */
  const SEEN = [
    'pg_try_advisory_xact_lock_shared',
    'pg_try_advisory_lock',
    'LOCK TABLE',
    'pg_inherits',
    'pg_index',
    'pg_auth_members',
    'pg_db_role_setting',
    'CREATE TABLE IF NOT EXISTS',
    'pg_stat_activity',
    'row_to_json',
  ];

  it("has no name that is resolved along the user's search_path", async function () {
    this.timeout(60_000);
    await workspace().write(SQL);
    const proxy = await proxyOf(workspace());
    const env = { ...workspace().env, DATABASE_URL: proxy.url };
    const run = (...args: string[]): Promise<unknown> => runCli(args, { env });
    await run('status');
    await run('baseline', '--to', '001_t', '--table', 'other');
    await run('up');
    await run('up');
    await run('up', '--role', 'nobody_knows');
    await run('down', '--steps', '5', '--dry-run');
    await run('down', '--steps', '1', '--hold', '--reason', 'why');
    await run('up', '--reapply', '006_detach');
    await run('down', '--steps', '5', '--no-hold');
    await run('history');
    await run('wait', '--timeout', '0');
    await run('repair');
    // A failing migration, one whose table is locked, a held one, and a waiter.
    await workspace().write(file(7, 'wrong', 'SELECT nope'));
    await run('up');
    await workspace().write(file(7, 'wrong', 'ALTER TABLE t ADD w int'));
    const other = await workspace().client();
    await other.query('BEGIN; LOCK TABLE t');
    const retried = startCli(['up', '--lock-timeout', '10ms'], { env });
    await retried.waitForLog('migration.retrying');
    await other.query('ROLLBACK');
    await retried.exited;
    await workspace().write(file(8, 'more', 'CREATE TABLE more ()'));
    await other.query('SELECT pg_advisory_lock($1::bigint)', [workspace().lockKey]);
    const waiter = startCli(['up', '--lock-wait', '1s'], { env });
    await waiter.waitForLog('lock.waiting');
    await run('lock');
    await waiter.exited;
    await other.query('SELECT pg_advisory_unlock($1::bigint)', [workspace().lockKey]);
    await other.query(
      'CREATE TABLE theirs (version bigint PRIMARY KEY, dirty boolean NOT NULL); INSERT INTO theirs VALUES (1, false)',
    );
    await run('import', '--from', 'golang-migrate', '--from-table', 'theirs', '--table', 'imported');
    const client = new pg.Client({ connectionString: proxy.url });
    await client.connect();
    await client.query(`SET search_path = ${workspace().schema}`);
    const { dir, lockKey } = workspace();
    expect(done(await runMigrations({ connection: client, dir, lockKey, direction: 'up' }))).to.deep.equal([
      '008_more',
    ]);
    await client.end();

    // A role with its own search_path setting, which a run may change.
    const role = await createRole(workspace(), { settings: { search_path: workspace().schema } });
    const url = new URL(proxy.url);
    [url.username, url.password] = [role.name, new URL(role.url).password];
    url.searchParams.delete('search_path');
    const files = [join(dir, '008_more.up.sql')];
    await workspace().query('DROP TABLE more');
    await runMigrations({ connectionString: url.href, lockKey, files, table: 'of_role', direction: 'up' });

    const sent = [...new Set(proxy.messages.filter(({ type }) => type === 'Q').map(({ text }) => text))];
    for (const words of SEEN)
      expect(
        sent.some((text) => text.includes(words)),
        words,
      ).to.equal(true);
    const places = ['schema_migrations', 'other', 'imported', 'of_role'].flatMap((name) => [name, `${name}_journal`]);
    const stray = (
      await Promise.all(
        sent
          .filter((text) => !text.startsWith('SET search_path'))
          .map((text) =>
            strayNames(text, { isFile: (sql) => isFile(sql) || /nope|ADD w int|TABLE more/.test(sql), places }),
          ),
      )
    ).flat();
    expect([...new Set(stray)]).to.deep.equal([]);
  });

  const STRAY: Readonly<Record<string, readonly string[]>> = {
    'SELECT 1 + 2': ['operator +'],
    'SELECT upper(x) FROM s.t': ['function upper'],
    'SELECT pg_catalog.upper(x) FROM t': ['relation t'],
    'SELECT x::regclass FROM s.t': ['type regclass'],
    'SELECT x::integer FROM s.t': [],
    'SELECT nullif(x, y) FROM s.t': ['operator =', 'operator of AEXPR_NULLIF'],
    'SELECT x IN (1, 2) FROM s.t': ['operator =', 'operator of AEXPR_IN'],
    'SELECT x = ANY (y) FROM s.t': ['operator ='],
    'SELECT 1 FROM s.t JOIN s.u USING (x)': ['operator of USING'],
    'SELECT CASE x WHEN 1 THEN 2 END FROM s.t': ['operator of CASE … WHEN'],
    'SELECT 1 OPERATOR(pg_catalog.+) 2': [],
    [`SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true); SELECT 1 + 2; COMMIT; SELECT 1 - 2`]: [
      'operator -',
    ],
    [`SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true); SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('x'), true); SELECT 1 * 2`]:
      ['operator *'],
  };
  for (const [sql, found] of Object.entries(STRAY)) {
    it(`the lint finds ${found.join(' and ') || 'nothing'} in ${sql}`, async () => {
      const stray = await strayNames(sql, { isFile: () => false, places: [] });
      expect(stray.map((one) => one.replace(/ in: .*/, '')).sort()).to.deep.equal([...found].sort());
    });
  }
});
