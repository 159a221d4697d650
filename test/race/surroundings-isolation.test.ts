/** A migration whose session defaults to another isolation level. */
import { expect } from 'chai';

import { expectExit, runCli } from '../support/cli.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('another isolation level as the default', () => {
  const workspace = useWorkspace();

  it('does not apply to a migration, by the command line', async () => {
    await workspace().write({
      '001_a.up.sql': `CREATE TABLE levels AS SELECT current_setting('transaction_isolation') AS level;`,
    });
    const url = new URL(workspace().url);
    url.searchParams.set('default_transaction_isolation', 'serializable');
    expectExit(await runCli(['up'], { env: { ...workspace().env, DATABASE_URL: url.href } }), 0);
    expect(await workspace().query('SELECT level FROM levels')).to.deep.equal([{ level: 'read committed' }]);
  });
});
