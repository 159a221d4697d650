// Answers: what does a run cost that has nothing to do? The whole process, beside the least that any migrator on Node
// must do.
import { join } from 'node:path';
import { run, type Command, type Cost } from '../command.ts';
import type { Contender } from '../contenders/contender.ts';
import { emptyNode, floor } from '../contenders/floor.ts';
import { lockstep } from '../contenders/lockstep.ts';
import { median, medianOf, quantile } from '../figures.ts';
import { smallTables } from '../migrations.ts';
import { Place } from '../place.ts';
import type { Check, Goal, Row, Setting } from './goal.ts';

/**
 * Whether V8 may keep what it has compiled: not at all, in a folder of NODE_COMPILE_CACHE, or as the program itself
 * does.
 */
type Cache = 'none' | 'kept' | 'own';

interface Entry {
  readonly name: string;
  readonly cache: Cache;
  readonly command: Command;
  readonly costs: Cost[];
}

interface Typical {
  readonly name: string;
  readonly cache: Cache;
  readonly wallMs: number;
  readonly quartiles: readonly [number, number];
  readonly cpuMs: number | undefined;
  readonly memoryMb: number | undefined;
}

export const nothingToDo: Goal = {
  name: 'nothing-to-do',
  title: 'Nothing to do: ten migrations, all applied',
  async measure(setting) {
    const place = await Place.open(setting.folder);
    try {
      const entries = await prepareAll(place, setting);
      // One for each that does not count: it fills the compile cache and the page cache.
      for (let round = 0; round <= setting.repeat; round += 1) {
        setting.tell(`nothing to do: round ${round} of ${setting.repeat}`);
        for (const { command, costs } of entries) {
          const cost = await run(command);
          if (round > 0) costs.push(cost);
        }
      }
      const typical = entries.map(typicalOf);
      const tables = [{ title: `Whole process, median of ${setting.repeat}`, columns, rows: rowsOf(typical) }];
      return { tables, checks: checksOf(typical, setting.peers) };
    } finally {
      await place.close();
    }
  },
};

async function prepareAll(place: Place, { folder, peers }: Setting): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const contender of [emptyNode, floor, lockstep, ...peers]) {
    const url = await place.database();
    const command = await place.prepare(contender, url, smallTables(10));
    await run(command);
    if (contender !== floor && contender !== emptyNode) await place.expectTables(url, 10);
    const add = (cache: Cache, env: Record<string, string>): unknown =>
      entries.push({
        name: contender.name,
        cache,
        command: { ...command, env: { ...command.env, ...env } },
        costs: [],
      });
    if (contender === lockstep || !contender.onNode) add('own', {});
    if (!contender.onNode) continue;
    add('none', { NODE_DISABLE_COMPILE_CACHE: '1' });
    add('kept', { NODE_COMPILE_CACHE: join(folder, 'compile-cache', contender.name) });
  }
  return entries;
}

function typicalOf({ name, cache, costs }: Entry): Typical {
  const walls = costs.map(({ wallMs }) => wallMs);
  return {
    name,
    cache,
    wallMs: median(walls),
    quartiles: [quantile(walls, 0.25), quantile(walls, 0.75)],
    cpuMs: medianOf(costs.map(({ cpuMs }) => cpuMs)),
    memoryMb: medianOf(costs.map(({ memoryMb }) => memoryMb)),
  };
}

const columns = [
  '',
  'compile cache',
  'wall, ms',
  'quartiles',
  '÷ floor',
  'CPU, ms',
  '÷ floor',
  'memory, MB',
  '÷ floor',
];

/** The floor that a run is compared with has what it has itself. */
function rowsOf(all: readonly Typical[]): Row[] {
  return all.map((one) => {
    const base = find(all, floor.name, one.cache === 'kept' ? 'kept' : 'none');
    const [low, high] = one.quartiles;
    return [
      one.name,
      { none: 'no', kept: 'NODE_COMPILE_CACHE', own: 'as it is' }[one.cache],
      one.wallMs,
      `${low.toFixed(0)}–${high.toFixed(0)}`,
      ratio(one.wallMs, base.wallMs),
      one.cpuMs,
      ratio(one.cpuMs, base.cpuMs),
      one.memoryMb,
      ratio(one.memoryMb, base.memoryMb),
    ];
  });
}

function checksOf(all: readonly Typical[], peers: readonly Contender[]): Check[] {
  const compared = [
    ['as it is, beside the floor without a compile cache', 'own', 'none'],
    ['both without a compile cache', 'none', 'none'],
    ['both with NODE_COMPILE_CACHE', 'kept', 'kept'],
  ] as const;
  const checks = compared.flatMap(([how, cache, cacheOfFloor]) => {
    const [ours, least] = [find(all, lockstep.name, cache), find(all, floor.name, cacheOfFloor)];
    return [
      { what: `wall time ÷ the floor's, ${how}`, measured: ratio(ours.wallMs, least.wallMs), bound: 1.3 },
      { what: `CPU time ÷ the floor's, ${how}`, measured: ratio(ours.cpuMs, least.cpuMs), bound: 1.3 },
      { what: `memory ÷ the floor's, ${how}`, measured: ratio(ours.memoryMb, least.memoryMb), bound: 1.25 },
    ];
  });
  const onNode = all.filter(({ name, cache }) => cache === 'none' && peers.some((peer) => peer.name === name));
  const fastest = onNode.sort((a, b) => a.wallMs - b.wallMs)[0];
  if (fastest === undefined) return checks;
  const what = `wall time of the fastest other one on Node (${fastest.name}) ÷ ours, each as it is`;
  return [
    ...checks,
    { what, measured: fastest.wallMs / find(all, lockstep.name, 'own').wallMs, bound: 3, atLeast: true },
  ];
}

function find(all: readonly Typical[], name: string, cache: Cache): Typical {
  const found = all.find((one) => one.name === name && one.cache === cache);
  if (found === undefined) throw new Error(`${name} was not measured`);
  return found;
}

function ratio(figure: number | undefined, base: number | undefined): number | undefined {
  return figure === undefined || base === undefined ? undefined : figure / base;
}
