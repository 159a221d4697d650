/** The time until the lock of a killed, frozen or lost holder is free. */
import { expect } from 'chai';

import type { Postgres } from '../../scripts/postgres/server.ts';
import { eventually } from '../support/bounded.ts';
import { runCli, startCli } from '../support/cli.ts';
import { closeGate } from '../support/gate.ts';
import {
  file,
  FIVE_FILES,
  FIVE_FILES_APPLIED,
  FIVE_FILES_FACTS,
  versionsOf,
  type Files,
} from '../support/migrations.ts';
import { ownServer } from '../support/server.ts';
import { WireProxy } from '../support/wire-proxy.ts';
import { Workspace } from '../support/workspace.ts';
import { expectDocumented } from './support/aftermath.ts';
import { skipUnless, startElsewhere } from '../support/elsewhere.ts';
import { makeNodes, serverForNodes, whyNoNode, type Node } from './support/lost-node.ts';

/** Not 35: a hook that fails because its machine lost the network is not at fault. */
const LOST = [30, 34];

interface Holder {
  /** The exit code once it has ended; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  readonly strike: () => Promise<unknown>;
  /** Thaws or reconnects the holder, which must detect that it no longer holds the lock. */
  readonly comeBack: () => Promise<unknown>;
}

interface Loss {
  readonly name: string;
  /** The documentation says seconds, half a minute or a minute; slow machines need somewhat more. */
  readonly boundMs: number;
  readonly exits: readonly (number | null)[];
  /** The server cannot detect the loss while a statement runs; the time counts from the statement's end. */
  readonly countsFromItsEnd: boolean;
  readonly start: (workspace: Workspace) => Promise<Holder>;
}

function later(work: () => void): () => Promise<void> {
  return async () => {
    work();
    await Promise.resolve();
  };
}

function killed(workspace: Workspace): Promise<Holder> {
  const run = startCli(['up'], workspace);
  const strike = later(() => {
    run.kill('SIGKILL');
  });
  return Promise.resolve({ exited: run.exited.then(({ code }) => code), strike, comeBack: () => Promise.resolve() });
}

function frozen(workspace: Workspace): Promise<Holder> {
  const run = startCli(['up'], { ...workspace, env: workspace.env, timeoutMs: 150_000 });
  const send = (signal: NodeJS.Signals) =>
    later(() => {
      run.kill(signal);
    });
  return Promise.resolve({
    exited: run.exited.then(({ code }) => code),
    strike: send('SIGSTOP'),
    comeBack: send('SIGCONT'),
  });
}

/** A network that accepts everything and delivers nothing: even TCP cannot detect it. */
async function silenced(workspace: Workspace): Promise<Holder> {
  const proxy = await WireProxy.start(workspace.url);
  workspace.defer(() => proxy.stop());
  const run = startCli(['up'], { env: { ...workspace.env, DATABASE_URL: proxy.url }, timeoutMs: 150_000 });
  const strike = later(() => {
    proxy.silence();
  });
  const comeBack = later(() => {
    proxy.cut();
  });
  return { exited: run.exited.then(({ code }) => code), strike, comeBack };
}

function onNode(node: () => Node): Loss['start'] {
  return (workspace) => {
    const { prefix, address, pullCable, plugIn } = node();
    const run = startElsewhere(prefix, ['up'], { ...workspace.env, DATABASE_URL: address(workspace.url) });
    workspace.defer(() => run.end());
    return Promise.resolve({ exited: run.exited.then(({ code }) => code), strike: pullCable, comeBack: plugIn });
  };
}

type Where = 'while a statement runs' | 'while it is idle';

/** Holders wait at the gate, in a migration or in its hook, and are struck there. */
function filesOf(where: Where, gate: string): Files {
  const make = 'CREATE TABLE half AS SELECT 1 AS one;';
  return where === 'while a statement runs'
    ? file(6, 'half', `${make}\n${gate}`)
    : {
        ...file(6, 'half', make),
        '006_half.before.mjs': `export default async ({ pool }) => { await pool.query('${gate}'); };\n`,
      };
}

interface Times {
  readonly freeMs: number;
  readonly takenMs: number;
  readonly exit: number | null;
}

async function measure(server: Postgres, loss: Loss, where: Where): Promise<Times> {
  const workspace = await Workspace.create(server.url);
  try {
    const gate = await closeGate(workspace);
    const files = { ...FIVE_FILES, ...filesOf(where, gate.sql) };
    await workspace.write(files);
    const holder = await loss.start(workspace);
    await gate.arrived();
    const waiter = startCli(['up'], { ...workspace, env: workspace.env, timeoutMs: 150_000 });
    await waiter.waitForLog('lock.waiting');
    const [lock] = await workspace.lockSessions();
    await holder.strike();
    const struckAt = performance.now();
    if (loss.countsFromItsEnd && where === 'while a statement runs') await gate.open();
    const taken = eventually(
      'the waiter to take the lock',
      async () => (await workspace.lockSessions()).some(({ pid }) => pid !== lock!.pid),
      loss.boundMs,
    ).then(() => performance.now() - struckAt);
    const freed = eventually(
      'the lock to be free',
      async () => (await workspace.lockSessions()).every(({ pid }) => pid !== lock!.pid),
      loss.boundMs,
    ).then(() => performance.now() - struckAt);
    // A waiter with nothing pending need not acquire the lock.
    const [freeMs, takenMs] = await Promise.all([
      freed,
      Promise.race([taken, waiter.exited.then(() => performance.now() - struckAt)]),
    ]);
    taken.catch(() => undefined);
    await gate.open();
    expectDocumented('the waiter', await waiter.exited, [0]);
    await holder.comeBack();
    const exit = await holder.exited;
    expect(exit, 'exit of the holder').to.be.oneOf([...loss.exits]);
    expectDocumented('the next run', await runCli(['up'], workspace), [0]);
    await expectAppliedOnce(workspace, versionsOf(files));
    return { freeMs, takenMs, exit };
  } finally {
    await workspace.close({ keep: false });
  }
}

async function expectAppliedOnce(workspace: Workspace, versions: readonly string[]): Promise<void> {
  expect(await workspace.versions()).to.deep.equal(versions);
  expect(await workspace.journalCounts('applied')).to.deep.equal(
    Object.fromEntries(versions.map((version) => [version, 1])),
  );
  expect(await workspace.query(FIVE_FILES_FACTS)).to.deep.equal([FIVE_FILES_APPLIED]);
  expect(await workspace.query('SELECT one FROM half')).to.deep.equal([{ one: 1 }]);
  expect(await workspace.lockSessions()).to.deep.equal([]);
}

const WHERE: readonly Where[] = ['while a statement runs', 'while it is idle'];

/** All cases run at once, as they mostly wait for the server. */
function measureAll(losses: readonly Loss[], server: () => Postgres): void {
  const running = new Map<string, Promise<Times>>();
  const cases = losses.flatMap((loss) => WHERE.map((where) => ({ loss, where, name: `${loss.name}, ${where}` })));

  before('strike them all', () => {
    for (const { loss, where, name } of cases) {
      const times = measure(server(), loss, where);
      times.catch(() => undefined);
      running.set(name, times);
    }
  });

  for (const { name, loss } of cases) {
    it(`${name}: the lock is free within ${loss.boundMs / 1000} s`, async () => {
      const { freeMs, takenMs, exit } = await running.get(name)!;
      const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
      console.log(
        `        free after ${seconds(freeMs)}, its waiter went on after ${seconds(takenMs)}; when it came back it ended with ${exit ?? 'SIGKILL'}`,
      );
      expect(freeMs).to.be.lessThan(loss.boundMs);
    });
  }
}

describe('a killed, cut off or frozen holder', function () {
  this.timeout(180_000);
  let server: Postgres;
  before(async () => {
    server = await ownServer();
  });

  measureAll(
    [
      { name: 'killed', boundMs: 10_000, exits: [null], countsFromItsEnd: false, start: killed },
      { name: 'cut off by a silent network', boundMs: 90_000, exits: LOST, countsFromItsEnd: true, start: silenced },
      { name: 'frozen', boundMs: 90_000, exits: LOST, countsFromItsEnd: true, start: frozen },
    ],
    () => server,
  );
});

describe('a holder on a lost machine', function () {
  this.timeout(180_000);
  let server: Postgres;
  let nodes: Node[];
  before('make machines', async function () {
    skipUnless(this, "no network namespace of one's own", await whyNoNode());
    nodes = [...(await makeNodes(WHERE.length))];
    server = await serverForNodes();
  });

  measureAll(
    [{ name: 'lost', boundMs: 60_000, exits: LOST, countsFromItsEnd: false, start: onNode(() => nodes.pop()!) }],
    () => server,
  );
});
