/** Roles with too few privileges: which commands still work, and which exit code the others have. */
import { expect } from 'chai';

import { createRole } from '../support/roles.ts';
import { stateOf } from '../support/state.ts';
import { expectExit, runCli } from '../support/cli.ts';
import { file, FIVE_FILES } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('a role with too few privileges', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  it('exits with 23 and leaves nothing behind without CREATE', async () => {
    const { url, name } = await createRole(workspace(), { grant: 'USAGE' });
    const before = await stateOf(workspace());
    for (const command of [['up'], ['baseline', '--to', '001_accounts']]) {
      const result = await runCli(command, { env: { ...workspace().env, DATABASE_URL: url } });
      expectExit(result, 23);
      expect(result.stderr).to.include('42501').and.include('permission denied');
      expect(result.logs.at(-1)!['error'], name).to.include.keys('next');
    }
    expect(await stateOf(workspace())).to.deep.equal(before);
    expect(await workspace().lockSessions()).to.deep.equal([]);
  });

  it('runs status and wait with only SELECT on the history; up exits with 0 when nothing is pending, else with 23', async () => {
    expectExit(await runCli(['up'], workspace()), 0);
    const { url, name } = await createRole(workspace(), { grant: 'USAGE' });
    await workspace().query(`GRANT SELECT ON schema_migrations TO ${name}`);
    const reader = { env: { ...workspace().env, DATABASE_URL: url } };
    expectExit(await runCli(['status', '--exit-code'], reader), 0);
    expectExit(await runCli(['wait', '--timeout', '0'], reader), 0);
    expectExit(await runCli(['lock'], reader), 0);
    expectExit(await runCli(['up'], reader), 0);
    await workspace().write(file(6, 'more', 'CREATE TABLE more ();'));
    expectExit(await runCli(['status', '--exit-code'], reader), 33);
    expectExit(await runCli(['wait', '--timeout', '0'], reader), 33);
    const refused = await runCli(['up'], reader);
    expectExit(refused, 23);
    expect(refused.stderr).to.include('42501');
  });

  it('exits with 23 when it may not read the history', async () => {
    expectExit(await runCli(['up'], workspace()), 0);
    const { url } = await createRole(workspace(), { grant: 'USAGE' });
    const result = await runCli(['up'], { env: { ...workspace().env, DATABASE_URL: url } });
    expectExit(result, 23);
    expect(result.stderr).to.include('permission denied for table schema_migrations');
  });

  it('exits with 40 and names the line when it may not run a statement of a migration', async () => {
    const { url } = await createRole(workspace());
    await workspace().write({ '001_accounts.up.sql': 'CREATE TABLE mine ();\nCREATE ROLE somebody_else;\n' });
    const result = await runCli(['up'], { env: { ...workspace().env, DATABASE_URL: url } });
    expectExit(result, 40);
    expect(result.stderr).to.include('42501').and.include('001_accounts.up.sql');
  });
});
