/**
 * Functions and operators that another role has planted under the names of built-in ones, in a schema that comes first
 * on the path.
 */
import { expect } from 'chai';

import { expectExit, runCli } from '../support/cli.ts';
import { file } from '../support/migrations.ts';
import { callsOf } from '../support/planted.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('planted functions and operators', () => {
  const workspace = useWorkspace();

  it('never run, by the command line', async () => {
    const own = workspace();
    const evil = `${own.schema}_evil`;
    await own.query(`CREATE SCHEMA ${evil}`);
    own.defer(() => own.query(`DROP SCHEMA ${evil} CASCADE`));
    for (const [name, type] of [
      ['pg_backend_pid()', 'int'],
      ['current_database()', 'name'],
      ['to_regclass(text)', 'regclass'],
      ['pg_is_in_recovery()', 'boolean'],
    ]) {
      await own.query(
        `CREATE FUNCTION ${evil}.${name} RETURNS ${type} LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`,
      );
    }
    // Our queries guard every use of the tables with a division.
    await own.query(`
      CREATE FUNCTION ${evil}.p(int, int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
      CREATE OPERATOR ${evil}./ (LEFTARG = int, RIGHTARG = int, FUNCTION = ${evil}.p)`);
    await own.write(file(1, 'a', 'CREATE TABLE a ();'));
    const url = new URL(own.url);
    url.searchParams.set('search_path', `${own.schema},${evil},pg_catalog`);
    url.searchParams.set('track_functions', 'all');
    const env = { ...own.env, DATABASE_URL: url.href };
    for (const command of ['status', 'up', 'up', 'history', 'lock']) {
      expectExit(await runCli([command], { env }), 0);
      expect(await callsOf(own.serverUrl, evil), command).to.deep.equal({});
    }
  });
});
