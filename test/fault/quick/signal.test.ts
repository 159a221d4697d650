/** SIGTERM and SIGINT: exit 143 and 130 within seconds, rolled back, lock free; the next run continues. */
import { expect } from 'chai';

import { eventually } from '../../support/bounded.ts';
import { expectExit, runCli, startCli, type CliProcess } from '../../support/cli.ts';
import { closeGate, openSnapshot } from '../../support/gate.ts';
import { holdKey } from '../../support/holder.ts';
import {
  file,
  FIVE_FILES,
  FIVE_FILES_APPLIED,
  FIVE_FILES_FACTS,
  versionsOf,
  type Files,
} from '../../support/migrations.ts';
import { closedPort } from '../../support/opening.ts';
import { useWorkspace } from '../../support/workspace.ts';
import { STUBBORN_HOOK } from '../../support/hooks.ts';

const BOUND_MS = 5_000;

for (const [signal, exit] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const) {
  describe(signal, () => {
    const workspace = useWorkspace();

    async function expectInterrupted(run: CliProcess): Promise<string> {
      const [holder] = await workspace().lockSessions();
      const sentAt = performance.now();
      run.kill(signal);
      const result = await run.exited;
      expectExit(result, exit);
      expect(result.exitedAt - sentAt, 'milliseconds from the signal to the exit').to.be.lessThan(BOUND_MS);
      const left = `SELECT query FROM pg_stat_activity WHERE pid = $1 AND state <> 'idle' AND application_name LIKE 'lockstep %'`;
      expect(await workspace().query(left, [holder?.pid]), 'what it has left running on the server').to.deep.equal([]);
      return result.stdout;
    }

    /** A plain run afterwards succeeds, with everything applied once. */
    async function expectNextRun(more: Files): Promise<void> {
      expect(await workspace().lockSessions()).to.deep.equal([]);
      expectExit(await runCli(['up'], workspace()), 0);
      const versions = versionsOf({ ...FIVE_FILES, ...more });
      expect(await workspace().versions()).to.deep.equal(versions);
      expect(await workspace().journalCounts('applied')).to.deep.equal(
        Object.fromEntries(versions.map((version) => [version, 1])),
      );
      expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
      expect(await workspace().invalidIndexes()).to.deep.equal([]);
    }

    it('in the middle of a transaction: it is rolled back', async () => {
      const gate = await closeGate(workspace());
      const more = file(6, 'half', `CREATE TABLE half (id int);\n${gate.sql}`);
      await workspace().write({ ...FIVE_FILES, ...more });
      const run = startCli(['up', '--json'], workspace());
      await gate.arrived();
      const document = JSON.parse(await expectInterrupted(run)) as {
        exit: number;
        done: { version: string }[];
        pending: string[];
      };
      expect(document.exit).to.equal(exit);
      expect(document.done.map(({ version }) => version)).to.deep.equal(versionsOf(FIVE_FILES));
      expect(document.pending).to.deep.equal(['006_half']);
      expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
      expect(await workspace().query(`SELECT to_regclass('half') AS half`)).to.deep.equal([{ half: null }]);
      await gate.open();
      await expectNextRun(more);
    });

    it('in the middle of a long-running statement', async () => {
      const more = file(6, 'long', `CREATE TABLE half (id int);\nSELECT pg_sleep(3600);`);
      await workspace().write({ ...FIVE_FILES, ...more });
      const run = startCli(['up'], workspace());
      await eventually('the statement to run', async () => {
        const [row] = await workspace().query(
          `SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = $1`,
          [(await workspace().lockSessions())[0]?.pid],
        );
        return row !== undefined;
      });
      await expectInterrupted(run);
      await workspace().write(file(6, 'long', 'CREATE TABLE half (id int);'));
      await expectNextRun(more);
    });

    it('twice: the second one ends the run at once', async () => {
      const more = file(6, 'hooked', 'CREATE TABLE hooked ();');
      await workspace().write({ ...FIVE_FILES, ...more, '006_hooked.before.mjs': STUBBORN_HOOK });
      const run = startCli(['up'], workspace());
      await run.waitForLog('hook.log');
      run.kill(signal);
      await run.waitForLog(({ event, text }) => event === 'hook.log' && text === 'told');
      run.kill(signal);
      const result = await run.exited;
      expectExit(result, exit);
      expect(result.stderr, 'it has no time left to say anything').to.not.include('INTERRUPTED');
      await workspace().write({ '006_hooked.before.mjs': 'export default () => undefined;' });
      await eventually('the server to notice', async () => (await workspace().lockSessions()).length === 0);
      await expectNextRun(more);
    });

    it('in the middle of a concurrent build', async () => {
      const more = file(6, 'index', 'CREATE INDEX CONCURRENTLY orders_total ON orders (total);');
      await workspace().write({ ...FIVE_FILES, ...more });
      const snapshot = await openSnapshot(workspace());
      const run = startCli(['up'], workspace());
      await snapshot.awaited();
      await expectInterrupted(run);
      expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
      await snapshot.end();
      await expectNextRun(more);
    });

    for (const [which, hook] of [
      // The hook returns without an error, but may be incomplete: its migration must not run.
      [
        'obeys its signal',
        'export default ({ log, signal }) => { log("ready"); return new Promise((done) => signal.addEventListener("abort", done)); };',
      ],
      ['never yields', 'export default ({ log }) => { log("ready"); for (;;); };'],
    ] as const) {
      it(`during a hook that ${which}`, async () => {
        const more = file(6, 'hooked', 'CREATE TABLE hooked ();');
        await workspace().write({ ...FIVE_FILES, ...more, '006_hooked.before.mjs': hook });
        const run = startCli(['up'], workspace());
        await run.waitForLog('hook.log');
        await expectInterrupted(run);
        expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
        await workspace().write({ '006_hooked.before.mjs': 'export default () => undefined;' });
        await expectNextRun(more);
      });
    }

    it('while the run waits for the lock', async () => {
      await workspace().write(FIVE_FILES);
      const holder = await holdKey(workspace().serverUrl, workspace().lockKey);
      workspace().defer(() => holder.release());
      const run = startCli(['up'], workspace());
      await run.waitForLog('lock.waiting');
      await expectInterrupted(run);
      await holder.release();
      await expectNextRun({});
    });

    it('while the run waits for the database', async () => {
      await workspace().write(FIVE_FILES);
      const DATABASE_URL = `postgres://postgres@127.0.0.1:${await closedPort()}/postgres`;
      const run = startCli(['up'], { env: { ...workspace().env, DATABASE_URL } });
      await run.waitForLog('database.waiting');
      await expectInterrupted(run);
    });
  });
}
