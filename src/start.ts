/**
 * From the words of the command line to the exit code. What a run with nothing to do needs is imported here, all of it;
 * the rest is loaded when it is needed.
 */
import { reportEarlyFailure, runCommand } from './app/run-command.ts';
import { addressProblems } from './app/wiring.ts';
import type { ProcessContext } from './app/process-context.ts';
import { parseArguments, readWords, type Arguments } from './cli/arguments.ts';
import { readPartialSettings } from './cli/partial-settings.ts';
import { envOf, type RawOptions } from './config/options.ts';
import { parseConfig } from './config/parse-config.ts';
import type { AddressSettings } from './config/settings.ts';
import { MigratorError, toMigratorError } from './core/errors.ts';

/**
 * Runs the command, tells its outcome, and resolves with the exit code. The signal from outside aborts with a signal's
 * name.
 * @throws MigratorError CONFIG_INVALID, when nothing has been done yet.
 */
export async function start(argv: readonly string[], outside: ProcessContext, columns: number): Promise<number> {
  const print = async (asked: Exclude<Arguments, RawOptions>): Promise<string> => {
    const { answerText } = await import('./cli/answers.ts');
    return `${await answerText(asked, { columns, shell: outside.env['SHELL'] })}\n`;
  };
  // A Job that lost its arguments must not look like one that has migrated: the failure follows.
  if (argv.length === 0) outside.stderr.write(await print({ help: 'lockstep', all: false }));
  const parsed = parseArguments(argv);
  if (!('command' in parsed)) {
    outside.stdout.write(await print(parsed));
    return 0;
  }
  const context = interruptible({ ...outside, env: await environment(parsed.flags, outside.env) });
  const facts = {
    terminal: context.terminal,
    addressProblems: (address: AddressSettings) => addressProblems(address, context),
  };
  return await runCommand(parseConfig(parsed, context.env, facts), context);
}

/** With the variables of `--env-file`; that file is never read unless it is named. */
async function environment(flags: RawOptions['flags'], env: ProcessContext['env']): Promise<ProcessContext['env']> {
  const path = flags.envFile ?? env[envOf('envFile')] ?? '';
  if (typeof path !== 'string' || path.trim() === '') return env;
  const { withEnvFile } = await import('./app/env-file.ts');
  return withEnvFile(path, env);
}

/** Reports a failure that came before there was a Config. Resolves with the exit code. */
export async function reportUncaught(
  cause: unknown,
  argv: readonly string[],
  outside: ProcessContext,
): Promise<number> {
  const env = await environment(readWords(argv).flags, outside.env).catch(() => outside.env);
  const settings = readPartialSettings(argv, env, { terminal: outside.terminal });
  return await reportEarlyFailure(toMigratorError(cause), { ...outside, env }, settings);
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
