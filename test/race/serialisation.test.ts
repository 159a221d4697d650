/** While another session holds the lock no runner finishes; once it is free every runner does. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';

import { runMigrations } from '../../src/index.ts';
import { expectExit, startCli } from '../support/cli.ts';
import { holdKey } from '../support/holder.ts';
import { FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS } from '../support/migrations.ts';
import { Recorder } from '../support/recorder.ts';
import { useWorkspace, type Workspace } from '../support/workspace.ts';

const RUNNERS = 16;
const A_SECOND = 1_000;

describe('a lock that another session holds, and 16 runners', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  it('in one process, by the library', async () => {
    const { url: connectionString, lockKey, dir } = workspace();
    const runners = Array.from({ length: RUNNERS }, () => {
      const reporter = new Recorder();
      const start = (): Promise<unknown> =>
        runMigrations({ connectionString, lockKey, dir, direction: 'up', reporter });
      return { start, waiting: () => reporter.next('lock.waiting') };
    });
    await expectToWait(workspace(), () => runners.map(({ start, waiting }) => ({ finished: start(), waiting })));
  });

  it('as processes, by the command line', async () => {
    await expectToWait(workspace(), () =>
      Array.from({ length: RUNNERS }, () => {
        const { exited, waitForLog } = startCli(['up'], workspace());
        const finished = exited.then((result) => expectExit(result, 0));
        return { finished, waiting: () => waitForLog('lock.waiting') };
      }),
    );
  });
});

interface Runner {
  readonly finished: Promise<unknown>;
  readonly waiting: () => Promise<unknown>;
}

async function expectToWait(workspace: Workspace, start: () => Runner[]): Promise<void> {
  const holder = await holdKey(workspace.serverUrl, workspace.lockKey);
  workspace.defer(() => holder.release());
  let finished = 0;
  const runners = start();
  const all = Promise.all(runners.map((runner) => runner.finished.finally(() => (finished += 1))));
  // A runner that fails at once makes `waiting` or the last await reject.
  all.catch(() => undefined);
  await Promise.all(runners.map(({ waiting }) => waiting()));
  // Only looking for a while can show that nothing happens.
  await pause(A_SECOND);
  expect(finished, 'runners that finished while the lock was held').to.equal(0);
  expect(await workspace.query(`SELECT to_regclass('accounts') AS accounts`)).to.deep.equal([{ accounts: null }]);
  await holder.release();
  await all;
  expect(await workspace.query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
}
