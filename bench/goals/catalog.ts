// Answers: what does it cost to look at the whole catalog? `prove` beside the runs that it makes, and `drift` on a large
// database.
import { run, type Command } from '../command.ts';
import { lockstep } from '../contenders/lockstep.ts';
import { median } from '../figures.ts';
import type { Migration } from '../migrations.ts';
import { Place } from '../place.ts';
import { realFiles } from '../real-files.ts';
import type { Goal, Result, Setting } from './goal.ts';

/** Files of a directory like a service's. */
const REAL = 348;
const TABLES = 1_000;

export const catalog: Goal = {
  name: 'catalog',
  title: 'prove and drift',
  async measure(setting) {
    const place = await Place.open(setting.folder);
    try {
      const [proved, drifted] = [await measureProve(place, setting), await measureDrift(place, setting)];
      return { tables: [...proved.tables, ...drifted.tables], checks: [...proved.checks, ...drifted.checks] };
    } finally {
      await place.close();
    }
  },
};

function withArguments(command: Command, args: readonly string[], env: Readonly<Record<string, string>>): Command {
  const [program = ''] = command.args;
  return { ...command, args: [program, ...args, '--dir', command.cwd], env };
}

/** Each version up, down and up again with three looks at the catalog, beside all up, all down and all up again. */
async function measureProve(place: Place, { repeat, tell }: Setting): Promise<Result> {
  const [alone, proves]: [number[], number[]] = [[], []];
  const server = place.url;
  for (let round = 1; round <= Math.min(repeat, 3); round += 1) {
    tell(`catalog: proves ${REAL} files, round ${round} of ${Math.min(repeat, 3)}`);
    const url = await place.database();
    const up = await place.prepare(lockstep, url, realFiles(REAL));
    const down = withArguments(up, ['down', '--all', '--confirm', new URL(url).pathname.slice(1)], up.env);
    let wallMs = 0;
    for (const command of [up, down, up]) wallMs += (await run(command)).wallMs;
    alone.push(wallMs);
    proves.push((await run(withArguments(up, ['prove'], { LOCKSTEP_SCRATCH_URL: server }))).wallMs);
    await place.drop(url);
  }
  const [base, proved] = [median(alone), median(proves)];
  return {
    tables: [
      {
        title: `${REAL} files of a service with their down files`,
        columns: ['', 'wall, s', 'a version, ms'],
        rows: [
          ['up, down --all, up', base / 1000, base / REAL],
          ['prove', proved / 1000, proved / REAL],
        ],
      },
    ],
    checks: [{ what: 'prove ÷ (up + down + up alone)', measured: proved / base, bound: 3 }],
  };
}

/** 10 columns, 3 indexes and 2 constraints each. */
const manyTables: Migration = {
  number: 1,
  name: 'tables',
  sql: Array.from(
    { length: TABLES },
    (
      _,
      at,
    ) => `CREATE TABLE items_${at} (id bigint PRIMARY KEY, a text NOT NULL, b text DEFAULT 'x', c integer, d integer, e numeric(10, 2), f timestamptz DEFAULT now(), g jsonb, h boolean, i varchar(20) CHECK (i IN ('new', 'old')));
CREATE INDEX items_${at}_a ON items_${at} (a);
CREATE INDEX items_${at}_b ON items_${at} (b, c) WHERE d > 0;
`,
  ).join(''),
  undo: '-- lockstep: irreversible\nSELECT 1;\n',
};

async function measureDrift(place: Place, { repeat, tell }: Setting): Promise<Result> {
  tell(`catalog: makes ${TABLES} tables`);
  const url = await place.database();
  const up = await place.prepare(lockstep, url, [manyTables]);
  const env = { LOCKSTEP_SCRATCH_URL: place.url };
  await run(up);
  await run(withArguments(up, ['prove', '--write'], env));
  const walls: number[] = [];
  for (let round = 0; round <= repeat; round += 1) {
    tell(`catalog: drift, round ${round} of ${repeat}`);
    const { wallMs } = await run(withArguments(up, ['drift'], up.env));
    if (round > 0) walls.push(wallMs);
  }
  return {
    tables: [
      {
        title: `drift, ${TABLES} tables with 10 columns, 3 indexes and 2 constraints each; median of ${repeat}`,
        columns: ['', 'wall, s'],
        rows: [['drift', median(walls) / 1000]],
      },
    ],
    checks: [{ what: `drift with ${TABLES} tables`, measured: median(walls) / 1000, unit: 's', bound: 1.5 }],
  };
}
