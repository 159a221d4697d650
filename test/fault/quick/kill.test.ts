/** SIGKILL in the middle of a run: the next plain run completes without intervention, and nothing is applied twice. */
import { expect } from 'chai';

import { expectExit, runCli, startCli, type CliProcess } from '../../support/cli.ts';
import { closeGate, openSnapshot } from '../../support/gate.ts';
import {
  file,
  FIVE_FILES,
  FIVE_FILES_APPLIED,
  FIVE_FILES_FACTS,
  versionsOf,
  type Files,
} from '../../support/migrations.ts';
import { useWorkspace } from '../../support/workspace.ts';

describe('SIGKILL', () => {
  const workspace = useWorkspace();

  async function writeAll(more: Files): Promise<string[]> {
    const files = { ...FIVE_FILES, ...more, ...file(9, 'last', 'CREATE TABLE last AS SELECT 1 AS one;') };
    await workspace().write(files);
    return versionsOf(files);
  }

  async function kill(holder: CliProcess): Promise<void> {
    holder.kill('SIGKILL');
    expect((await holder.exited).signal).to.equal('SIGKILL');
  }

  async function expectAppliedOnce(versions: readonly string[]): Promise<void> {
    expect(await workspace().versions()).to.deep.equal(versions);
    expect(await workspace().journalCounts('applied')).to.deep.equal(
      Object.fromEntries(versions.map((version) => [version, 1])),
    );
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
    expect(await workspace().query('SELECT count(*)::int AS count FROM last')).to.deep.equal([{ count: 1 }]);
    expect(await workspace().invalidIndexes()).to.deep.equal([]);
    expect(await workspace().lockSessions()).to.deep.equal([]);
  }

  const HALF = (sql: string): string =>
    `CREATE TABLE half (id int);\nINSERT INTO half VALUES (1);\n${sql}\nINSERT INTO half VALUES (2);`;

  it('in the middle of a transaction: it is rolled back and repeated', async () => {
    const gate = await closeGate(workspace());
    const versions = await writeAll(file(6, 'half', HALF(gate.sql)));
    const holder = startCli(['up'], workspace());
    const orphan = await gate.arrived();
    await kill(holder);
    const next = startCli(['up'], workspace());
    await next.waitForLog('lock.acquired');
    expect(await gate.arrived()).to.not.equal(orphan);
    await gate.open();
    expectExit(await next.exited, 0);
    await expectAppliedOnce(versions);
    expect(await workspace().query('SELECT id FROM half ORDER BY id')).to.deep.equal([{ id: 1 }, { id: 2 }]);
  });

  it('in the middle of a transaction that the server then commits: it is not repeated', async () => {
    const gate = await closeGate(workspace());
    const versions = await writeAll(file(6, 'half', HALF(gate.sql)));
    const holder = startCli(['up'], workspace());
    await gate.arrived();
    const killed = kill(holder);
    await gate.open();
    await killed;
    expectExit(await runCli(['up'], workspace()), 0);
    await expectAppliedOnce(versions);
    expect(await workspace().query('SELECT id FROM half ORDER BY id')).to.deep.equal([{ id: 1 }, { id: 2 }]);
  });

  it('in the middle of a concurrent build: the INVALID index is replaced', async () => {
    const versions = await writeAll({
      ...file(6, 'index', 'CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_total ON orders (total);'),
      ...file(
        7,
        'two_indexes',
        'CREATE INDEX CONCURRENTLY notes_text ON notes (text);\nCREATE INDEX CONCURRENTLY notes_order ON notes (order_id);',
      ),
    });
    const snapshot = await openSnapshot(workspace());
    const holder = startCli(['up'], workspace());
    await snapshot.awaited();
    await kill(holder);
    expect(await workspace().invalidIndexes()).to.deep.equal(['orders_total']);
    const next = startCli(['up'], workspace());
    await next.waitForLog('lock.acquired');
    await snapshot.end();
    const result = await next.exited;
    expectExit(result, 0);
    expect(result.logs.find(({ event }) => event === 'index.dropped')).to.include({ index: 'orders_total' });
    await expectAppliedOnce(versions);
    const indexes = await workspace().query(
      `SELECT indexname FROM pg_indexes WHERE schemaname = $1 AND tablename IN ('orders', 'notes') ORDER BY 1`,
      [workspace().schema],
    );
    expect(indexes.map(({ indexname }) => indexname)).to.deep.equal([
      'notes_order',
      'notes_text',
      'orders_account',
      'orders_pkey',
      'orders_total',
    ]);
  });

  it('during a hook: the hook runs again, and its migration follows', async () => {
    const gate = await closeGate(workspace());
    await workspace().write({
      '006_hooked.before.mjs': `export default async ({ pool }) => { await pool.query('${gate.sql}'); };\n`,
    });
    const versions = await writeAll(file(6, 'hooked', 'CREATE TABLE hooked (id int);'));
    const holder = startCli(['up'], workspace());
    await gate.arrived();
    await kill(holder);
    const next = startCli(['up'], workspace());
    await next.waitForLog('hook.started');
    await gate.open();
    expectExit(await next.exited, 0);
    await expectAppliedOnce(versions);
  });
});
