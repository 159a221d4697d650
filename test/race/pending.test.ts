/** Sixteen runners find five pending files: every run succeeds, and each file is applied once. */
import { expect } from 'chai';

import { runMigrations } from '../../src/index.ts';
import { expectExit, runCli } from '../support/cli.ts';
import { FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS, versionsOf } from '../support/migrations.ts';
import { useWorkspace, type Workspace } from '../support/workspace.ts';

const RUNNERS = 16;
const VERSIONS = versionsOf(FIVE_FILES);

describe('pending migrations and 16 runners', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  it('in one process, by the library', async () => {
    const { url: connectionString, lockKey, dir } = workspace();
    const outcomes = await Promise.all(
      Array.from({ length: RUNNERS }, () => runMigrations({ connectionString, lockKey, dir, direction: 'up' })),
    );
    const done = outcomes.flatMap((outcome) => outcome.done.map((step) => step.version));
    expect(done.sort()).to.deep.equal(VERSIONS);
    for (const { done, skipped, pending } of outcomes) {
      expect([...done.map((step) => step.version), ...skipped].sort()).to.deep.equal(VERSIONS);
      expect(pending).to.deep.equal([]);
    }
    await expectAppliedOnce(workspace());
  });

  it('as processes, by the command line', async () => {
    const results = await Promise.all(Array.from({ length: RUNNERS }, () => runCli(['up'], workspace())));
    for (const result of results) expectExit(result, 0);
    const lines = results.flatMap(({ stdout }) => stdout.split('\n')).filter((line) => line.startsWith('  up '));
    expect(lines.sort()).to.deep.equal(VERSIONS.map((version) => `  up ${version}`));
    await expectAppliedOnce(workspace());
  });
});

async function expectAppliedOnce(workspace: Workspace): Promise<void> {
  expect(await workspace.versions()).to.deep.equal(VERSIONS);
  expect(await workspace.journalCounts('applied')).to.deep.equal(
    Object.fromEntries(VERSIONS.map((version) => [version, 1])),
  );
  expect(await workspace.query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
  expect(await workspace.lockSessions()).to.deep.equal([]);
}
