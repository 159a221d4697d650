/** Runs one command: reports its events, prints its answer, and returns its exit code. */
import { randomUUID } from 'node:crypto';

import { systemClock } from '../adapters/clock/system-clock.ts';
import { deferReports } from '../adapters/logs/deferred-reporter.ts';
import { createLogReporter, type LogOptions, type LogReporter } from '../adapters/logs/log-reporter.ts';
import { usesColor } from '../config/color.ts';
import type { Config } from '../config/config.ts';
import type { ReportingConfig } from '../config/reporting.ts';
import { toMigratorError, type MigratorError } from '../core/errors.ts';
import type { Reporter } from '../core/ports.ts';
import type { CommandName, RunnerIdentity } from '../core/runner.ts';
import * as documents from '../output/documents.ts';
import { linesOnStdout } from '../output/lines-on-stdout.ts';
import { VERSION } from '../core/version.ts';
import { reportEnding } from './finish.ts';
import { KubernetesEvents } from './kubernetes-events.ts';
import { migrateAnswer } from './migrate-command.ts';
import type { TerminalReporter } from './terminal.ts';
import type { Watch } from './watch.ts';
import type { Wiring } from './wiring.ts';
import type { Answer, ProcessContext } from './process-context.ts';

/** Runs the command and resolves with the exit code. */
export async function runCommand(config: Config, context: ProcessContext): Promise<number> {
  const startedAt = systemClock.now();
  const json = 'json' in config && config.json;
  const runner = identify(config, context);
  const terminal = json ? undefined : await openTerminal(config, context);
  const log = terminal ?? openLog(config, context, { identity: runner, humanOutput: !json });
  const verbose = 'verbose' in config && config.verbose;
  const events = kubernetesEvents(config.command, config, log, context);
  const watch = await openWatch(config, context, { startedAt, log });
  const deferred = deferReports({
    report(event) {
      log.report(event);
      events?.report(event);
      if (!json && !terminal) for (const line of linesOnStdout(event, verbose)) context.stdout.write(`${line}\n`);
    },
  });
  const reporter = watch ? seenBy(watch, deferred) : deferred;
  const written = (): Promise<void> => {
    deferred.flush();
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
  deferred.flush();
  terminal?.close();
  if (json) context.stdout.write(documents.formatJson(document));
  else if (text !== undefined) print(text, terminal, context);
  const ending = {
    command: config.command,
    outcome: 'done' in document ? document : undefined,
    schemas: 'counts' in document ? document : undefined,
    error,
    durationMs: systemClock.now() - startedAt,
  };
  return await reportEnding(ending, { config, log, events, watch, logTellsFailure: terminal !== undefined }, context);
}

function print(text: string, terminal: TerminalReporter | undefined, { stdout }: ProcessContext): void {
  if (terminal) terminal.answer(text);
  else stdout.write(`${text}\n`);
}

/** Undefined if there is no terminal, or if the log format is JSON. */
async function openTerminal(
  config: Config | ReportingConfig,
  context: ProcessContext,
): Promise<TerminalReporter | undefined> {
  if (!context.screen || config.log.format === 'json') return undefined;
  const { createTerminalReporter } = await import('./terminal.ts');
  return createTerminalReporter(config, context.screen, context);
}

function openLog(
  { log: { format, level, color } }: ReportingConfig,
  { env, stderr, terminal }: ProcessContext,
  more: Pick<LogOptions, 'identity' | 'humanOutput'>,
): LogReporter {
  return createLogReporter({ format, level, destination: stderr, color: usesColor(color, env, terminal), ...more });
}

/** What is known about a command whose settings are invalid. */
export interface Known {
  /** Undefined if the first word is not a command. */
  readonly command: CommandName | undefined;
  readonly json: boolean;
  readonly config: ReportingConfig;
}

/** Reports a failure that happened before there was a Config. Resolves with the exit code. */
export async function reportEarlyFailure(
  error: MigratorError,
  context: ProcessContext,
  { command, json, config }: Known,
): Promise<number> {
  const terminal = json ? undefined : await openTerminal(config, context);
  const log = terminal ?? openLog(config, context, { humanOutput: true });
  if (json) context.stdout.write(documents.formatJson(documents.errorDocument(error)));
  return await reportEnding(
    { command, error, durationMs: 0 },
    {
      config,
      log,
      events: kubernetesEvents(command, config, log, context),
      watch: await openWatch(config, context, { startedAt: systemClock.now(), log }),
      logTellsFailure: terminal !== undefined,
    },
    context,
  );
}

function kubernetesEvents(
  command: CommandName | undefined,
  config: ReportingConfig,
  log: LogReporter,
  context: ProcessContext,
): KubernetesEvents | undefined {
  if (command !== 'up' && command !== 'down' && command !== 'drift') return undefined;
  const warn = (message: string): void => log.report({ type: 'warning', message });
  return new KubernetesEvents({ config, direction: command === 'down' ? 'down' : 'up', context: context, warn });
}

const TRACES = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_TRACES_EXPORTER'];

/** Undefined, and nothing is loaded, unless metrics, traces or notices are asked for. */
async function openWatch(
  config: ReportingConfig,
  context: ProcessContext,
  { startedAt, log }: { readonly startedAt: number; readonly log: LogReporter },
): Promise<Watch | undefined> {
  if (!config.watch) return undefined;
  const traces = TRACES.some((name) => (context.env[name] ?? '') !== '');
  if (!traces && Object.keys(config.watch).length === 0) return undefined;
  const warn = (message: string): void => log.report({ type: 'warning', message });
  try {
    const { Watch } = await import('./watch.ts');
    return new Watch({ config, env: context.env, startedAt, traces, warn });
  } catch (error) {
    warn(`no metrics, traces and notices: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** Before reports are deferred: the watch wants to know when. */
function seenBy(watch: Watch, reporter: Reporter): Reporter {
  return {
    report(event) {
      watch.see(event);
      reporter.report(event);
    },
  };
}

function identify(
  { command, identity: { pod, target, release, image } }: Config,
  { hostname }: ProcessContext,
): RunnerIdentity {
  let run: string | undefined;
  return {
    // Made at its first use: loading Node's cryptography is slow, and best done while the server is working.
    get run() {
      return (run ??= randomUUID());
    },
    command,
    productVersion: VERSION,
    name: pod ?? hostname,
    target,
    release,
    image,
  };
}

async function answer(config: Config, context: ProcessContext, wiring: Wiring): Promise<Answer> {
  if ('tenants' in config)
    return await (await import('./tenants-command.ts')).tenantsAnswer(config, config.tenants, context, wiring);
  if (config.command === 'up' || config.command === 'down') return await migrateAnswer(config, context, wiring);
  const { otherAnswer } = await import('./other-commands.ts');
  return await otherAnswer(config, context, wiring);
}
