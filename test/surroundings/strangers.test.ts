/**
 * Servers that only resemble PostgreSQL, application tables with the history's name, and files with an unterminated
 * quote or comment.
 */
import { expect } from 'chai';

import { done, failure, proxyOf, up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('a server whose advisory locks do nothing', () => {
  const workspace = useWorkspace();

  const SERVERS: Readonly<Record<string, (sql: string) => string>> = {
    'every try succeeds': (sql) => sql.replace(/pg_catalog\.pg_try_advisory_lock\([^)]*\)/, 'true'),
    'the function does not exist': (sql) => sql.replace('pg_try_advisory_xact_lock_shared(', 'pg_no_such_lock('),
  };
  for (const [what, change] of Object.entries(SERVERS)) {
    it(`makes the run exit with 20, name the server and run nothing when ${what}`, async () => {
      await workspace().write({ '001_a.up.sql': 'CREATE TABLE a ();' });
      const proxy = await proxyOf(workspace());
      proxy.rule = ({ type, text }) => (type === 'Q' && change(text) !== text ? { sql: change(text) } : 'pass');
      const error = await failure('CONFIG_INVALID', up(workspace(), { connectionString: proxy.url }));
      expect(error.summary).to.match(/advisory locks.*PostgreSQL \d+/);
      expect(await workspace().query(`SELECT to_regclass('a') AS a`)).to.deep.equal([{ a: null }]);
    });
  }
});

describe("an application's own table of the same name", () => {
  const workspace = useWorkspace();

  it('can reject a row without being mistaken for the history', async () => {
    const ops = `${workspace().schema}_ops`;
    const own = workspace();
    await own.query(
      `CREATE SCHEMA ${ops}; CREATE TABLE schema_migrations (version text PRIMARY KEY, event text NOT NULL, run text NOT NULL); INSERT INTO schema_migrations VALUES ('1', '', '')`,
    );
    own.defer(() => own.query(`DROP SCHEMA ${ops} CASCADE`));
    for (const [index, [sql, sqlstate]] of (
      [
        ["INSERT INTO schema_migrations VALUES ('1', '', '');", '23505'],
        ["INSERT INTO schema_migrations VALUES ('2', NULL, '');", '23502'],
      ] as const
    ).entries()) {
      await own.write({ [`00${index + 1}_a.up.sql`]: sql });
      const error = await failure('MIGRATION_FAILED', up(own, { table: `${ops}.schema_migrations` }));
      expect(error.details.server).to.include({ sqlstate });
      await own.write({ [`00${index + 1}_a.up.sql`]: 'SELECT 1;' });
      expect(done(await up(own, { table: `${ops}.schema_migrations` }))).to.have.lengthOf(1);
    }
  });
});

describe('a file with an unterminated token', () => {
  const workspace = useWorkspace();

  for (const [what, text] of Object.entries({
    'a quote': "SELECT 'abc;\n",
    'a quoted name': 'SELECT "abc;\n',
    'a comment': 'SELECT 1; /* abc\n',
    'a dollar quote': 'SELECT $x$ abc;\n',
    'an escaped quote': "SELECT E'abc\\\n",
  })) {
    it(`fails at its own location without showing SQL of Lockstep: ${what}`, async () => {
      await workspace().write({ '001_a.up.sql': `CREATE TABLE a ();\n${text}` });
      const error = await failure('MIGRATION_FAILED', up(workspace()));
      expect(error.details.location).to.include({ file: '001_a.up.sql', line: 2 });
      expect(JSON.stringify(error.details)).to.not.match(/pg_catalog|lockstep/);
      expect(await workspace().query(`SELECT to_regclass('a') AS a`)).to.deep.equal([{ a: null }]);
    });
  }
});
