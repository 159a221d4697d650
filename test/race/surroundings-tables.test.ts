/** A history table with a trigger: a command that writes to it refuses before anything runs. */
import { expect } from 'chai';

import { expectExit, runCli } from '../support/cli.ts';
import { file } from '../support/migrations.ts';
import { up } from '../support/running.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('a trigger on the history', () => {
  const workspace = useWorkspace();

  it('is refused before anything runs, by the command line', async () => {
    await workspace().write(file(1, 'a', 'CREATE TABLE a ();'));
    await up(workspace());
    await workspace().query(
      'CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
    );
    await workspace().query(
      'CREATE TRIGGER swallow BEFORE INSERT ON schema_migrations FOR EACH ROW EXECUTE FUNCTION swallow()',
    );
    await workspace().write(file(2, 'b', 'CREATE TABLE b ();'));
    expectExit(await runCli(['up'], workspace()), 22);
    expect(await workspace().query(`SELECT to_regclass('b') AS b`)).to.deep.equal([{ b: null }]);
  });
});
