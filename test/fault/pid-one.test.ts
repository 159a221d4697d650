/**
 * The runner as PID 1, as in a container: the kernel ignores signals without a handler, so the runner must install its
 * own.
 */
import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { expect } from 'chai';

import { eventually } from '../support/bounded.ts';
import { expectExit, runCli } from '../support/cli.ts';
import { closeGate, openSnapshot } from '../support/gate.ts';
import { holdKey } from '../support/holder.ts';
import {
  file,
  FIVE_FILES,
  FIVE_FILES_APPLIED,
  FIVE_FILES_FACTS,
  versionsOf,
  type Files,
} from '../support/migrations.ts';
import { closedPort } from '../support/opening.ts';
import { useWorkspace } from '../support/workspace.ts';
import { STUBBORN_HOOK } from '../support/hooks.ts';
import { skipUnless, startElsewhere, whyNot, type Elsewhere } from '../support/elsewhere.ts';

const BOUND_MS = 5_000;

/** `--user` without root: some systems allow only root. */
const UNSHARE = [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  '--pid',
  '--fork',
  '--mount-proc',
  '--kill-child',
];

describe('PID 1', () => {
  const workspace = useWorkspace();

  before(async function () {
    const [command = '', ...args] = UNSHARE;
    skipUnless(this, "no PID namespace of one's own", await whyNot(command, ...args, 'true'));
  });

  function start(env: Readonly<Record<string, string>> = {}): Elsewhere {
    const run = startElsewhere(UNSHARE, ['up'], { ...workspace().env, ...env });
    workspace().defer(() => run.end());
    return run;
  }

  async function send(run: Elsewhere, signal: NodeJS.Signals): Promise<number> {
    const pid = await run.pid();
    expect(await ownPid(pid), 'its pid in its own namespace').to.equal(1);
    await eventually(`${signal} to be listened to`, () => listens(pid, signal));
    process.kill(pid, signal);
    return performance.now();
  }

  async function expectExitWithin(run: Elsewhere, sentAt: number, expected: number, boundMs = BOUND_MS): Promise<void> {
    const { code, output, exitedAt } = await run.exited;
    expect(code, output).to.equal(expected);
    expect(output).to.include('INTERRUPTED');
    expect(exitedAt - sentAt, 'milliseconds from the signal to the exit').to.be.lessThan(boundMs);
  }

  /** Nothing runs on the server any more, and the next run continues the work. */
  async function expectNextRun(more: Files): Promise<void> {
    expect(await workspace().lockSessions()).to.deep.equal([]);
    expect(
      await workspace().query(
        `SELECT query FROM pg_stat_activity WHERE application_name LIKE 'lockstep up %' AND state <> 'idle'`,
      ),
    ).to.deep.equal([]);
    expectExit(await runCli(['up'], workspace()), 0);
    expect(await workspace().versions()).to.deep.equal(versionsOf({ ...FIVE_FILES, ...more }));
    expect(await workspace().query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
    expect(await workspace().invalidIndexes()).to.deep.equal([]);
  }

  for (const [signal, exit] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    it(`exits with ${exit} after ${signal} in a transaction, which is cancelled on the server and not recorded`, async () => {
      const gate = await closeGate(workspace());
      const more = file(6, 'half', `CREATE TABLE half (id int);\n${gate.sql}`);
      await workspace().write({ ...FIVE_FILES, ...more });
      const run = start();
      await gate.arrived();
      await expectExitWithin(run, await send(run, signal), exit);
      expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
      expect(await workspace().query(`SELECT to_regclass('half') AS half`)).to.deep.equal([{ half: null }]);
      await gate.open();
      await expectNextRun(more);
    });

    it(`exits with ${exit} after ${signal} in a concurrent build`, async () => {
      const more = file(6, 'index', 'CREATE INDEX CONCURRENTLY orders_total ON orders (total);');
      await workspace().write({ ...FIVE_FILES, ...more });
      const snapshot = await openSnapshot(workspace());
      const run = start();
      await snapshot.awaited();
      await expectExitWithin(run, await send(run, signal), exit);
      expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
      await snapshot.end();
      await expectNextRun(more);
    });

    it(`exits with ${exit} after ${signal} in a hook that never yields`, async () => {
      const more = file(6, 'hooked', 'CREATE TABLE hooked ();');
      await workspace().write({
        ...FIVE_FILES,
        ...more,
        '006_hooked.before.mjs': 'export default ({ log }) => { log("ready"); for (;;); };',
      });
      const run = start();
      await run.says('"ready"');
      await expectExitWithin(run, await send(run, signal), exit);
      expect(await workspace().versions()).to.deep.equal(versionsOf(FIVE_FILES));
      await workspace().write({ '006_hooked.before.mjs': 'export default () => undefined;' });
      await expectNextRun(more);
    });

    it(`exits with ${exit} after ${signal} while it waits for the lock`, async () => {
      await workspace().write(FIVE_FILES);
      const holder = await holdKey(workspace().serverUrl, workspace().lockKey);
      workspace().defer(() => holder.release());
      const run = start();
      await run.says('lock.waiting');
      await expectExitWithin(run, await send(run, signal), exit);
      await holder.release();
      await expectNextRun({});
    });

    it(`exits with ${exit} after ${signal} while it waits for the database`, async () => {
      await workspace().write(FIVE_FILES);
      const run = start({ DATABASE_URL: `postgres://postgres@127.0.0.1:${await closedPort()}/postgres` });
      await run.says('database.waiting');
      await expectExitWithin(run, await send(run, signal), exit);
    });

    it(`exits with ${exit} after ${signal} as soon as its handler is installed`, async () => {
      const gate = await closeGate(workspace());
      const more = file(6, 'gate', gate.sql);
      await workspace().write({ ...FIVE_FILES, ...more });
      const startedAt = performance.now();
      const run = start();
      const sentAt = await send(run, signal);
      console.log(`        ${(sentAt - startedAt).toFixed(0)} ms after the start`);
      await expectExitWithin(run, sentAt, exit);
      await gate.open();
      await expectNextRun(more);
    });

    it(`exits at once after a second ${signal}`, async () => {
      const more = file(6, 'hooked', 'CREATE TABLE hooked ();');
      await workspace().write({ ...FIVE_FILES, ...more, '006_hooked.before.mjs': STUBBORN_HOOK });
      const run = start();
      await run.says('"ready"');
      await send(run, signal);
      await run.says('"told"');
      await send(run, signal);
      const { code, output } = await run.exited;
      expect(code, output).to.equal(exit);
      expect(output, 'it has no time left to say anything').to.not.include('INTERRUPTED');
      await workspace().write({ '006_hooked.before.mjs': 'export default () => undefined;' });
      await eventually('the server to notice', async () => (await workspace().lockSessions()).length === 0);
      await expectNextRun(more);
    });
  }
});

/** The last of its pids: the kernel lists them from the outermost namespace to the process's own. */
async function ownPid(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^NSpid:.*\t(\d+)$/m.exec(status)?.[1]);
}

/**
 * Whether src/main.ts has started: it sets the process title once its signal handlers are installed. Until then a
 * signal to PID 1 is lost: Node's own first handler raises it again for the kernel to end the process, which the kernel
 * does not do to PID 1. Bun cannot set the title, and catches no signal that nobody listens to.
 */
async function listens(pid: number, signal: NodeJS.Signals): Promise<boolean> {
  const title = await readFile(`/proc/${pid}/cmdline`, 'utf8');
  if (title.startsWith(`${process.execPath}\0`)) return false;
  if (/^lockstep\0/.test(title)) return true;
  const caught = /^SigCgt:\t(\w+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${caught}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
}
