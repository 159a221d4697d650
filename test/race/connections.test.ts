/**
 * There are fewer connections than runners: every runner succeeds, and no runner waits for a client that a waiter
 * holds.
 */
import { expect } from 'chai';

import { runMigrations } from '../../src/index.ts';
import type { Postgres } from '../../scripts/postgres/server.ts';
import { within } from '../support/bounded.ts';
import { expectExit, startCli } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import { file, FIVE_FILES, FIVE_FILES_APPLIED, FIVE_FILES_FACTS, versionsOf } from '../support/migrations.ts';
import { ownServer } from '../support/server.ts';
import { useWorkspace } from '../support/workspace.ts';

const RUNNERS = 16;
const VERSIONS = versionsOf(FIVE_FILES);

describe('a pool with fewer clients than runners', () => {
  const workspace = useWorkspace();
  beforeEach(() => workspace().write(FIVE_FILES));

  for (const max of [8, 1]) {
    it(`16 runners with a hook on one pool of ${max}`, async () => {
      const { lockKey, dir } = workspace();
      const pool = workspace().pool({ max });
      let hooksRun = 0;
      const hooks = {
        '003_first_orders': async ({ pool }: { pool: { query(sql: string): Promise<{ rows: unknown[] }> } }) => {
          const { rows } = await pool.query('SELECT count(*)::int AS count FROM accounts');
          expect(rows).to.deep.equal([{ count: 10 }]);
          hooksRun += 1;
        },
      };
      const outcomes = await Promise.all(
        Array.from({ length: RUNNERS }, () => runMigrations({ pool, lockKey, dir, hooks, direction: 'up' })),
      );
      const done = outcomes.flatMap((outcome) => outcome.done.map((step) => step.version));
      expect(done.sort()).to.deep.equal(VERSIONS);
      expect(hooksRun).to.equal(1);
      expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
      expect(await workspace().lockSessions()).to.deep.equal([]);
    });
  }
});

describe('a server with fewer free connections than runners', () => {
  /** Three of these are reserved for superusers. */
  const MAX_CONNECTIONS = 9;
  const FREE = MAX_CONNECTIONS - 3;

  let server: Postgres;
  before(async () => {
    server = await ownServer({
      settings: { max_connections: String(MAX_CONNECTIONS), superuser_reserved_connections: '3', max_wal_senders: '2' },
    });
  });
  after(() => server.stop());
  const workspace = useWorkspace(() => server.url);

  it('16 processes, most of which find no free slot', async () => {
    const app = `app_${workspace().schema}`;
    await workspace().query(`CREATE ROLE ${app} LOGIN`);
    await workspace().query(`GRANT ALL ON SCHEMA ${workspace().schema} TO ${app}`);
    const gate = await closeGate(workspace());
    await workspace().write({ ...FIVE_FILES, ...file(6, 'gate', gate.sql) });
    const url = new URL(workspace().url);
    url.username = app;
    const env = { ...workspace().env, DATABASE_URL: url.href };
    const runners = Array.from({ length: RUNNERS }, () => startCli(['up'], { env }));

    await gate.arrived();
    let refused = 0;
    const enough = Promise.withResolvers<undefined>();
    for (const runner of runners) {
      runner.waitForLog('database.waiting').then(
        (line) => {
          refused += JSON.stringify(line).includes('53300') ? 1 : 0;
          if (refused === RUNNERS - FREE) enough.resolve(undefined);
        },
        // Most runners that have a slot never log this event.
        () => undefined,
      );
    }
    await within(enough.promise, () => `${RUNNERS - FREE} runners to be refused; there were ${refused}`);
    await gate.open();

    const results = await Promise.all(runners.map(({ exited }) => exited));
    for (const result of results) expectExit(result, 0);
    const applied = results.flatMap(({ stdout }) => stdout.split('\n')).filter((line) => line.startsWith('  up '));
    expect(applied.sort()).to.deep.equal([...VERSIONS, '006_gate'].map((version) => `  up ${version}`));
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
  });
});
