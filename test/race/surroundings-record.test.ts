/** A migration that deletes its own record in a way that no parser sees is rolled back. */
import { expect } from 'chai';

import { expectExit, runCli } from '../support/cli.ts';
import { file } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('a migration that deletes its own record', () => {
  const workspace = useWorkspace();

  it('is rolled back, by the command line', async () => {
    await workspace().write({
      ...file(1, 'a', 'CREATE TABLE a ();'),
      ...file(2, 'b', `CREATE TABLE b ();\nDO $$ BEGIN EXECUTE 'TRUNCATE schema_' || 'migrations'; END $$;`),
    });
    expectExit(await runCli(['up'], workspace()), 40);
    expect(await workspace().versions()).to.deep.equal(['001_a']);
    expect(await workspace().query(`SELECT to_regclass('b') AS b`)).to.deep.equal([{ b: null }]);
  });
});
