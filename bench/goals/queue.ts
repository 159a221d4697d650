// Answers: how soon do those leave who wait? And does everybody get through where there are fewer connections than
// runners?
import { freemem } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../../test/support/bounded.ts';
import { start, type Command, type Ended, type Running } from '../command.ts';
import { floorWaiter } from '../contenders/floor.ts';
import { lockstep } from '../contenders/lockstep.ts';
import { median, quantile } from '../figures.ts';
import { closeGate, gateMigration, type Gate } from '../gate.ts';
import { smallTables } from '../migrations.ts';
import { Place } from '../place.ts';
import type { Goal, Result, Setting } from './goal.ts';

const WAITERS = 16;
const CROWD = 100;
const FREE_CONNECTIONS = 60;
/** More than a runner needs. */
const BYTES_PER_RUNNER = 90e6;

export const queue: Goal = {
  name: 'queue',
  title: `The queue: ${WAITERS} that wait, and a crowd of ${CROWD}`,
  async measure(setting) {
    const waiting = await measureWaiters(setting);
    if (freemem() < CROWD * BYTES_PER_RUNNER)
      return {
        ...waiting,
        notes: [`The crowd is left out: it needs ${(CROWD * BYTES_PER_RUNNER) / 1e9} GB of memory.`],
      };
    const crowd = await measureCrowd(setting);
    return { tables: [...waiting.tables, ...crowd.tables], checks: [...waiting.checks, ...crowd.checks] };
  },
};

interface Left {
  readonly firsts: number[];
  readonly lasts: number[];
}

async function measureWaiters({ folder, repeat, tell }: Setting): Promise<Result> {
  const place = await Place.open(folder, { track_commit_timestamp: 'on' });
  const ours: Left = { firsts: [], lasts: [] };
  const floors: Left = { firsts: [], lasts: [] };
  let backends = 0;
  try {
    const rounds = Math.min(repeat, 7);
    for (let round = 1; round <= rounds; round += 1) {
      tell(`queue: round ${round} of ${rounds}`);
      const url = await place.database();
      const command = await place.prepare(lockstep, url, [...smallTables(10), gateMigration(11)]);
      const gate = await closeGate(place, url);
      const holder = begin(command);
      await gate.arrived();
      const waiters = await waiting(command, '"lock.waiting"');
      backends = await place.sessions(`application_name LIKE 'lockstep%'`);
      const left = await leave(gate, [holder, ...waiters]);
      const committed = await place.query<{ at: Date }>(
        url,
        `SELECT pg_xact_commit_timestamp(xmin) AS at FROM schema_migrations WHERE version = '00011_gate'`,
      );
      note(ours, left.slice(1), committed[0]?.at.getTime() ?? NaN);
      note(floors, ...(await leaveAtOnce(place, url)));
      await place.drop(url);
    }
  } finally {
    await place.close();
  }
  const row = (name: string, figures: readonly number[]): [string, number, string] => [
    name,
    median(figures),
    `${quantile(figures, 0)}–${quantile(figures, 1)}`,
  ];
  return {
    tables: [
      {
        title:
          "From the holder's last COMMIT to a waiter's exit; and from a NOTIFY to that of the floor, which asks one query then",
        columns: ['waiter', 'median, ms', 'least–most'],
        rows: [
          row('first', ours.firsts),
          row('last', ours.lasts),
          row('first of the floor', floors.firsts),
          row('last of the floor', floors.lasts),
        ],
      },
    ],
    checks: [
      {
        what: `until the last of ${WAITERS} waiters has left ÷ the same for the floor's`,
        measured: median(ours.lasts) / median(floors.lasts),
        bound: 1.3,
      },
      { what: 'sessions per runner while they wait', measured: backends / (WAITERS + 1), bound: 1 },
    ],
  };
}

/** All of them sleep when it resolves. */
async function waiting(command: Command, word: string): Promise<Running[]> {
  const waiters = Array.from({ length: WAITERS }, () => begin(command));
  await eventually('all to wait', async () => waiters.every(({ said }) => said().includes(word)));
  await pause(1_500);
  return waiters;
}

/** What the machine needs to let so many processes on Node go. */
async function leaveAtOnce(place: Place, url: string): Promise<[left: readonly Ended[], since: number]> {
  const waiters = await waiting(await place.prepare(floorWaiter, url, []), 'waiting');
  const [notified] = await place.query<{ at: Date }>(url, `SELECT pg_notify('done', ''), clock_timestamp() AS at`);
  return [await Promise.all(waiters.map(({ ended }) => ended)), notified?.at.getTime() ?? NaN];
}

function note({ firsts, lasts }: Left, left: readonly Ended[], since: number): void {
  const after = left.map(({ exitedAt }) => exitedAt - since);
  firsts.push(Math.min(...after));
  lasts.push(Math.max(...after));
}

async function measureCrowd({ folder, tell }: Setting): Promise<Result> {
  tell(`queue: ${CROWD} runners on a server with ${FREE_CONNECTIONS} free connections`);
  // Three are kept for superusers; the bench has one, and one at the gate.
  const settings = {
    max_connections: String(FREE_CONNECTIONS + 3 + 2),
    superuser_reserved_connections: '3',
    max_wal_senders: '2',
  };
  const place = await Place.open(folder, settings);
  try {
    const owner = await place.database();
    await place.query(owner, 'CREATE ROLE app LOGIN; GRANT ALL ON SCHEMA public TO app');
    const url = new URL(owner);
    url.username = 'app';
    const command = await place.prepare(lockstep, url.href, [...smallTables(10), gateMigration(11)]);
    const gate = await closeGate(place, owner);
    const runners = Array.from({ length: CROWD }, () => begin(command));
    await eventually(
      'all connections to be taken',
      async () => (await place.sessions(`usename = 'app'`)) === FREE_CONNECTIONS,
      120_000,
    );
    await eventually(
      'the others to be refused',
      async () =>
        runners.filter(({ said }) => said().includes('"database.waiting"')).length >= CROWD - FREE_CONNECTIONS,
      120_000,
    );
    const opened = Date.now();
    const left = await leave(gate, runners);
    const seconds = (Math.max(...left.map(({ exitedAt }) => exitedAt)) - opened) / 1000;
    const fine = left.filter(({ exit }) => exit === 0).length;
    return {
      tables: [
        {
          title: `${CROWD} runners, ${FREE_CONNECTIONS} connections, until the last has left`,
          columns: ['', 's'],
          rows: [['from the end of the last migration', seconds]],
        },
      ],
      checks: [
        {
          what: `runners of ${CROWD} that end with 0 where there are ${FREE_CONNECTIONS} connections`,
          measured: fine,
          bound: CROWD,
          atLeast: true,
        },
      ],
    };
  } finally {
    await place.close();
  }
}

function begin(command: Command): Running {
  return start(command, { cost: false });
}

async function leave(gate: Gate, runners: readonly Running[]): Promise<Ended[]> {
  await gate.open();
  return await Promise.all(runners.map(({ ended }) => ended));
}
