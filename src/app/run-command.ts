/** Runs one command: tells its events and its answer, and gives its exit code. */
import { randomUUID } from 'node:crypto';

import { systemClock } from '../adapters/clock/system-clock.ts';
import { deferReports } from '../adapters/logs/deferred-reporter.ts';
import { createHumanOutput } from '../adapters/logs/human.ts';
import { createLogReporter, type LogReporter } from '../adapters/logs/log-reporter.ts';
import type { Config } from '../config/config.ts';
import type { TellingConfig } from '../config/reporting.ts';
import { toMigratorError, type MigratorError } from '../core/errors.ts';
import type { CommandName, RunnerIdentity } from '../core/runner.ts';
import * as documents from '../output/documents.ts';
import { VERSION } from '../core/version.ts';
import { tellEnding } from './finish.ts';
import { KubernetesEvents } from './kubernetes-events.ts';
import { migrateAnswer } from './migrate-command.ts';
import type { Wiring } from './wiring.ts';
import type { Answer, World } from './process-context.ts';

/** Runs the command, tells its outcome, and resolves with the exit code. */
export async function runCommand(config: Config, world: World): Promise<number> {
  const startedAt = systemClock.now();
  const json = 'json' in config && config.json;
  const runner = identify(config, world);
  const log = createLogReporter({
    ...config.log,
    destination: world.stderr,
    color: world.terminal,
    identity: runner,
    humanOutput: !json,
  });
  const human = createHumanOutput({ stdout: world.stdout, verbose: 'verbose' in config && config.verbose });
  const events = kubernetesEvents(config.command, config, log, world);
  const reporter = deferReports({
    report(event) {
      log.report(event);
      events?.report(event);
      if (!json) human.report(event);
    },
  });
  const written = (): Promise<void> => {
    reporter.flush();
    return log.flush();
  };
  for (const message of config.warnings) reporter.report({ type: 'warning', message });
  const { document, text, error } = await answer(config, world, { runner, reporter, written }).catch(
    (cause: unknown) => {
      const failure = toMigratorError(cause);
      const { outcome } = failure.details;
      const document = outcome
        ? documents.outcomeDocument(outcome, failure)
        : documents.errorDocument(failure, config.command);
      return { document, error: failure, text: undefined };
    },
  );
  reporter.flush();
  if (json) world.stdout.write(documents.formatJson(document));
  else if (text !== undefined) world.stdout.write(`${text}\n`);
  const ending = {
    command: config.command,
    outcome: 'done' in document ? document : undefined,
    error,
    durationMs: systemClock.now() - startedAt,
  };
  return await tellEnding(ending, { config, log, events }, world);
}

/** What is known of a command whose settings are wrong. */
export interface Known {
  /** Undefined when the first word is no command. */
  readonly command: CommandName | undefined;
  readonly json: boolean;
  readonly config: TellingConfig;
}

/** Tells a failure that came before there was a Config. Resolves with the exit code. */
export async function reportFailure(
  error: MigratorError,
  world: World,
  { command, json, config }: Known,
): Promise<number> {
  const log = createLogReporter({
    format: config.log.format,
    level: 'info',
    destination: world.stderr,
    color: false,
    humanOutput: true,
  });
  if (json) world.stdout.write(documents.formatJson(documents.errorDocument(error)));
  return await tellEnding(
    { command, error, durationMs: 0 },
    { config, log, events: kubernetesEvents(command, config, log, world) },
    world,
  );
}

function kubernetesEvents(
  command: CommandName | undefined,
  config: TellingConfig,
  log: LogReporter,
  world: World,
): KubernetesEvents | undefined {
  if (command !== 'up' && command !== 'down') return undefined;
  const warn = (message: string): void => log.report({ type: 'warning', message });
  return new KubernetesEvents({ config, direction: command, world, warn });
}

function identify({ command, identity: { pod, release, image } }: Config, { hostname }: World): RunnerIdentity {
  let run: string | undefined;
  return {
    // Made when it is first asked for: Node's cryptography takes a while to load, best while the server is at work.
    get run() {
      return (run ??= randomUUID());
    },
    command,
    productVersion: VERSION,
    name: pod ?? hostname,
    release,
    image,
  };
}

async function answer(config: Config, world: World, wiring: Wiring): Promise<Answer> {
  if (config.command === 'up' || config.command === 'down') return await migrateAnswer(config, world, wiring);
  const { otherAnswer } = await import('./other-commands.ts');
  return await otherAnswer(config, world, wiring);
}
