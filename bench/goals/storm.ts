// Answers: what does it cost when all pods of a cluster start at once, and nothing is to be done? More of them than the
// server has connections, beside as many bare queries.
import { freemem } from 'node:os';
import { run, start, type Ended } from '../command.ts';
import type { Contender } from '../contenders/contender.ts';
import { floor } from '../contenders/floor.ts';
import { lockstep } from '../contenders/lockstep.ts';
import { medianOf } from '../figures.ts';
import { smallTables } from '../migrations.ts';
import { Place } from '../place.ts';
import type { Goal, Setting } from './goal.ts';

const RUNS = 200;
const CONNECTIONS = 60;
/** More than a run needs. */
const BYTES_PER_RUN = 60e6;

interface Storm {
  readonly fine: number;
  readonly seconds: number;
  readonly cpuMs: number | undefined;
}

export const storm: Goal = {
  name: 'storm',
  title: `The storm: ${RUNS} runs at once with nothing to do, ${CONNECTIONS} connections`,
  async measure(setting) {
    if (freemem() < RUNS * BYTES_PER_RUN)
      return { tables: [], checks: [], notes: [`Left out: it needs ${(RUNS * BYTES_PER_RUN) / 1e9} GB of memory.`] };
    // Three are kept for superusers; the bench has two.
    const settings = {
      max_connections: String(CONNECTIONS + 5),
      superuser_reserved_connections: '3',
      max_wal_senders: '2',
    };
    const place = await Place.open(setting.folder, settings);
    try {
      const ours = await measure(place, lockstep, setting);
      const bare = await measure(place, floor, setting);
      const ratio = ours.cpuMs === undefined || bare.cpuMs === undefined ? undefined : ours.cpuMs / bare.cpuMs;
      return {
        tables: [
          {
            title: 'Until the last has ended; CPU is the median of a process',
            columns: ['', 'end with 0', 'wall, s', 'CPU, ms'],
            rows: [
              ['lockstep', ours.fine, ours.seconds, ours.cpuMs],
              [floor.name, bare.fine, bare.seconds, bare.cpuMs],
            ],
          },
        ],
        checks: [
          { what: `runs of ${RUNS} that end with 0`, measured: ours.fine, bound: RUNS, atLeast: true },
          { what: "CPU time ÷ that of a bare query's process", measured: ratio, bound: 1.3 },
          { what: 'wall time ÷ that of the bare queries', measured: ours.seconds / bare.seconds, bound: 1.5 },
        ],
      };
    } finally {
      await place.close();
    }
  },
};

async function measure(place: Place, contender: Contender, { tell }: Setting): Promise<Storm> {
  const owner = await place.database();
  await place.query(
    owner,
    `DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$; GRANT ALL ON SCHEMA public TO app`,
  );
  const url = new URL(owner);
  url.username = 'app';
  const command = await place.prepare(contender, url.href, smallTables(10));
  await run(command);
  tell(`storm: ${RUNS} at once, ${contender.name}`);
  const begin = performance.now();
  const ended: Ended[] = await Promise.all(Array.from({ length: RUNS }, () => start(command).ended));
  const seconds = (performance.now() - begin) / 1000;
  if (ended.every(({ exit }) => exit !== 0)) throw new Error(`${contender.name}: none of ${RUNS} ended with 0`);
  return {
    fine: ended.filter(({ exit }) => exit === 0).length,
    seconds,
    cpuMs: medianOf(ended.map(({ cpuMs }) => cpuMs)),
  };
}
