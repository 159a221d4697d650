/** A migration that releases the lock in a way that no parser sees: it is rolled back, and nothing runs after it. */
import { expect } from 'chai';

import { expectExit, runCli } from '../support/cli.ts';
import { file } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('a migration that releases the lock', () => {
  const workspace = useWorkspace();

  it('is not recorded, by the command line', async () => {
    await workspace().write({
      ...file(1, 'before', 'CREATE TABLE before ();'),
      ...file(2, 'gives_up', 'CREATE TABLE half ();\nDO $$ BEGIN PERFORM pg_advisory_unlock_all(); END $$;'),
      ...file(3, 'after', 'CREATE TABLE after ();'),
    });
    expectExit(await runCli(['up'], workspace()), 40);
    expect(await workspace().versions()).to.deep.equal(['001_before']);
    expect(await workspace().query(`SELECT to_regclass('half') AS half, to_regclass('after') AS after`)).to.deep.equal([
      { half: null, after: null },
    ]);
  });
});
