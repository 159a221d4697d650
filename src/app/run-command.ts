/** Runs one command: tells its events and its answer, and gives its exit code. */
import { randomUUID } from 'node:crypto';

import { systemClock } from '../adapters/clock/system-clock.ts';
import { deferReports } from '../adapters/logs/deferred-reporter.ts';
import { createHumanOutput } from '../adapters/logs/human.ts';
import { createLogReporter, type LogReporter } from '../adapters/logs/log-reporter.ts';
import type { Config } from '../config/config.ts';
import type { ReportingConfig } from '../config/reporting.ts';
import { toMigratorError, type MigratorError } from '../core/errors.ts';
import type { CommandName, RunnerIdentity } from '../core/runner.ts';
import * as documents from '../output/documents.ts';
import { VERSION } from '../core/version.ts';
import { reportEnding } from './finish.ts';
import { KubernetesEvents } from './kubernetes-events.ts';
import { migrateAnswer } from './migrate-command.ts';
import type { Wiring } from './wiring.ts';
import type { Answer, ProcessContext } from './process-context.ts';

/** Runs the command, tells its outcome, and resolves with the exit code. */
export async function runCommand(config: Config, context: ProcessContext): Promise<number> {
  const startedAt = systemClock.now();
  const json = 'json' in config && config.json;
  const runner = identify(config, context);
  const log = createLogReporter({
    ...config.log,
    destination: context.stderr,
    color: context.terminal,
    identity: runner,
    humanOutput: !json,
  });
  const human = createHumanOutput({ stdout: context.stdout, verbose: 'verbose' in config && config.verbose });
  const events = kubernetesEvents(config.command, config, log, context);
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
  const { document, text, error } = await answer(config, context, { runner, reporter, written }).catch(
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
  if (json) context.stdout.write(documents.formatJson(document));
  else if (text !== undefined) context.stdout.write(`${text}\n`);
  const ending = {
    command: config.command,
    outcome: 'done' in document ? document : undefined,
    error,
    durationMs: systemClock.now() - startedAt,
  };
  return await reportEnding(ending, { config, log, events }, context);
}

/** What is known of a command whose settings are wrong. */
export interface Known {
  /** Undefined when the first word is no command. */
  readonly command: CommandName | undefined;
  readonly json: boolean;
  readonly config: ReportingConfig;
}

/** Tells a failure that came before there was a Config. Resolves with the exit code. */
export async function reportEarlyFailure(
  error: MigratorError,
  context: ProcessContext,
  { command, json, config }: Known,
): Promise<number> {
  const log = createLogReporter({
    format: config.log.format,
    level: 'info',
    destination: context.stderr,
    color: false,
    humanOutput: true,
  });
  if (json) context.stdout.write(documents.formatJson(documents.errorDocument(error)));
  return await reportEnding(
    { command, error, durationMs: 0 },
    { config, log, events: kubernetesEvents(command, config, log, context) },
    context,
  );
}

function kubernetesEvents(
  command: CommandName | undefined,
  config: ReportingConfig,
  log: LogReporter,
  context: ProcessContext,
): KubernetesEvents | undefined {
  if (command !== 'up' && command !== 'down') return undefined;
  const warn = (message: string): void => log.report({ type: 'warning', message });
  return new KubernetesEvents({ config, direction: command, context: context, warn });
}

function identify(
  { command, identity: { pod, release, image } }: Config,
  { hostname }: ProcessContext,
): RunnerIdentity {
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

async function answer(config: Config, context: ProcessContext, wiring: Wiring): Promise<Answer> {
  if (config.command === 'up' || config.command === 'down') return await migrateAnswer(config, context, wiring);
  const { otherAnswer } = await import('./other-commands.ts');
  return await otherAnswer(config, context, wiring);
}
