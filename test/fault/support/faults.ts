/** The faults of a runner at a message: killed, cut off, session terminated; before, after or during the message. */
import { eventually } from '../../support/bounded.ts';
import type { CliProcess } from '../../support/cli.ts';
import type { Workspace } from '../../support/workspace.ts';
import { LOST } from './aftermath.ts';
import { openBlocker, type BlockerKind } from './blockers.ts';
import type { RivalKind } from './rivals.ts';
import type { Step } from './step-proxy.ts';

interface Victim {
  readonly step: Step;
  readonly run: CliProcess;
  readonly workspace: Workspace;
  /** The session that its statement waits for when the fault strikes in the middle. */
  readonly blocker?: BlockerKind | undefined;
}

export interface Fault {
  readonly name: string;
  readonly rivals: RivalKind;
  /** The allowed results of the victim; `killed` means by SIGKILL. */
  readonly exits: 'killed' | readonly number[];
  /** Message types that the fault applies to; undefined means all. */
  readonly at?: (type: string) => boolean;
  /** Also forwards or drops the message. Returns false when there was nothing to strike. */
  readonly strike: (victim: Victim) => Promise<boolean>;
}

const CUT = [0, ...LOST];
const CANCELLED = [32];

async function kill({ run }: Victim): Promise<void> {
  run.kill('SIGKILL');
  await run.exited;
}

async function killBefore(victim: Victim): Promise<boolean> {
  await kill(victim);
  victim.step.link.hangUp();
  return true;
}

/** The server continues, without a client to receive the result. */
async function killAfter(victim: Victim): Promise<boolean> {
  const { link, message } = victim.step;
  link.hold();
  link.forward(message).catch(() => undefined);
  await kill(victim);
  link.hangUp();
  return true;
}

async function cutBefore({ step }: Victim): Promise<boolean> {
  step.link.cut();
  return Promise.resolve(true);
}

async function cutAfter({ step }: Victim): Promise<boolean> {
  step.link.hold();
  step.link.forward(step.message).catch(() => undefined);
  step.link.hangUp();
  return Promise.resolve(true);
}

/** At the same moment as the message: the server decides which comes first. */
async function terminateDuring({ step: { link, message }, workspace }: Victim): Promise<boolean> {
  const { backend } = link;
  link.forward(message).catch(() => undefined);
  if (backend === undefined) return false;
  await terminate(workspace, backend);
  return true;
}

/** After the server has processed the message, and before the client has the answer. */
async function terminateAfter({ step: { link, message }, workspace }: Victim): Promise<boolean> {
  link.hold();
  await link.forward(message);
  const { backend } = link;
  if (backend !== undefined) await terminate(workspace, backend);
  link.letGo();
  return backend !== undefined;
}

/** Before login there is no backend. */
const loggedIn = (type: string): boolean => type.length === 1;
const loggedInAfter = (type: string): boolean => type !== 'ssl-request';

/** The faults to try at every message of a run. */
export const AT_MESSAGES: readonly Fault[] = [
  { name: 'SIGKILL before it', rivals: 'library', exits: 'killed', strike: killBefore },
  { name: 'SIGKILL after it, with two waiting processes', rivals: 'processes', exits: 'killed', strike: killAfter },
  { name: 'SIGKILL after it, without waiters', rivals: 'none', exits: 'killed', strike: killAfter },
  { name: 'connection cut before it', rivals: 'library', exits: CUT, strike: cutBefore },
  { name: 'connection cut after it', rivals: 'library', exits: CUT, strike: cutAfter },
  { name: 'backend terminated with it', rivals: 'library', exits: CUT, at: loggedIn, strike: terminateDuring },
  { name: 'backend terminated after it', rivals: 'library', exits: CUT, at: loggedInAfter, strike: terminateAfter },
];

async function terminate(workspace: Workspace, backend: number): Promise<void> {
  await workspace.query('SELECT pg_terminate_backend($1)', [backend]);
}

async function gone({ workspace }: Victim, backend: number): Promise<void> {
  await eventually(`backend ${backend} to be gone`, async () => {
    const { length } = await workspace.query('SELECT FROM pg_stat_activity WHERE pid = $1', [backend]);
    return length === 0;
  });
}

interface Stopped {
  readonly backend: number;
  readonly answered: Promise<void>;
  readonly unblock: () => Promise<void>;
}

/** Forwards the message, waits until its statement is blocked by another session, and then strikes. */
function whileStopped(strike: (victim: Victim, stopped: Stopped) => Promise<void>): Fault['strike'] {
  return async (victim) => {
    const { link, message } = victim.step;
    const { backend = 0 } = link;
    const blocker = await openBlocker(victim.workspace, victim.blocker!);
    const answered = link.forward(message);
    const stops = await blocker.stops(backend, answered);
    if (stops) await strike(victim, { backend, answered, unblock: () => blocker.end() });
    await blocker.end();
    return stops;
  };
}

/** The faults to try at each wait of a migration's statements. */
export const IN_THE_MIDDLE: readonly Fault[] = [
  {
    name: 'SIGKILL, and the server notices',
    rivals: 'library',
    exits: 'killed',
    strike: whileStopped(async (victim, { backend }) => {
      await killBefore(victim);
      await gone(victim, backend);
    }),
  },
  {
    name: 'SIGKILL, and the server completes the statement',
    rivals: 'none',
    exits: 'killed',
    strike: whileStopped(async (victim, { answered, unblock }) => {
      victim.step.link.hold();
      await kill(victim);
      await unblock();
      await answered;
      victim.step.link.hangUp();
    }),
  },
  {
    name: 'connection cut',
    rivals: 'none',
    exits: CUT,
    strike: whileStopped(async (victim, { backend }) => {
      victim.step.link.cut();
      await gone(victim, backend);
    }),
  },
  {
    name: 'backend terminated',
    rivals: 'library',
    exits: LOST,
    strike: whileStopped(async (victim, { backend }) => {
      await terminate(victim.workspace, backend);
      await gone(victim, backend);
    }),
  },
  {
    name: 'statement cancelled by an administrator',
    rivals: 'none',
    exits: CANCELLED,
    strike: whileStopped(async ({ workspace }, { backend, answered }) => {
      await workspace.query('SELECT pg_cancel_backend($1)', [backend]);
      await answered;
    }),
  },
  {
    name: 'SIGTERM',
    rivals: 'none',
    exits: [143],
    strike: whileStopped(async ({ run }, { answered }) => {
      run.kill('SIGTERM');
      await answered;
    }),
  },
];
