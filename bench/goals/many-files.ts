// Answers: what do many files cost? A directory like a service's beside psql, 1,000 and 10,000 applied files beside ten.
import { run, type Command } from '../command.ts';
import type { Contender } from '../contenders/contender.ts';
import { lockstep } from '../contenders/lockstep.ts';
import { hasPsql, psql, psqlPerFile } from '../contenders/psql.ts';
import { median, medianOf } from '../figures.ts';
import { smallTables } from '../migrations.ts';
import { Place } from '../place.ts';
import { realFiles, tablesOf } from '../real-files.ts';
import type { Check, Goal, Result, Setting } from './goal.ts';

/** Files of a directory like a service's. */
const REAL = 300;
const MANY = 1_000;
const VERY_MANY = 10_000;

export const manyFiles: Goal = {
  name: 'many-files',
  title: 'Many files',
  async measure(setting) {
    const place = await Place.open(setting.folder);
    try {
      const [pending, applied] = [await measurePending(place, setting), await measureApplied(place, setting)];
      return {
        tables: [...pending.tables, ...applied.tables],
        checks: [...pending.checks, ...applied.checks],
        notes: [...(pending.notes ?? []), ...(applied.notes ?? [])],
      };
    } finally {
      await place.close();
    }
  },
};

/** Each time on an empty database. */
async function measurePending(place: Place, { repeat, peers, tell }: Setting): Promise<Result> {
  const reference = hasPsql() ? [psqlPerFile, psql] : [];
  const contenders = [lockstep, ...reference, ...peers];
  const walls = new Map<Contender, number[]>(contenders.map((contender) => [contender, []]));
  const rounds = Math.min(repeat, 5);
  const measure = async (contender: Contender, when: string): Promise<void> => {
    tell(`many files: ${REAL} pending, ${when}, ${contender.name}`);
    const url = await place.database();
    const command = await place.prepare(contender, url, realFiles(REAL));
    await place.settle();
    const { wallMs } = await run(command);
    await place.expectTables(url, tablesOf(REAL));
    walls.get(contender)?.push(wallMs);
    // Not dropped: where thousands of files were deleted a moment ago, some file systems make new ones slowly.
  };
  for (let round = 1; round <= rounds; round += 1) {
    for (const contender of [lockstep, ...reference]) await measure(contender, `round ${round} of ${rounds}`);
  }
  // The others are there to see where one is, and take long: once. And last, as the server goes on tidying up after
  // each.
  for (const peer of peers) await measure(peer, 'once');
  const typical = (contender: Contender): number => median(walls.get(contender) ?? []);
  const base = hasPsql() ? typical(psqlPerFile) : undefined;
  const overPsql = (contender: Contender): number | undefined =>
    base === undefined ? undefined : typical(contender) / base;
  return {
    tables: [
      {
        title: `${REAL} files of a service (tables, indexes, data, functions, keys, views), all pending, on an empty database, fsync on; median of ${rounds}, the others once`,
        columns: ['', 'transactions', 'wall, s', '÷ psql -1 for each'],
        rows: contenders.map((contender) => [
          contender.name,
          contender.inOneTransaction === true ? 'one in all' : 'one a file',
          typical(contender) / 1000,
          overPsql(contender),
        ]),
      },
    ],
    checks: [
      {
        what: `${REAL} pending files of a service ÷ psql -1 for each of them`,
        measured: overPsql(lockstep),
        bound: 1,
      },
    ],
    notes: hasPsql() ? [] : ['psql is not on the PATH: what is compared with it is left out.'],
  };
}

interface Entry {
  readonly count: number;
  readonly command: Command;
  readonly walls: number[];
  readonly cpus: (number | undefined)[];
}

async function measureApplied(place: Place, { repeat, tell }: Setting): Promise<Result> {
  const entries: Entry[] = [];
  let veryManyMs = 0;
  for (const count of [10, MANY, VERY_MANY]) {
    tell(`many files: applies ${count}`);
    const url = await place.database();
    const command = await place.prepare(lockstep, url, smallTables(count));
    await place.settle();
    veryManyMs = (await run(command)).wallMs;
    await place.expectTables(url, count);
    entries.push({ count, command, walls: [], cpus: [] });
  }
  for (let round = 0; round <= repeat; round += 1) {
    tell(`many files: all applied, round ${round} of ${repeat}`);
    for (const { command, walls, cpus } of entries) {
      const { wallMs, cpuMs } = await run(command);
      if (round === 0) continue;
      walls.push(wallMs);
      cpus.push(cpuMs);
    }
  }
  return resultOf(entries, veryManyMs);
}

function resultOf(entries: readonly Entry[], veryManyMs: number): Result {
  const [ten, many, veryMany] = entries.map(({ walls }) => median(walls));
  if (ten === undefined || many === undefined || veryMany === undefined) throw new Error('something was not measured');
  const checks: Check[] = [
    { what: `nothing to do with ${MANY} applied ÷ with ten`, measured: many / ten, bound: 1.2 },
    {
      what: `what a file costs with ${VERY_MANY} applied ÷ with ${MANY} (1 is linear)`,
      measured: (veryMany - ten) / (VERY_MANY - 10) / ((many - ten) / (MANY - 10)),
      bound: 1.5,
    },
  ];
  return {
    tables: [
      {
        title: 'All applied, nothing to do',
        columns: ['files', 'wall, ms', 'CPU, ms'],
        rows: entries.map(({ count, walls, cpus }) => [`${count}`, median(walls), medianOf(cpus)]),
      },
    ],
    checks,
    notes: [`To apply the ${VERY_MANY} took ${(veryManyMs / 1000).toFixed(1)} s.`],
  };
}
