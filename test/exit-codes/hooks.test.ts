/** Hooks that never end: exit 35, nothing recorded, the lock free. */
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { expectExit, runCli } from '../support/cli.ts';
import { file, FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';

describe('a hook that never ends', () => {
  const HOOK_STATEMENT = 'a_hook_that_never_ends';
  const workspace = useWorkspace();
  const hookSessions = (what: string, place = workspace()): Promise<object[]> =>
    place.query(
      `SELECT ${what} FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%${HOOK_STATEMENT}'`,
    );
  beforeEach(() => {
    const place = workspace();
    place.defer(() => hookSessions('pg_terminate_backend(pid)', place));
  });

  for (const [which, hook] of [
    ['waits for ever', 'export default () => new Promise(() => { setInterval(() => undefined, 1_000); });'],
    ['waits for what nobody sends', 'export default () => new Promise(() => undefined);'],
    ['keeps its thread busy', 'export default () => { for (;;); };'],
    [
      'waits for the database',
      `export default async ({ pool }) => { await pool.query("SELECT pg_sleep(3600) AS ${HOOK_STATEMENT}"); };`,
    ],
  ] as const) {
    it(`makes the run exit with 35 after --hook-timeout, records nothing and frees the lock for the next run when it ${which}`, async () => {
      await workspace().write({
        ...FIVE_FILES,
        ...file(6, 'hooked', 'CREATE TABLE hooked ();'),
        '006_hooked.before.mjs': hook,
      });
      const result = await runCli(['up', '--hook-timeout', '500ms'], workspace());
      expectExit(result, 35);
      expect(result.stderr).to.include('006_hooked').and.include('hook-timeout');
      expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
      expect(await workspace().lockSessions()).to.deep.equal([]);
      // It would be in the way of every concurrent build for as long as it runs.
      await eventually(
        'the statement of the hook to be ended on the server',
        async () => (await hookSessions('pid')).length === 0,
        5_000,
      );
      await workspace().write({ '006_hooked.before.mjs': 'export default () => undefined;' });
      expectExit(await runCli(['up'], workspace()), 0);
      expect(await workspace().versions()).to.include('006_hooked');
    });
  }
});
