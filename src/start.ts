/**
 * From the words of the command line to the exit code. What a run with nothing to do needs is imported here, all of it;
 * the rest is loaded when it is needed.
 */
import { reportEarlyFailure, runCommand } from './app/run-command.ts';
import { addressProblems } from './app/wiring.ts';
import type { ProcessContext } from './app/process-context.ts';
import { parseArguments } from './cli/arguments.ts';
import { readPartialSettings } from './cli/partial-settings.ts';
import { parseConfig } from './config/parse-config.ts';
import type { AddressSettings } from './config/settings.ts';
import { MigratorError, toMigratorError } from './core/errors.ts';
import type { CommandName } from './core/runner.ts';

/**
 * Runs the command, tells its outcome, and resolves with the exit code. The signal from outside aborts with a signal's name.
 * @throws MigratorError CONFIG_INVALID, when nothing has been done yet.
 */
export async function start(argv: readonly string[], outside: ProcessContext, columns: number): Promise<number> {
  const parsed = parseArguments(argv);
  if ('help' in parsed || 'version' in parsed) {
    outside.stdout.write(`${'help' in parsed ? await help(parsed.help, columns) : parsed.version}\n`);
    return 0;
  }
  const context = interruptible(outside);
  const facts = {
    terminal: context.terminal,
    addressProblems: (address: AddressSettings) => addressProblems(address, context),
  };
  return await runCommand(parseConfig(parsed, context.env, facts), context);
}

async function help(topic: CommandName | 'lockstep', columns: number): Promise<string> {
  const { helpText } = await import('./cli/help.ts');
  return await helpText(topic, columns);
}

/** Tells of a failure that came before there was a Config. Resolves with the exit code. */
export async function reportUncaught(
  cause: unknown,
  argv: readonly string[],
  context: ProcessContext,
): Promise<number> {
  return await reportEarlyFailure(
    toMigratorError(cause),
    context,
    readPartialSettings(argv, context.env, { terminal: context.terminal }),
  );
}

/** With an error as the reason of its signal. */
function interruptible(outside: ProcessContext): ProcessContext {
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
