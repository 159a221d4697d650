/** The log: one line per event, as JSON for machines or as text for people. */
import type { MigratorEvent, MigratorEventType } from '../../core/events.ts';
import type { Reporter } from '../../core/ports.ts';
import type { RunnerIdentity } from '../../core/runner.ts';
import { describeEvent, type Level } from './describe-event.ts';
import { jsonLine, textLine, type LineWriter, type LogLine } from './log-line.ts';

export interface LogOptions {
  readonly format: 'text' | 'json';
  /** The least level that is written. */
  readonly level: Level;
  readonly destination: NodeJS.WritableStream;
  readonly color: boolean;
  /** Unknown while the command line is wrong. */
  readonly identity?: RunnerIdentity | undefined;
  /** The human output is printed too: in the text format, what it says is logged at level debug only. */
  readonly humanOutput: boolean;
}

export interface LogReporter extends Reporter {
  /** Resolves when everything is written; nothing may be reported after it. */
  flush(): Promise<void>;
}

/**
 * What a run tells that finds nothing to do, or nothing left to do after it has waited. With anything else winston is loaded:
 * a replica with nothing to do pays nothing for it.
 */
const OF_AN_IDLE_RUN: readonly MigratorEventType[] = [
  'warning',
  'session.opened',
  'lock.waiting',
  'migration.skipped',
  'migration.all-skipped',
  'database.ahead',
  'run.finished',
];

const LEVELS: readonly Level[] = ['error', 'warn', 'info', 'debug'];

export function createLogReporter(options: LogOptions): LogReporter {
  const { destination, level, color } = options;
  const render = options.format === 'json' ? jsonLine : (line: LogLine) => textLine(line, color);
  let context: Record<string, unknown> | undefined;
  let winston: Promise<LineWriter> | undefined;
  let last: Promise<void> = Promise.resolve();

  function lineOf(event: MigratorEvent): LogLine {
    const { detail, ...description } = describeEvent(event);
    context ??= options.identity ? identityFields(options.identity) : {};
    const quiet = description.toldToPeople === true && options.humanOutput && options.format === 'text';
    return {
      level: quiet ? 'debug' : description.level,
      message: description.message,
      detail,
      fields: { event: event.type, ...description.fields, ...context },
      time: new Date(),
    };
  }

  return {
    report(event) {
      const line = lineOf(event);
      if (LEVELS.indexOf(line.level) > LEVELS.indexOf(level)) return;
      if (!winston && OF_AN_IDLE_RUN.includes(event.type)) destination.write(`${render(line)}\n`);
      else {
        const writer = (winston ??= import('./winston-writer.ts').then(({ openWinston }) => openWinston(destination, level, render)));
        last = last.then(async () => (await writer).write(line));
      }
    },
    async flush() {
      await last;
      await (await winston)?.close();
      await new Promise<void>((resolve) => destination.write('', () => resolve()));
    },
  };
}

function identityFields({ run, command, name, release, image }: RunnerIdentity): Record<string, unknown> {
  return { run, command, pod: name, ...(release !== undefined && { release }), ...(image !== undefined && { image }) };
}
