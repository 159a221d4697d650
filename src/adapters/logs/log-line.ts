/** What a line of the log says, and how it looks: JSON for machines, text for people. */
import { printableJson, printableLine } from '../../core/printable.ts';
import type { Level } from './describe-event.ts';

export interface LogLine {
  readonly level: Level;
  readonly message: string;
  readonly detail: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly time: Date;
}

export interface LineWriter {
  write(line: LogLine): void;
  /** Resolves when every line is with the destination; nothing may be written after it. */
  close(): Promise<void>;
}

export function jsonLine({ time, level, message, fields }: LogLine): string {
  return printableJson({ time: time.toISOString(), level, msg: message, ...fields });
}

const COLORS: Readonly<Partial<Record<Level, string>>> = { debug: '\u001b[2m', warn: '\u001b[33m', error: '\u001b[31m' };

export function textLine({ time, level, message, detail }: LogLine, color: boolean): string {
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
