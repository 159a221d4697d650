/** A session or server that ends at any place of a run makes it exit with 30 or 34, and the next run completes. */
import { expect } from 'chai';

import type { Postgres } from '../../scripts/postgres/server.ts';
import { runCli, startCli, type CliProcess } from '../support/cli.ts';
import { closeGate, openSnapshot } from '../support/gate.ts';
import {
  file,
  FIVE_FILES,
  FIVE_FILES_APPLIED,
  FIVE_FILES_FACTS,
  versionsOf,
  type Files,
} from '../support/migrations.ts';
import { ownServer } from '../support/server.ts';
import { useWorkspace, type Workspace } from '../support/workspace.ts';
import { expectDocumented } from './support/aftermath.ts';

interface Place {
  readonly files: Files;
  /** Resolves once the run has reached the place. */
  readonly reached: () => Promise<unknown>;
  /** Lets the run continue; neither possible nor needed after a restart. */
  readonly open: () => Promise<unknown>;
}

const PLACES: Readonly<Record<string, (workspace: Workspace) => Promise<Place>>> = {
  'in a transaction': async (workspace) => {
    const gate = await closeGate(workspace);
    const files = file(
      6,
      'half',
      `CREATE TABLE half (id int);\nINSERT INTO half VALUES (1);\n${gate.sql}\nINSERT INTO half VALUES (2);`,
    );
    return { files, reached: gate.arrived, open: gate.open };
  },
  'in a concurrent build': async (workspace) => {
    const snapshot = await openSnapshot(workspace);
    const files = file(
      6,
      'half',
      `CREATE TABLE half AS SELECT n AS id FROM generate_series(1, 2) n;
CREATE INDEX CONCURRENTLY half_id ON half (id);
CREATE INDEX CONCURRENTLY half_minus ON half ((-id));`,
    );
    return { files, reached: snapshot.awaited, open: snapshot.end };
  },
  'between two concurrent builds': async (workspace) => {
    const gate = await closeGate(workspace);
    const files = file(
      6,
      'half',
      `CREATE TABLE half AS SELECT 1 AS id;
CREATE INDEX CONCURRENTLY half_id ON half (id);
INSERT INTO half SELECT 2 FROM (${gate.sql.replace(';', '')}) waited;
CREATE INDEX CONCURRENTLY half_minus ON half ((-id));`,
    );
    return { files, reached: gate.arrived, open: gate.open };
  },
  'in a hook': async (workspace) => {
    const gate = await closeGate(workspace);
    const files = {
      ...file(6, 'half', 'CREATE TABLE half AS SELECT n AS id FROM generate_series(1, 2) n;'),
      '006_half.before.mjs': `export default async ({ pool }) => { await pool.query('${gate.sql}'); };\n`,
    };
    return { files, reached: gate.arrived, open: gate.open };
  },
};

const LOST = [30, 34];

describe('a run whose server or session ends', () => {
  let server: Postgres;
  before(async () => {
    server = await ownServer();
  });
  after(() => server.stop());
  const workspace = useWorkspace(() => server.url);

  interface Scene {
    readonly place: Place;
    readonly files: Files;
    readonly holder: CliProcess;
    readonly waiter: CliProcess;
  }

  /** A holder that has reached its place, and a waiter. */
  async function setUp(where: string): Promise<Scene> {
    const place = await PLACES[where]!(workspace());
    const files = { ...FIVE_FILES, ...place.files, ...file(7, 'last', 'CREATE TABLE last AS SELECT 1 AS one;') };
    await workspace().write(files);
    const holder = startCli(['up'], workspace());
    await place.reached();
    const waiter = startCli(['up'], { env: { ...workspace().env, LOCKSTEP_POD: workspace().schema } });
    await waiter.waitForLog('lock.waiting');
    return { place, files, holder, waiter };
  }

  async function terminateHolder(): Promise<void> {
    const [holder] = await workspace().lockSessions();
    await workspace().query('SELECT pg_terminate_backend($1)', [holder!.pid]);
  }

  async function terminateWaiter(): Promise<void> {
    const { schema } = workspace();
    const ended = await workspace().query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%' || $1`,
      [schema],
    );
    expect(ended, 'sessions of the waiter').to.have.lengthOf(1);
  }

  async function expectFinished(files: Files): Promise<void> {
    const versions = versionsOf(files);
    expectDocumented('the next run', await runCli(['up'], workspace()), [0]);
    expect(await workspace().versions()).to.deep.equal(versions);
    expect(await workspace().journalCounts('applied')).to.deep.equal(
      Object.fromEntries(versions.map((version) => [version, 1])),
    );
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
    expect(
      await workspace().query('SELECT id, (SELECT count(*)::int FROM last) AS last FROM half ORDER BY id'),
    ).to.deep.equal([
      { id: 1, last: 1 },
      { id: 2, last: 1 },
    ]);
    expect(await workspace().invalidIndexes()).to.deep.equal([]);
    expect(await workspace().lockSessions()).to.deep.equal([]);
  }

  for (const where of Object.keys(PLACES)) {
    it(`${where}: the holder's session is terminated, and the waiter completes`, async () => {
      const { place, files, holder, waiter } = await setUp(where);
      await terminateHolder();
      expectDocumented('the holder', await holder.exited, LOST);
      await place.open();
      expectDocumented('the waiter', await waiter.exited, [0]);
      await expectFinished(files);
    });

    it(`${where}: the waiter's session is terminated, and the holder continues`, async () => {
      const { place, files, holder, waiter } = await setUp(where);
      await terminateWaiter();
      expectDocumented('the waiter', await waiter.exited, [30]);
      await place.open();
      expectDocumented('the holder', await holder.exited, [0]);
      await expectFinished(files);
    });

    for (const mode of ['fast', 'immediate'] as const) {
      it(`${where}: the server restarts (${mode}), and a run that starts meanwhile completes`, async () => {
        const { files, holder, waiter } = await setUp(where);
        // The blocking session ended with the server.
        const restarted = server.restart(mode);
        const [held, waited] = await Promise.all([holder.exited, waiter.exited]);
        const next = runCli(['up'], workspace());
        await restarted;
        expectDocumented('the holder', held, LOST);
        expectDocumented('the waiter', waited, [30]);
        expectDocumented('the run that came meanwhile', await next, [0]);
        await expectFinished(files);
      });
    }
  }
});
