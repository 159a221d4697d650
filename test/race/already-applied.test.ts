/** Sixteen runners find nothing to do: each sends one query, and no byte changes. */
import { expect } from 'chai';

import { runMigrations } from '../../src/index.ts';
import { expectExit, runCli } from '../support/cli.ts';
import { FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { WireProxy } from '../support/wire-proxy.ts';
import { useWorkspace, type Workspace } from '../support/workspace.ts';

const RUNNERS = 16;
const VERSIONS = versionsOf(FIVE_FILES);

describe('applied migrations and 16 runners', () => {
  const workspace = useWorkspace();

  beforeEach(async () => {
    await workspace().write(FIVE_FILES);
    expectExit(await runCli(['up'], workspace()), 0);
  });

  it('in one process, by the library', async () => {
    const { url: connectionString, lockKey, dir } = workspace();
    const before = await stateOf(workspace());
    const outcomes = await Promise.all(
      Array.from({ length: RUNNERS }, () => runMigrations({ connectionString, lockKey, dir, direction: 'up' })),
    );
    for (const { done, skipped } of outcomes) expect({ done, skipped }).to.deep.equal({ done: [], skipped: VERSIONS });
    expect(await stateOf(workspace())).to.deep.equal(before);
  });

  it('as processes, by the command line', async () => {
    const before = await stateOf(workspace());
    const results = await Promise.all(Array.from({ length: RUNNERS }, () => runCli(['up'], workspace())));
    for (const result of results) {
      expectExit(result, 0);
      expect(result.stdout).to.equal('  skip 5 migrations (already applied)\nDone.\n');
    }
    expect(await stateOf(workspace())).to.deep.equal(before);
  });

  it('each sends the server one query', async () => {
    const proxy = await WireProxy.start(workspace().url);
    workspace().defer(() => proxy.stop());
    const { lockKey, dir } = workspace();
    await Promise.all(
      Array.from({ length: RUNNERS }, () =>
        runMigrations({ connectionString: proxy.url, lockKey, dir, direction: 'up' }),
      ),
    );
    expect(proxy.queries.map(({ connection }) => connection).sort((a, b) => a - b)).to.deep.equal(
      Array.from({ length: RUNNERS }, (_, index) => index + 1),
    );
  });
});

/** Every row of every table with its physical location (ctid, xmin), and the file of every relation. */
async function stateOf(workspace: Workspace): Promise<unknown> {
  const relations = await workspace.query<{ relname: string; relkind: string }>(
    `SELECT relname, relkind, relfilenode, xmin::text, ctid::text, relacl::text, obj_description(oid, 'pg_class') AS comment
       FROM pg_class WHERE relnamespace = $1::regnamespace ORDER BY relname`,
    [workspace.schema],
  );
  const rows: Record<string, unknown> = {};
  for (const { relname, relkind } of relations) {
    if (relkind === 'r')
      rows[relname] = await workspace.query(
        `SELECT t.ctid::text, t.xmin::text, t.xmax::text, to_jsonb(t) AS row FROM ${relname} t ORDER BY t.ctid`,
      );
  }
  const sequences = await workspace.query(
    'SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = $1 ORDER BY 1',
    [workspace.schema],
  );
  return { relations, rows, sequences };
}
