// Answers: what does the server pay? The queries of a runner that waits, and what a run with nothing to do reads.
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../../test/support/bounded.ts';
import { run, start } from '../command.ts';
import { lockstep } from '../contenders/lockstep.ts';
import { closeGate, gateMigration } from '../gate.ts';
import { smallTables } from '../migrations.ts';
import { Place } from '../place.ts';
import { SlowLine } from '../slow-line.ts';
import type { Goal, Result, Setting } from './goal.ts';

const APPLIED = 1_000;
const LOOK_FOR_S = 20;
const HISTORY = 'schema_migrations';

export const serverCost: Goal = {
  name: 'server-cost',
  title: 'What the server pays',
  async measure(setting) {
    const place = await Place.open(setting.folder);
    try {
      const [waiter, reads] = [await watchWaiter(place, setting), await countScans(place, setting)];
      return { tables: [...waiter.tables, ...reads.tables], checks: [...waiter.checks, ...reads.checks] };
    } finally {
      await place.close();
    }
  },
};

async function watchWaiter(place: Place, { tell }: Setting): Promise<Result> {
  tell(`server cost: watches a waiter for ${LOOK_FOR_S} s`);
  const url = await place.database();
  const command = await place.prepare(lockstep, url, [...smallTables(10), gateMigration(11)]);
  const line = await SlowLine.start(url, 0);
  const gate = await closeGate(place, url);
  try {
    const holder = start(command);
    await gate.arrived();
    const waiter = start({ ...command, env: { ...command.env, DATABASE_URL: line.url } });
    await eventually('the runner to wait', async () => waiter.said().includes('"lock.waiting"'));
    // Until it has joined the queue and sleeps.
    await pause(2_000);
    line.reset();
    await pause(LOOK_FOR_S * 1000);
    const { trips, queries } = line;
    await gate.open();
    for (const { exit, output } of await Promise.all([holder.ended, waiter.ended]))
      if (exit !== 0) throw new Error(`exit ${exit}\n${output}`);
    const statements = queries.flatMap((sql) => sql.split(';')).filter((sql) => sql.trim() !== '').length;
    const perSecond = queries.length / LOOK_FOR_S;
    return {
      tables: [
        {
          title: 'A waiter, each second',
          columns: ['', 'messages with SQL', 'statements in them', 'round trips'],
          rows: [['lockstep', perSecond, statements / LOOK_FOR_S, trips / LOOK_FOR_S]],
        },
      ],
      checks: [{ what: 'queries a second of an idle waiter, each one message', measured: perSecond, bound: 2 }],
    };
  } finally {
    await gate.open();
    await line.stop();
  }
}

async function countScans(place: Place, { tell }: Setting): Promise<Result> {
  tell(`server cost: what a run reads where ${APPLIED} are applied`);
  const url = await place.database();
  const command = await place.prepare(lockstep, url, smallTables(APPLIED));
  await run(command);
  await gone(place);
  await place.query(url, 'SELECT pg_stat_reset()');
  await run(command);
  // A session hands in its figures when it ends.
  await gone(place);
  const tables = await place.query<{ name: string; scans: number; rows: number; index_scans: number }>(
    url,
    `SELECT relname AS name, seq_scan::int AS scans, seq_tup_read::int AS rows, coalesce(idx_scan, 0)::int AS index_scans
       FROM pg_stat_user_tables WHERE relname LIKE '${HISTORY}%' OR seq_scan > 0 OR idx_scan > 0 ORDER BY 1`,
  );
  const scans = (isHistory: boolean): number =>
    tables.filter(({ name }) => (name === HISTORY) === isHistory).reduce((sum, table) => sum + table.scans, 0);
  return {
    tables: [
      {
        title: `What a run with nothing to do reads, ${APPLIED} applied`,
        columns: ['table', 'sequential scans', 'rows', 'index scans'],
        rows: tables.map((table) => [table.name, table.scans, table.rows, table.index_scans]),
      },
    ],
    checks: [
      { what: 'sequential scans of the history', measured: scans(true), bound: 1 },
      { what: 'sequential scans of other tables', measured: scans(false), bound: 0 },
    ],
  };
}

async function gone(place: Place): Promise<void> {
  await eventually(
    'the sessions to end',
    async () => (await place.sessions(`application_name LIKE 'lockstep%'`)) === 0,
  );
}
