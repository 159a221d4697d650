// Answers: what does a start with nothing to do cost where pods have it? The server asks for a password (SCRAM) and has
// TLS, and the processor is limited.
import { run, type Command, type Cost } from '../command.ts';
import type { Contender } from '../contenders/contender.ts';
import { emptyNode, floor } from '../contenders/floor.ts';
import { missingGoPrograms } from '../contenders/go-programs.ts';
import { lockstep, otherBuilds } from '../contenders/lockstep.ts';
import { cpuLimit } from '../cpu-limit.ts';
import { median, medianOf } from '../figures.ts';
import { smallTables } from '../migrations.ts';
import { PodServer, type LogIn } from '../pod-server.ts';
import type { Bar, Goal, Result, Row, Setting } from './goal.ts';

const LIMIT = 100;
const LOG_INS: readonly LogIn[] = ['trust', 'SCRAM', 'SCRAM, TLS'];

interface Entry {
  readonly contender: Contender;
  readonly logIn: LogIn;
  readonly command: Command;
  readonly costs: Cost[];
}

export const pod: Goal = {
  name: 'pod',
  title: 'Nothing to do, as pods have it: SCRAM, TLS, a CPU limit',
  async measure(setting) {
    const server = await PodServer.open(setting.folder);
    try {
      const notes: string[] = [...missingGoPrograms];
      const entries = await prepareAll(server, setting, notes);
      await measureAll(entries, setting.repeat, (round) => setting.tell(`pod: round ${round} of ${setting.repeat}`));
      const limited = await measureLimited(entries, setting, notes);
      const free = { title: `Whole process, median of ${setting.repeat}`, columns, rows: rowsOf(entries) };
      return {
        tables: [free, ...limited],
        checks: checksOf(entries),
        bars: barsOf(entries),
        notes,
      };
    } finally {
      await server.close();
    }
  },
};

/** Go's own with each kind of log-in; the others on Node with the last one, as they are run in pods. */
async function prepareAll(server: PodServer, { peers }: Setting, notes: string[]): Promise<Entry[]> {
  const native = peers.filter(({ onNode }) => !onNode);
  const own = [floor, ...otherBuilds, lockstep];
  const entries: Entry[] = [];
  const add = async (contender: Contender, logIn: LogIn): Promise<void> => {
    const command = await server.prepare(contender, logIn, smallTables(10));
    await run(command);
    entries.push({ contender, logIn, command, costs: [] });
  };
  await add(emptyNode, 'SCRAM, TLS');
  for (const logIn of LOG_INS) for (const contender of [...own, ...native]) await add(contender, logIn);
  for (const peer of peers.filter(({ onNode }) => onNode))
    await add(peer, 'SCRAM, TLS').catch(() =>
      notes.push(`${peer.name} is left out: as it is set up here it does not log in with SCRAM over TLS.`),
    );
  return entries;
}

/** Interleaved; the first round fills caches and does not count. */
async function measureAll(entries: readonly Entry[], repeat: number, tell: (round: number) => void): Promise<void> {
  for (let round = 0; round <= repeat; round += 1) {
    tell(round);
    for (const { command, costs } of entries) {
      const cost = await run(command);
      if (round > 0) costs.push(cost);
    }
  }
}

async function measureLimited(
  all: readonly Entry[],
  { repeat, tell }: Setting,
  notes: string[],
): Promise<Result['tables']> {
  const limit = cpuLimit(LIMIT);
  if (limit === undefined) {
    notes.push(`The CPU limit of ${LIMIT}m is left out: this process may not make a cgroup.`);
    return [];
  }
  try {
    const entries = all
      .filter(({ contender, logIn }) => logIn === 'SCRAM, TLS' && (!contender.onNode || isOwn(contender)))
      .map((entry): Entry => ({ ...entry, command: limit.below(entry.command), costs: [] }));
    const rounds = Math.min(repeat, 5);
    await measureAll(entries, rounds, (round) => tell(`pod: below a CPU limit, round ${round} of ${rounds}`));
    return [{ title: `With a CPU limit of ${LIMIT}m, median of ${rounds}`, columns, rows: rowsOf(entries) }];
  } finally {
    limit.remove();
  }
}

function isOwn(contender: Contender): boolean {
  return [emptyNode, floor, ...otherBuilds, lockstep].includes(contender);
}

const columns = ['', 'log-in', 'wall, ms', 'CPU, ms', '÷ floor', 'memory, MB'];

function rowsOf(entries: readonly Entry[]): Row[] {
  return entries.map((entry) => [
    entry.contender.name,
    entry.contender === emptyNode ? '–' : entry.logIn,
    wallOf(entry),
    cpuOf(entry),
    overFloor(entry, entries),
    medianOf(entry.costs.map(({ memoryMb }) => memoryMb)),
  ]);
}

function wallOf({ costs }: Entry): number {
  return median(costs.map(({ wallMs }) => wallMs));
}

function cpuOf({ costs }: Entry): number | undefined {
  return medianOf(costs.map(({ cpuMs }) => cpuMs));
}

function overFloor(entry: Entry, entries: readonly Entry[]): number | undefined {
  const base = entries.find(({ contender, logIn }) => contender === floor && logIn === entry.logIn);
  const [ours, least] = [cpuOf(entry), base && cpuOf(base)];
  return ours === undefined || least === undefined ? undefined : ours / least;
}

function checksOf(entries: readonly Entry[]): Result['checks'] {
  return entries
    .filter(({ contender }) => contender === lockstep)
    .map((entry) => ({
      what: `CPU time ÷ the floor's, ${entry.logIn}`,
      measured: overFloor(entry, entries),
      bound: 1.3,
    }));
}

/** What a start costs in a pod: CPU, with SCRAM and TLS. */
function barsOf(entries: readonly Entry[]): Bar[] {
  return entries
    .filter(({ logIn, contender }) => logIn === 'SCRAM, TLS' && !otherBuilds.includes(contender))
    .flatMap((entry): Bar[] => {
      const ms = cpuOf(entry);
      const { contender } = entry;
      const kind = contender === lockstep ? 'ours' : isOwn(contender) ? 'least' : 'other';
      return ms === undefined ? [] : [{ name: contender.name, ms, kind }];
    })
    .sort((a, b) => a.ms - b.ms);
}
