// Answers: how long does a run over many schemas of one database take when nothing is to be done in any?
import { copiesOf } from '../../test/support/tenant-copies.ts';
import { run, type Command, type Ended } from '../command.ts';
import { lockstep } from '../contenders/lockstep.ts';
import { median, medianOf } from '../figures.ts';
import { smallTables } from '../migrations.ts';
import { Place } from '../place.ts';
import type { Goal, Row, Setting } from './goal.ts';

/** By how many schemas there are, the seconds that a run may take. */
const BOUNDS = [
  [2_000, 2],
  [10_000, 10],
] as const;
/** A run takes seconds. */
const ROUNDS = 5;

export const schemas: Goal = {
  name: 'schemas',
  title: 'Many schemas of one database: ten migrations, all applied in each',
  async measure(setting) {
    const place = await Place.open(setting.folder);
    try {
      const url = await place.database();
      await place.query(url, 'CREATE SCHEMA t0001');
      const { args, ...command } = await place.prepare(lockstep, url, smallTables(10));
      const over: Command = { ...command, args: [...args, '--schemas', 't*'] };
      await run(over);
      const rows: Row[] = [];
      const checks = [];
      let there = 1;
      for (const [count, bound] of BOUNDS) {
        setting.tell(`schemas: makes ${count}`);
        await place.query(url, copiesOf(there + 1, count));
        await place.query(url, 'ANALYZE');
        there = count;
        const known = await rounds(over, setting, count);
        const first = await rounds(over, setting, count, (round) => ({ LOCKSTEP_RELEASE: `shop/${round}@1` }));
        rows.push(
          [`${count} schemas`, ...figuresOf(known)],
          [`the first run of a release in ${count}`, ...figuresOf(first)],
        );
        const seconds = wallOf(known) / 1000;
        checks.push({ what: `a run over ${count} schemas`, measured: seconds, unit: 's', bound });
      }
      const columns = ['', 'wall, ms', 'CPU, ms', 'memory, MB'];
      return {
        tables: [{ title: `Whole process, median of ${ROUNDS}; the server's CPU is not in it`, columns, rows }],
        checks,
      };
    } finally {
      await place.close();
    }
  },
};

async function rounds(
  command: Command,
  { tell }: Setting,
  count: number,
  env: (round: number) => Command['env'] = () => ({}),
): Promise<Ended[]> {
  tell(`schemas: ${ROUNDS} runs over ${count}`);
  const ended: Ended[] = [];
  for (let round = 0; round <= ROUNDS; round += 1)
    ended.push(await run({ ...command, env: { ...command.env, ...env(round) } }));
  // The first fills caches.
  return ended.slice(1);
}

function wallOf(ended: readonly Ended[]): number {
  return median(ended.map(({ wallMs }) => wallMs));
}

function figuresOf(ended: readonly Ended[]): Row {
  return [wallOf(ended), medianOf(ended.map(({ cpuMs }) => cpuMs)), medianOf(ended.map(({ memoryMb }) => memoryMb))];
}
