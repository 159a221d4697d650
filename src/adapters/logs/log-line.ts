/** Renders a log line: JSON for machines, text for people. */
import { cutMiddle } from '../../core/text/one-line.ts';
import { printableJson, printableLine } from '../../core/text/printable.ts';
import type { Level } from '../../output/log/description.ts';

export interface LogLine {
  readonly level: Level;
  readonly message: string;
  readonly detail: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly time: Date;
  /** Called when the line is written. */
  readonly written: () => void;
}

export interface LineWriter {
  /** `crowded`: lines arrive faster than they are written. */
  write(line: LogLine, load: { readonly crowded: boolean }): void;
  /** Resolves when every line is passed to the destination. */
  written(): Promise<void>;
}

/** Container runtimes split longer lines (at 16 KiB, including what they add), so that they are no JSON any more. */
export const MAX_LINE_BYTES = 16_000;

interface Room {
  /** Bytes of each text. */
  readonly bytes: number;
  /** Items of each list. */
  readonly items: number;
}

/** From generous to frugal. */
const ROOMS: readonly Room[] = [
  { bytes: 8_000, items: 100 },
  { bytes: 4_000, items: 50 },
  { bytes: 2_000, items: 20 },
  { bytes: 1_000, items: 10 },
  { bytes: 500, items: 5 },
  { bytes: 200, items: 3 },
];
/** Always fits, even if JSON's escapes make the texts longer. */
const SMALLEST: Room = { bytes: 100, items: 2 };

export function jsonLine({ time, level, message, fields }: LogLine): string {
  const whole = printableJson({ time: time.toISOString(), level, msg: message, ...fields });
  if (fits(whole)) return whole;
  // Already masked: half a password, in a text that is cut, would not be recognised.
  const document: unknown = JSON.parse(whole);
  for (const room of ROOMS) {
    const line = printableJson(shortened(document, room));
    if (fits(line)) return line;
  }
  return printableJson(shortened(document, SMALLEST));
}

/** With the line break. */
function fits(line: string): boolean {
  return Buffer.byteLength(line) < MAX_LINE_BYTES;
}

/** Cuts texts and lists in the middle. */
function shortened(value: unknown, room: Room): unknown {
  if (typeof value === 'string') return cutMiddle(value, room.bytes);
  if (Array.isArray(value)) return shortList(value, room.items).map((item) => shortened(item, room));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shortened(part, room)]));
}

function shortList(list: readonly unknown[], items: number): readonly unknown[] {
  return list.length <= items + 1
    ? list
    : [...list.slice(0, items - 1), `… [cut: ${list.length} in all] …`, list.at(-1)];
}

const COLORS: Readonly<Partial<Record<Level, string>>> = {
  debug: '\u001b[2m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
};

export function textLine({ time, level, message, detail, fields }: LogLine, color: boolean): string {
  const target = typeof fields['target'] === 'string' ? `${fields['target']}: ` : '';
  const sentence = `${target}${message}${detail === undefined ? '' : `: ${detail}`}`;
  // A text from elsewhere must neither start a new line nor control the terminal.
  const text = `${clock(time)} ${cutMiddle(printableLine(sentence), MAX_LINE_BYTES)}`;
  const start = color ? COLORS[level] : undefined;
  return start === undefined ? text : `${start}${text}\u001b[0m`;
}

/** The local time of day with milliseconds. */
function clock(time: Date): string {
  return `${time.toTimeString().slice(0, 8)}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}
