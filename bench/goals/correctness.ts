// Answers: who is right at the end? Several runners at once, on an empty database and with a concurrent index build.
import { start, type Command, type Ended } from '../command.ts';
import type { Contender } from '../contenders/contender.ts';
import { lockstep } from '../contenders/lockstep.ts';
import { nodePgMigrate, nodePgMigrateWaiting } from '../contenders/node-pg-migrate.ts';
import type { Migration } from '../migrations.ts';
import { Place } from '../place.ts';
import type { Goal, Result, Row, Setting } from './goal.ts';

const RACERS = 8;
const BUILDERS = 4;
const HANGS_AFTER_MS = 30_000;

export const correctness: Goal = {
  name: 'correctness',
  title: 'Several at once: who is right at the end?',
  async measure(setting) {
    const place = await Place.open(setting.folder);
    try {
      const contenders = [
        lockstep,
        ...setting.peers.flatMap((peer) => (peer === nodePgMigrate ? [peer, nodePgMigrateWaiting] : [peer])),
      ];
      const [races, builds] = [await raceAll(place, contenders, setting), await buildAll(place, contenders, setting)];
      return { tables: [...races.tables, ...builds.tables], checks: [...races.checks, ...builds.checks] };
    } finally {
      await place.close();
    }
  },
};

/** Each leaves a row, into a table that nothing guards, and takes a moment as changes of data do. */
const ledgerEntries: readonly Migration[] = Array.from({ length: 10 }, (_, index) => ({
  number: index + 1,
  name: `entry_${index + 1}`,
  sql: `INSERT INTO ledger (entry) SELECT ${index + 1} FROM pg_sleep(0.05);\n`,
  undo: `DELETE FROM ledger WHERE entry = ${index + 1};\n`,
}));

async function raceAll(place: Place, contenders: readonly Contender[], { repeat, tell }: Setting): Promise<Result> {
  const rows: Row[] = [];
  for (const contender of contenders) {
    const rounds: { fine: number; hangs: number; twice: number; never: number }[] = [];
    for (let round = 1; round <= Math.min(repeat, 3); round += 1) {
      tell(`correctness: a race, round ${round}, ${contender.name}`);
      const url = await place.database();
      await place.query(url, 'CREATE TABLE ledger (entry int)');
      const ended = await atOnce(await place.prepare(contender, url, ledgerEntries), RACERS);
      const entries = await place.query<{ times: number }>(
        url,
        'SELECT count(*)::int AS times FROM ledger GROUP BY entry',
      );
      rounds.push({
        ...ended,
        twice: entries.filter(({ times }) => times > 1).length,
        never: ledgerEntries.length - entries.length,
      });
      await place.drop(url);
    }
    rows.push([
      contender.name,
      Math.min(...pick(rounds, 'fine')),
      ...(['hangs', 'twice', 'never'] as const).map((key) => Math.max(...pick(rounds, key))),
    ]);
  }
  const [, fine, , twice, never] = rows[0] ?? [];
  return {
    tables: [
      {
        title: `${RACERS} runners at once, ten migrations, an empty database; the worst of ${Math.min(repeat, 3)} rounds`,
        columns: ['', 'end with 0', 'hang', 'applied twice or more', 'never applied'],
        rows,
      },
    ],
    checks: [
      { what: `runners of ${RACERS} that end with 0`, measured: Number(fine), bound: RACERS, atLeast: true },
      { what: 'migrations applied more than once, or never', measured: Number(twice) + Number(never), bound: 0 },
    ],
  };
}

const concurrentIndex: Migration = {
  number: 1,
  name: 'index_payload',
  sql: 'CREATE INDEX CONCURRENTLY letters_payload ON letters (payload);\n',
  undo: 'DROP INDEX CONCURRENTLY letters_payload;\n',
  alone: true,
};

async function buildAll(place: Place, contenders: readonly Contender[], { repeat, tell }: Setting): Promise<Result> {
  const rows: Row[] = [];
  for (const contender of contenders) {
    if (contender.onlyInTransactions === true) {
      rows.push([contender.name, undefined, undefined, undefined, 'cannot be said: all in one transaction']);
      continue;
    }
    const rounds: { fine: number; hangs: number; deadlocks: number; index: string }[] = [];
    for (let round = 1; round <= Math.min(repeat, 3); round += 1) {
      tell(`correctness: a concurrent build, round ${round}, ${contender.name}`);
      rounds.push(await buildOnce(place, contender));
    }
    const states = ['none', 'INVALID', 'valid'].filter((state) => rounds.some(({ index }) => index === state));
    rows.push([
      contender.name,
      Math.min(...pick(rounds, 'fine')),
      Math.max(...pick(rounds, 'hangs')),
      Math.max(...pick(rounds, 'deadlocks')),
      states.join(' or '),
    ]);
  }
  const [, fine, , , index] = rows[0] ?? [];
  return {
    tables: [
      {
        title: `${BUILDERS} runners at once, one CREATE INDEX CONCURRENTLY; the worst of ${Math.min(repeat, 3)} rounds`,
        columns: ['', 'end with 0', 'hang', 'deadlocks', 'the index'],
        rows,
      },
    ],
    checks: [
      {
        what: `runners of ${BUILDERS} that end with 0 beside a concurrent build`,
        measured: Number(fine),
        bound: BUILDERS,
        atLeast: true,
      },
      { what: 'the index is valid each time (1 is yes)', measured: index === 'valid' ? 1 : 0, bound: 1, atLeast: true },
    ],
  };
}

async function buildOnce(
  place: Place,
  contender: Contender,
): Promise<{ fine: number; hangs: number; deadlocks: number; index: string }> {
  const url = await place.database();
  // Large enough for the others to come while it is built.
  await place.query(url, 'CREATE TABLE letters AS SELECT md5(n::text) AS payload FROM generate_series(1, 400000) AS n');
  const ended = await atOnce(await place.prepare(contender, url, [concurrentIndex]), BUILDERS);
  const [found] = await place.query<{ valid: boolean }>(
    url,
    `SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass('letters_payload')`,
  );
  const [database] = await place.query<{ deadlocks: number }>(
    url,
    'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
  );
  await place.drop(url);
  return {
    ...ended,
    deadlocks: database?.deadlocks ?? 0,
    index: found === undefined ? 'none' : found.valid ? 'valid' : 'INVALID',
  };
}

async function atOnce(command: Command, runners: number): Promise<{ fine: number; hangs: number }> {
  const started = Array.from(
    { length: runners },
    () => start(command, { timeoutMs: HANGS_AFTER_MS, cost: false }).ended,
  );
  const exits = (await Promise.all(started)).map(({ exit }: Ended) => exit);
  return { fine: exits.filter((exit) => exit === 0).length, hangs: exits.filter((exit) => exit === 'hangs').length };
}

function pick<Key extends string>(rounds: readonly Readonly<Record<Key, number>>[], key: Key): number[] {
  return rounds.map((round) => round[key]);
}
