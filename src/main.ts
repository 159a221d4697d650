/** The process: arguments, environment, signals, exit code. Nothing else touches `process`. */
import { hostname } from 'node:os';

import { reportFailure, runCommand } from './app/run-command.ts';
import type { World } from './app/world.ts';
import { parseArguments } from './cli.ts';
import { parseConfig } from './config.ts';
import { MigratorError, toMigratorError } from './core/errors.ts';

const interrupted = new AbortController();

/** The first signal ends the run in order; a second one ends the process. */
function onSignal(signal: 'SIGINT' | 'SIGTERM'): void {
  const error = new MigratorError('INTERRUPTED', `interrupted by ${signal}`, {
    signal,
    hint: 'run again; what was committed before is recorded, everything else was rolled back',
  });
  if (interrupted.signal.aborted) process.exit(error.exit);
  interrupted.abort(error);
}

const world: World = {
  env: process.env,
  home: process.env['HOME'],
  hostname: hostname(),
  stdout: process.stdout,
  stderr: process.stderr,
  terminal: process.stderr.isTTY,
  signal: interrupted.signal,
};

async function main(argv: readonly string[]): Promise<number> {
  try {
    const parsed = parseArguments(argv, Math.min(process.stdout.columns || 100, 120));
    if ('help' in parsed || 'version' in parsed) {
      process.stdout.write(`${'help' in parsed ? parsed.help : parsed.version}\n`);
      return 0;
    }
    const config = parseConfig(parsed, process.env, { terminal: world.terminal });
    return await runCommand(config, world);
  } catch (cause) {
    return await reportFailure(toMigratorError(cause), world, { json: argv.includes('--json'), format: logFormat(argv) });
  }
}

/** As the settings say, if they can be believed: something is wrong with them. */
function logFormat(argv: readonly string[]): 'text' | 'json' {
  const words = argv.flatMap((word) => word.split('='));
  const wanted = words[words.indexOf('--log-format') + 1];
  const said = words.includes('--log-format') ? wanted : process.env['LOCKSTEP_LOG_FORMAT'];
  if (said === 'text' || said === 'json') return said;
  return world.terminal ? 'text' : 'json';
}

// A reader that went away (`lockstep up | head`) must not end a migration.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
process.on('SIGINT', onSignal);
process.on('SIGTERM', onSignal);
process.title = 'lockstep';
process.exitCode = await main(process.argv.slice(2));
