/** The log: one line per event, as JSON for machines or as text for people. */
import type { MigratorEvent, MigratorEventOf, MigratorEventType } from '../../core/events.ts';
import type { Reporter } from '../../core/ports.ts';
import type { RunnerIdentity } from '../../core/runner.ts';
import { describeEvent } from '../../output/log/describe-event.ts';
import type { Level } from '../../output/log/description.ts';
import { jsonLine, textLine, type LineWriter, type LogLine } from './log-line.ts';

export interface LogOptions {
  readonly format: 'text' | 'json';
  /** The minimum level. */
  readonly level: Level;
  readonly destination: NodeJS.WritableStream;
  readonly color: boolean;
  /** Unknown if the command line is invalid. */
  readonly identity?: RunnerIdentity | undefined;
  /** Lines for people go to stdout as well: in the text format, the same facts are logged at level debug. */
  readonly humanOutput: boolean;
}

export interface LogReporter extends Reporter {
  /** Resolves when everything that was reported is written. */
  flush(): Promise<void>;
}

/**
 * The events of a run with nothing to do, or nothing left to do after waiting. Any other event loads winston, so that a
 * replica with nothing to do does not.
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

/**
 * The most characters that may be unwritten. A server or a hook may send lines faster than the log is read; with more,
 * they are dropped.
 */
const MOST_WAITING = 8_000_000;
/** With more unwritten characters, V8 collects garbage more often. */
const CROWDED = 200_000;
/** The memory of a line besides its text. */
const LINE_OVERHEAD = 1_000;

const LEVELS: readonly Level[] = ['error', 'warn', 'info', 'debug'];

export function createLogReporter(options: LogOptions): LogReporter {
  const { destination, level, color } = options;
  const render = options.format === 'json' ? jsonLine : (line: LogLine) => textLine(line, color);
  let context: Record<string, unknown> | undefined;
  let winston: Promise<LineWriter> | undefined;
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  let leftOut = 0;

  function lineOf(event: MigratorEvent): LogLine {
    const { detail, ...description } = describeEvent(event);
    context ??= options.identity ? identityFields(options.identity) : {};
    const quiet = description.alsoOnStdout === true && options.humanOutput && options.format === 'text';
    return {
      level: quiet ? 'debug' : description.level,
      message: description.message,
      detail,
      fields: { event: event.type, ...description.fields, ...context },
      time: new Date(),
      written: () => {
        waiting -= sizeOf(event);
      },
    };
  }

  function write(event: MigratorEvent): void {
    const line = lineOf(event);
    if (LEVELS.indexOf(line.level) > LEVELS.indexOf(level)) return;
    waiting += sizeOf(event);
    if (!winston && OF_AN_IDLE_RUN.includes(event.type)) destination.write(`${render(line)}\n`, line.written);
    else {
      const writer = (winston ??= import('./winston-writer.ts').then(({ openWinston }) =>
        openWinston(destination, level, render),
      ));
      last = last.then(async () => (await writer).write(line, { crowded: waiting > CROWDED }));
    }
  }

  function reportLeftOut(): void {
    if (leftOut === 0) return;
    const message = `${leftOut} lines of notices or hooks were dropped here: they arrived faster than this log is read`;
    leftOut = 0;
    write({ type: 'warning', message });
  }

  return {
    report(event) {
      const room = leftOut === 0 ? MOST_WAITING : MOST_WAITING / 2;
      if (isOfOthers(event) && waiting >= room) leftOut += 1;
      else {
        reportLeftOut();
        write(event);
      }
    },
    async flush() {
      reportLeftOut();
      await last;
      await (await winston)?.written();
      await new Promise<void>((resolve) => destination.write('', () => resolve()));
    },
  };
}

function isOfOthers(event: MigratorEvent): event is MigratorEventOf<'server.notice' | 'hook.log'> {
  return event.type === 'server.notice' || event.type === 'hook.log';
}

function sizeOf(event: MigratorEvent): number {
  return LINE_OVERHEAD + (isOfOthers(event) ? event.message.length : 0);
}

function identityFields({ run, command, name, target, release, image }: RunnerIdentity): Record<string, unknown> {
  return {
    run,
    command,
    ...(target !== undefined && { target }),
    pod: name,
    ...(release !== undefined && { release }),
    ...(image !== undefined && { image }),
  };
}
