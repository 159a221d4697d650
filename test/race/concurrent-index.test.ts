/** CREATE INDEX CONCURRENTLY in a queue of runners: it waits for every snapshot, so no waiter may have one. */
import { readFile } from 'node:fs/promises';
import { expect } from 'chai';

import { runMigrations } from '../../src/index.ts';
import type { Postgres } from '../../scripts/postgres/server.ts';
import { expectExit, runCli } from '../support/cli.ts';
import { CONCURRENT_FILES, MANY_ROWS, versionsOf } from '../support/migrations.ts';
import { ownServer } from '../support/server.ts';
import { useWorkspace, type Workspace } from '../support/workspace.ts';

const RUNNERS = 16;
const VERSIONS = versionsOf(CONCURRENT_FILES);

describe('concurrent builds and 16 runners', () => {
  let server: Postgres;
  before(async () => {
    // A server of its own: its log must show no deadlock, whichever session was the victim.
    server = await ownServer({ settings: { log_lock_waits: 'on' } });
  });
  after(() => server.stop());
  const workspace = useWorkspace(() => server.url);
  beforeEach(() => workspace().write(CONCURRENT_FILES));

  afterEach(async () => {
    expect(await readFile(server.logFile, 'utf8')).to.not.match(/deadlock detected|canceling statement/);
  });

  it('in one process, by the library', async () => {
    const { url: connectionString, lockKey, dir } = workspace();
    const outcomes = await Promise.all(
      Array.from({ length: RUNNERS }, () => runMigrations({ connectionString, lockKey, dir, direction: 'up' })),
    );
    expect(outcomes.flatMap(({ done }) => done.map((step) => step.version)).sort()).to.deep.equal(VERSIONS);
    await expectBuilt(workspace());
  });

  it('as processes, by the command line', async () => {
    const results = await Promise.all(Array.from({ length: RUNNERS }, () => runCli(['up'], workspace())));
    for (const result of results) expectExit(result, 0);
    await expectBuilt(workspace());
  });
});

async function expectBuilt(workspace: Workspace): Promise<void> {
  expect(await workspace.versions()).to.deep.equal(VERSIONS);
  expect(await workspace.journalCounts('applied')).to.deep.equal(
    Object.fromEntries(VERSIONS.map((version) => [version, 1])),
  );
  expect(
    await workspace.query(
      'SELECT (SELECT count(*) FROM events)::int AS events, (SELECT count(*) FROM event_log)::int AS log',
    ),
  ).to.deep.equal([{ events: MANY_ROWS, log: 1 }]);
  expect(await workspace.invalidIndexes()).to.deep.equal([]);
  const indexes = await workspace.query(
    `SELECT indexname FROM pg_indexes WHERE tablename = 'events' AND schemaname = $1 ORDER BY 1`,
    [workspace.schema],
  );
  expect(indexes.map(({ indexname }) => indexname)).to.deep.equal(['events_at', 'events_kind', 'events_pkey']);
}
