/**
 * From the words of the command line to the exit code. What a run with nothing to do needs is imported here, all of it;
 * the rest is loaded when it is needed.
 */
import { reportFailure, runCommand } from './app/run-command.ts';
import { addressProblems } from './app/wiring.ts';
import type { World } from './app/process-context.ts';
import { readAnyway } from './cli/partial-settings.ts';
import type { Arguments } from './cli/cli.ts';
import { readPlainWords } from './cli/plain-words.ts';
import { parseConfig } from './config/config.ts';
import type { AddressGiven } from './config/settings.ts';
import { MigratorError, toMigratorError } from './core/errors.ts';

/**
 * Runs the command, tells its outcome, and resolves with the exit code. The signal from outside aborts with a signal's name.
 * @throws MigratorError CONFIG_INVALID, when nothing has been done yet.
 */
export async function start(argv: readonly string[], outside: World, columns: number): Promise<number> {
  const parsed = readPlainWords(argv) ?? (await parseWords(argv, columns));
  if ('help' in parsed || 'version' in parsed) {
    outside.stdout.write(`${'help' in parsed ? parsed.help : parsed.version}\n`);
    return 0;
  }
  const world = interruptible(outside);
  const facts = { terminal: world.terminal, addressProblems: (given: AddressGiven) => addressProblems(given, world) };
  return await runCommand(parseConfig(parsed, world.env, facts), world);
}

async function parseWords(argv: readonly string[], columns: number): Promise<Arguments> {
  const { parseArguments } = await import('./cli/cli.ts');
  return parseArguments(argv, columns);
}

/** Tells of a failure that came before there was a Config. Resolves with the exit code. */
export async function tellFailure(cause: unknown, argv: readonly string[], world: World): Promise<number> {
  return await reportFailure(toMigratorError(cause), world, readAnyway(argv, world.env, { terminal: world.terminal }));
}

/** With an error as the reason of its signal. */
function interruptible(outside: World): World {
  const { signal } = outside;
  const interrupted = new AbortController();
  const interrupt = (): void => {
    const name = signal.reason === 'SIGINT' ? 'SIGINT' : 'SIGTERM';
    const hint = 'run again; what was committed before is recorded, everything else was rolled back';
    interrupted.abort(new MigratorError('INTERRUPTED', `interrupted by ${name}`, { signal: name, hint }));
  };
  if (signal.aborted) interrupt();
  else signal.addEventListener('abort', interrupt, { once: true });
  return { ...outside, signal: interrupted.signal };
}
