/** From the words of the command line to the exit code. What a run with nothing to do needs is imported here, all at once; the rest is loaded on need. */
import { reportFailure, runCommand } from './app/run-command.ts';
import { addressProblems } from './app/wiring.ts';
import type { World } from './app/world.ts';
import type { Arguments } from './cli/cli.ts';
import { readPlainWords } from './cli/plain-words.ts';
import type { MigratorError } from './core/errors.ts';
import { readAnyway } from './cli/anyway.ts';
import { parseConfig } from './config/config.ts';

/** @throws MigratorError CONFIG_INVALID, when nothing has been done yet. */
export async function start(argv: readonly string[], world: World, columns: number): Promise<number> {
  const parsed = readPlainWords(argv) ?? (await parseWords(argv, columns));
  if ('help' in parsed || 'version' in parsed) {
    world.stdout.write(`${'help' in parsed ? parsed.help : parsed.version}\n`);
    return 0;
  }
  return await runCommand(parseConfig(parsed, world.env, { terminal: world.terminal, addressProblems: (given) => addressProblems(given, world) }), world);
}

async function parseWords(argv: readonly string[], columns: number): Promise<Arguments> {
  const { parseArguments } = await import('./cli/cli.ts');
  return parseArguments(argv, columns);
}

/** Tells of a failure that came before there was a Config. */
export async function fail(error: MigratorError, argv: readonly string[], world: World): Promise<number> {
  return await reportFailure(error, world, readAnyway(argv, world.env, { terminal: world.terminal }));
}
