// Answers: how often does a run wait for the server's answer? Counted on the wire, and felt where a round trip takes 5
// ms.
import pg from 'pg';
import { run, type Command } from '../command.ts';
import type { Contender } from '../contenders/contender.ts';
import { lockstep } from '../contenders/lockstep.ts';
import { median } from '../figures.ts';
import { smallTables } from '../migrations.ts';
import { Place } from '../place.ts';
import { SlowLine } from '../slow-line.ts';
import type { Check, Goal, Result, Setting } from './goal.ts';

const ROUND_TRIP_MS = 5;

interface Entry {
  readonly contender: Contender;
  readonly line: SlowLine;
  readonly command: Command;
  readonly perMigration: number;
  readonly walls: number[];
}

export const roundTrips: Goal = {
  name: 'round-trips',
  title: `Round trips, and ten applied migrations over a line with ${ROUND_TRIP_MS} ms a round trip`,
  async measure(setting) {
    const place = await Place.open(setting.folder);
    const lines: SlowLine[] = [];
    try {
      const entries: Entry[] = [];
      for (const contender of [lockstep, ...setting.peers]) {
        setting.tell(`round trips: counts those of ${contender.name}`);
        const perMigration = ((await count(place, contender, 11)) - (await count(place, contender, 1))) / 10;
        const line = await SlowLine.start(await place.database(), ROUND_TRIP_MS);
        lines.push(line);
        const command = await place.prepare(contender, line.url, smallTables(10));
        await run(command);
        entries.push({ contender, line, command, perMigration, walls: [] });
      }
      await measureAll(entries, setting);
      return resultOf(entries, await roundTripMs(await place.database()));
    } finally {
      for (const line of lines) await line.stop();
      await place.close();
    }
  },
};

/** How often it waits for the server while it applies so many migrations of one statement to an empty database. */
async function count(place: Place, contender: Contender, migrations: number): Promise<number> {
  const url = await place.database();
  const line = await SlowLine.start(url, 0);
  try {
    await run(await place.prepare(contender, line.url, smallTables(migrations)));
    return line.trips;
  } finally {
    await line.stop();
    await place.drop(url);
  }
}

async function measureAll(entries: readonly Entry[], { repeat, tell }: Setting): Promise<void> {
  for (let round = 0; round <= repeat; round += 1) {
    tell(`round trips of ${ROUND_TRIP_MS} ms: round ${round} of ${repeat}`);
    for (const { line, command, walls } of entries) {
      line.reset();
      const { wallMs } = await run(command);
      if (round > 0) walls.push(wallMs);
    }
  }
}

/** What a round trip really takes. */
async function roundTripMs(url: string): Promise<number> {
  const line = await SlowLine.start(url, ROUND_TRIP_MS);
  const client = new pg.Client({ connectionString: line.url });
  try {
    await client.connect();
    const took: number[] = [];
    for (let index = 0; index < 50; index += 1) {
      const begin = performance.now();
      await client.query('SELECT 1');
      took.push(performance.now() - begin);
    }
    return median(took);
  } finally {
    await client.end();
    await line.stop();
  }
}

function resultOf(entries: readonly Entry[], measuredMs: number): Result {
  const [ours, ...others] = entries;
  if (ours === undefined) throw new Error('nothing was measured');
  const checks: Check[] = [
    { what: 'nothing to do: connections', measured: ours.line.connections, bound: 1 },
    { what: 'nothing to do: round trips after the log-in', measured: ours.line.trips, bound: 1 },
    {
      what: 'round trips per migration of one statement, which needs one itself',
      measured: ours.perMigration,
      bound: 2,
    },
  ];
  const fastest = others.toSorted((a, b) => median(a.walls) - median(b.walls))[0];
  if (fastest !== undefined) {
    const what = `wall time of the fastest other one (${fastest.contender.name}) over the slow line ÷ ours`;
    checks.push({ what, measured: median(fastest.walls) / median(ours.walls), bound: 1, atLeast: true });
  }
  const rows = entries.map(({ contender, line, perMigration, walls }) => [
    contender.name,
    line.connections,
    line.logInTrips,
    line.trips,
    perMigration,
    median(walls),
  ]);
  return {
    tables: [
      {
        title: 'Nothing to do, per migration, and nothing to do over the slow line',
        columns: ['', 'connections', 'trips of log-in', 'trips after', 'trips per migration', 'wall, ms'],
        rows,
      },
    ],
    checks,
    notes: [
      `A round trip really took ${measuredMs.toFixed(2)} ms (median of 50 \`SELECT 1\`). To open a connection costs one more.`,
    ],
  };
}
