/** The log: one line per event, as JSON for machines or as text for people. */
import { once } from 'node:events';
import { createLogger, format, transports } from 'winston';

import type { MigratorEvent } from '../../core/events.ts';
import type { Reporter } from '../../core/ports.ts';
import { printableJson, printableLine } from '../../core/printable.ts';
import type { RunnerIdentity } from '../../core/runner.ts';
import { describeEvent, type Level } from './describe-event.ts';

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

export function createLogReporter(options: LogOptions): LogReporter {
  const { destination, level, color } = options;
  const line = options.format === 'json' ? jsonLine : (info: Line) => textLine(info, color);
  const stream = new transports.Stream({ stream: destination, eol: '\n' });
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's types take the class for an instance of it
  const logger = createLogger({ level, format: format.printf((info) => line(info as unknown as Line)), transports: stream });
  const context = options.identity ? identityFields(options.identity) : {};
  return {
    report(event: MigratorEvent): void {
      const { detail, ...description } = describeEvent(event);
      const quiet = description.toldToPeople === true && options.humanOutput && options.format === 'text';
      const line: Line = {
        level: quiet ? 'debug' : description.level,
        message: description.message,
        detail,
        fields: { event: event.type, ...description.fields, ...context },
        time: new Date(),
      };
      logger.log(line);
    },
    async flush() {
      const finished = once(logger, 'finish');
      logger.end();
      await finished;
      await new Promise<void>((resolve) => destination.write('', () => resolve()));
    },
  };
}

interface Line {
  readonly level: Level;
  readonly message: string;
  readonly detail: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly time: Date;
}

function identityFields({ run, command, name, release, image }: RunnerIdentity): Record<string, unknown> {
  return { run, command, pod: name, ...(release !== undefined && { release }), ...(image !== undefined && { image }) };
}

function jsonLine({ time, level, message, fields }: Line): string {
  return printableJson({ time: time.toISOString(), level, msg: message, ...fields });
}

const COLORS: Readonly<Partial<Record<Level, string>>> = { debug: '\u001b[2m', warn: '\u001b[33m', error: '\u001b[31m' };

function textLine({ time, level, message, detail }: Line, color: boolean): string {
  const sentence = detail === undefined ? message : `${message}: ${detail}`;
  // A message from elsewhere can neither start a line of its own nor steer the terminal.
  const text = `${clock(time)} ${printableLine(sentence)}`;
  const start = color ? COLORS[level] : undefined;
  return start === undefined ? text : `${start}${text}\u001b[0m`;
}

/** The local time of day with milliseconds. */
function clock(time: Date): string {
  return `${time.toTimeString().slice(0, 8)}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}

