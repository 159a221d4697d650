// Answers: what is Lockstep for? Five replicas start at the same moment and migrate one database: one does it, the
// others wait and skip.
import { readdir } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { buildIfOlder } from './demo/fresh-build.ts';
import { givenServer, ownServer, type Place } from './demo/place.ts';
import { killRunners, root, type Replica } from './demo/runner.ts';
import { complain, duration, fact, heading, say, styled, table } from './demo/screen.ts';
import { runWave } from './demo/wave.ts';

const firstWave = ['web-1', 'web-2', 'web-3', 'web-4', 'web-5'];
const secondWave = ['web-6', 'web-7', 'web-8', 'web-9', 'web-10'];
const command = ['up', '--log-format', 'json'];

const interrupted = new AbortController();
const { signal } = interrupted;

/** The first signal ends the demo in order, a second one at once (the temporary server ends with us in any case). */
function onSignal(name: NodeJS.Signals): void {
  if (signal.aborted) process.exit(exitBy(name));
  interrupted.abort(name);
  // A terminal shows ^C where the cursor is.
  say(`\n${styled('yellow', `${name}: stopping`)}`);
}

function exitBy(name: NodeJS.Signals): number {
  return 128 + constants.signals[name];
}

/** Resolves with whether all went as promised. */
async function demo(place: Place, versions: readonly string[]): Promise<boolean> {
  const longestVersion = Math.max(...versions.map((version) => version.length));
  const options = { args: [...command, ...place.args], env: place.env, signal, longestVersion };
  heading('Five replicas start at the same moment, and each of them runs "lockstep up"');
  const replicas = await runWave(firstWave, options);
  signal.throwIfAborted();
  if (replicas.every(({ exit }) => exit === 0)) {
    heading('Later, five more replicas start: a scale-up');
    replicas.push(...(await runWave(secondWave, options)));
    signal.throwIfAborted();
  }
  heading('What each of them did');
  tellAll(replicas);
  say();
  return judge(replicas, versions);
}

function tellAll(replicas: readonly Replica[]): void {
  table(
    ['replica', 'applied', 'skipped', 'waited', 'total time', 'exit code'],
    replicas.map(({ name, applied, skipped, waitedFrom, waitedUntil = waitedFrom, totalMs, exit }) => [
      name,
      String(applied.length),
      String(skipped),
      waitedFrom === undefined ? '-' : duration((waitedUntil ?? waitedFrom) - waitedFrom),
      duration(totalMs),
      String(exit),
    ]),
    (row) => (replicas[row]?.exit !== 0 ? 'red' : replicas[row].applied.length > 0 ? 'green' : undefined),
  );
}

function judge(replicas: readonly Replica[], versions: readonly string[]): boolean {
  const failed = replicas.filter(({ exit }) => exit !== 0).map(({ name }) => name);
  const applied = replicas.flatMap((replica) => replica.applied);
  const twice = versions.filter((version) => applied.filter((one) => one === version).length > 1);
  if (failed.length > 0) complain(`These replicas failed: ${failed.join(', ')}.`);
  if (twice.length > 0) complain(`Applied more than once: ${twice.join(', ')}.`);
  if (applied.length !== versions.length)
    complain(`${applied.length} migrations were applied, and there are ${versions.length}.`);
  if (failed.length > 0 || twice.length > 0 || applied.length !== versions.length) return false;
  say(styled(['green', 'bold'], `${versions.length} migrations, each applied exactly once.`));
  tellLastWaiter(replicas);
  return true;
}

function tellLastWaiter(replicas: readonly Replica[]): void {
  const holder = replicas.find(({ applied }) => applied.length > 0);
  const waiters = replicas.filter(({ name, waitedFrom }) => waitedFrom !== undefined && name !== holder?.name);
  if (holder?.lastAppliedAt === undefined || waiters.length === 0) return;
  const left = Math.max(...waiters.map(({ finishedAt = 0 }) => finishedAt)) - holder.lastAppliedAt;
  say(`The last waiter left ${duration(left)} after ${holder.name} had finished the last migration.`);
}

async function main(): Promise<number> {
  let place: Place | undefined;
  let ending: 'as promised' | 'failed' | 'interrupted' = 'failed';
  try {
    say(
      `${styled('bold', 'Lockstep demo')}: every replica may run the migrations, exactly one does,\nthe rest wait their turn and skip what is done.\n`,
    );
    const files = await readdir(join(root, 'migrations'));
    const versions = files.filter((name) => name.endsWith('.up.sql')).map((name) => name.replace('.up.sql', ''));
    await buildIfOlder();
    fact('migrations', `${versions.length} in migrations/: a small shop with 20,000 customers and 40,000 orders`);
    const databaseUrl = process.env['DATABASE_URL']?.trim() ?? '';
    place = databaseUrl === '' ? await ownServer() : await givenServer(databaseUrl, signal);
    signal.throwIfAborted();
    ending = (await demo(place, versions)) ? 'as promised' : 'failed';
  } catch (error) {
    if (!signal.aborted) complain(`\n${error instanceof Error ? error.message : String(error)}`);
  } finally {
    await place?.close();
  }
  if (signal.aborted) ending = 'interrupted';
  place?.farewell(ending === 'as promised');
  if (ending === 'interrupted') return exitBy(signal.reason as NodeJS.Signals);
  return ending === 'as promised' ? 0 : 1;
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
// Whoever reads us has gone, as in `npm start | head`.
process.stdout.on('error', () => interrupted.abort('SIGTERM'));
process.on('exit', killRunners);
process.exitCode = await main();
