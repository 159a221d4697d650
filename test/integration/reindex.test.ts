/** A cancelled or killed REINDEX CONCURRENTLY leaves nothing behind in the end, wherever its indexes are. */
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { expectExit, runCli, startCli } from '../support/cli.ts';
import { openSnapshot } from '../support/gate.ts';
import { file } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { useDatabase } from '../support/databases.ts';

const TABLES = `CREATE TABLE items (id int PRIMARY KEY, note text);
INSERT INTO items SELECT n, 'note' FROM generate_series(1, 10) n;
CREATE TABLE parts (id int, day int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parts_old PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_new PARTITION OF parts FOR VALUES FROM (10) TO (20);
CREATE INDEX parts_id ON parts (id);
INSERT INTO parts SELECT n, n FROM generate_series(0, 19) n;`;

describe('REINDEX CONCURRENTLY', () => {
  const database = useDatabase();
  const workspace = useWorkspace(database);

  const cases: Readonly<Record<string, () => string>> = {
    'of an index': () => 'REINDEX INDEX CONCURRENTLY items_pkey;',
    'of a table, with its TOAST table': () => 'REINDEX TABLE CONCURRENTLY items;',
    'of a partitioned index': () => 'REINDEX INDEX CONCURRENTLY parts_id;',
    'of a partitioned table': () => 'REINDEX TABLE CONCURRENTLY parts;',
    'of a schema': () => `REINDEX SCHEMA CONCURRENTLY ${workspace().schema};`,
    'of a database': () => `REINDEX DATABASE CONCURRENTLY ${new URL(database()).pathname.slice(1)};`,
  };

  async function leftovers(): Promise<string[]> {
    const rows = await workspace().query<{ name: string }>(
      `SELECT indexrelid::regclass::text AS name FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE c.relname ~ '_cc(new|old)' ORDER BY 1`,
    );
    return rows.map(({ name }) => name);
  }

  /** The pid of a REINDEX that waits for an old snapshot, whichever table of the database it starts with. */
  function stopped(): Promise<number> {
    return eventually('a REINDEX to wait for the snapshot', async () => {
      const [found] = await workspace().query<{ pid: number }>(
        `SELECT p.pid FROM pg_stat_progress_create_index p JOIN pg_locks l ON l.pid = p.pid AND l.locktype = 'virtualxid' AND NOT l.granted
          WHERE p.datname = current_database()`,
      );
      return found?.pid;
    });
  }

  for (const [what, sql] of Object.entries(cases)) {
    describe(what, () => {
      beforeEach(async () => {
        await workspace().write(file(1, 'tables', TABLES));
        expectExit(await runCli(['up'], workspace()), 0);
        await workspace().write(file(2, 'reindex', sql()));
      });

      it('cancelled: the run itself drops the leftovers', async () => {
        const snapshot = await openSnapshot(workspace());
        const run = startCli(['up'], workspace());
        const pid = await stopped();
        expect(await leftovers()).to.not.deep.equal([]);
        await workspace().query('SELECT pg_cancel_backend($1)', [pid]);
        await snapshot.end();
        expectExit(await run.exited, 32);
        expect(await leftovers()).to.deep.equal([]);
        expectExit(await runCli(['up'], workspace()), 0);
        expect(await leftovers()).to.deep.equal([]);
      });

      it('killed: the next run drops the leftovers', async () => {
        const snapshot = await openSnapshot(workspace());
        const run = startCli(['up'], workspace());
        const pid = await stopped();
        run.kill('SIGKILL');
        await workspace().query('SELECT pg_terminate_backend($1, 10000)', [pid]);
        expect(await leftovers()).to.not.deep.equal([]);
        await snapshot.end();
        const next = await runCli(['up'], workspace());
        expectExit(next, 0);
        expect(next.logs.map(({ event }) => event)).to.include('index.dropped');
        expect(await leftovers()).to.deep.equal([]);
        expect(await workspace().invalidIndexes()).to.deep.equal([]);
      });
    });
  }

  it('does not touch leftovers of other sessions', async () => {
    await workspace().write(file(1, 'tables', TABLES));
    expectExit(await runCli(['up'], workspace()), 0);
    const snapshot = await openSnapshot(workspace());
    const person = await workspace().client();
    const cancelled = person.query('REINDEX TABLE CONCURRENTLY items').catch((error: unknown) => error);
    await workspace().query('SELECT pg_cancel_backend($1)', [await stopped()]);
    expect(await cancelled).to.include({ code: '57014' });
    await snapshot.end();
    const left = await leftovers();
    expect(left).to.not.deep.equal([]);
    await workspace().write(file(2, 'reindex', 'REINDEX TABLE CONCURRENTLY items;'));
    expectExit(await runCli(['up'], workspace()), 0);
    expect(await leftovers()).to.deep.equal(left);
  });
});
