// Answers: how fast is Lockstep, and beside whom? Measures the goals of docs/performance.md. It ends with 0 whatever
// the figures are.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { canTellCost, killCommands } from './command.ts';
import { buildLockstep } from './contenders/lockstep.ts';
import { installPeers } from './contenders/peer.ts';
import { peers } from './contenders/peers.ts';
import { catalog } from './goals/catalog.ts';
import { correctness } from './goals/correctness.ts';
import type { Result } from './goals/goal.ts';
import { manyFiles } from './goals/many-files.ts';
import { nothingToDo } from './goals/nothing-to-do.ts';
import { pod } from './goals/pod.ts';
import { queue } from './goals/queue.ts';
import { roundTrips } from './goals/round-trips.ts';
import { serverCost } from './goals/server-cost.ts';
import { schemas } from './goals/schemas.ts';
import { storm } from './goals/storm.ts';
import { readOptions, usage, type Options } from './options.ts';
import { writeDocs } from './report/docs.ts';
import { resultText } from './report/text.ts';

const goals = [pod, nothingToDo, roundTrips, queue, storm, manyFiles, schemas, catalog, serverCost, correctness];
const tell = (text: string): void => console.error(text);

async function bench(options: Options, folder: string): Promise<void> {
  const begin = performance.now();
  const chosen = peers.filter(({ name }) => options.peers?.includes(name) ?? true);
  await buildLockstep();
  if (chosen.length > 0) installPeers(tell);
  if (!canTellCost) tell('CPU time and memory are left out: they need Linux (x64 or arm64) and Perl.');
  const results: Record<string, Result> = {};
  const texts: string[] = [];
  for (const goal of goals.filter(({ name }) => options.only?.includes(name) ?? true)) {
    const result = await goal.measure({ folder, repeat: options.repeat, peers: chosen, tell });
    results[goal.name] = result;
    texts.push(`### ${goal.title}\n\n${resultText(result)}`);
    console.log(`\n${texts.at(-1)}`);
  }
  const processors = cpus().map(({ model }) => model);
  const about = {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    processors,
    repeat: options.repeat,
  };
  await mkdir(dirname(options.json), { recursive: true });
  await writeFile(options.json, `${JSON.stringify({ about, results }, undefined, 2)}\n`);
  tell(`\nThe figures are in ${options.json}. It took ${Math.round((performance.now() - begin) / 1000)} s.`);
  const head = `${about.date}, Node ${about.node}, PostgreSQL 18, ${processors.length} × ${processors[0]}, ${options.repeat} rounds.`;
  if (options.writeDocs) await writeDocs([head, ...texts].join('\n\n'), Object.values(results));
}

function optionsOrExit(): Options {
  try {
    return readOptions(
      process.argv.slice(2),
      goals.map(({ name }) => name),
      peers.map(({ name }) => name),
    );
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    process.exit(2);
  }
}

process.once('exit', killCommands);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const options = optionsOrExit();
const folder = await mkdtemp(join(tmpdir(), 'lockstep-bench-'));
try {
  await bench(options, folder);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
