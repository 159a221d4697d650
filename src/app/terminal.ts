/** Shows a command on a terminal, instead of the log and the lines on stdout; loaded only if there is one. */
import { systemClock } from '../adapters/clock/system-clock.ts';
import type { LogReporter } from '../adapters/logs/log-reporter.ts';
import { LiveLine } from '../adapters/terminal/live-line.ts';
import { usesColor } from '../config/color.ts';
import type { Config } from '../config/config.ts';
import type { ReportingConfig } from '../config/reporting.ts';
import type { MigratorEventType } from '../core/events.ts';
import { Screen, type ScreenOptions } from '../output/terminal/screen.ts';
import type { ProcessContext, Terminal } from './process-context.ts';

/** Whoever waits wants to know it before the line is drawn again. */
const AT_ONCE: ReadonlySet<MigratorEventType> = new Set([
  'database.waiting',
  'lock.waiting',
  'wait.pending',
  'statement.running',
]);

export interface TerminalReporter extends LogReporter {
  /** Nothing is drawn any more; lines may still come. */
  close(): void;
  /** What the command has to say at its end. */
  answer(text: string): void;
}

/** `config` may be all that is known of a command whose settings are wrong. */
export function createTerminalReporter(
  config: Config | ReportingConfig,
  { columns, atExit }: Terminal,
  { stdout, env }: ProcessContext,
): TerminalReporter {
  const options = {
    columns,
    colored: usesColor(config.log.color, env, true),
    level: config.log.level,
    verbose: 'verbose' in config && config.verbose,
    ends: endsOf(config),
  };
  const screen = new Screen(options, systemClock.now());
  const line = new LiveLine(stdout, () => screen.bottom(systemClock.now()));
  atExit(() => line.close());
  return {
    report(event) {
      line.print(screen.report(event, systemClock.now()));
      if (AT_ONCE.has(event.type)) line.draw();
    },
    flush: () => new Promise((resolve) => stdout.write('', () => resolve())),
    close: () => line.close(),
    answer: (text) => line.print(screen.answer(text)),
  };
}

function endsOf(config: Config | ReportingConfig): ScreenOptions['ends'] {
  if (!('connection' in config)) return {};
  const connecting = `--connect-wait=${config.connection.connectWaitMs / 1000}s`;
  if (config.command === 'wait') return { connecting, waiting: `--timeout=${config.timeoutMs / 1000}s` };
  return 'limits' in config
    ? { connecting, waiting: `--lock-wait=${config.limits.lockWaitMs / 1000}s` }
    : { connecting };
}
