// Answers: how does the demo look? One plain line per thing, never drawn over, so that it reads the same on a terminal
// and in a log.
import { styleText } from 'node:util';
import { printableLine } from '../../src/core/text/printable.ts';

type Style = Parameters<typeof styleText>[0];

/** Colours where stdout is a terminal that has them; NO_COLOR and FORCE_COLOR are heard. */
export function styled(style: Style, text: string): string {
  return styleText(style, text);
}

export function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

export function heading(text: string): void {
  say(`\n${styled('bold', text)}`);
}

/** `  label       text`, for what is so from the beginning. */
export function fact(label: string, text: string): void {
  say(`  ${styled('dim', label.padEnd(12))}${text}`);
}

export function complain(text: string): void {
  process.stderr.write(`${styleText('red', text, { stream: process.stderr })}\n`);
}

/** `10 ms`, `2.05 s`. */
export function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** The lines of one wave of replicas, each with the time since the wave began. */
export class Timeline {
  readonly #begin = performance.now();
  readonly #nameWidth: number;

  constructor(names: readonly string[]) {
    this.#nameWidth = Math.max(...names.map((name) => name.length));
  }

  tell(name: string, text: string, style?: Style): void {
    const seconds = (performance.now() - this.#begin) / 1000;
    const time = styled('dim', `+${seconds.toFixed(2)}s`.padStart(8));
    // What the server or a hook says must not steer the terminal.
    const plain = printableLine(text);
    say(
      `${time}  ${styled('bold', name.padEnd(this.#nameWidth))}  ${style === undefined ? plain : styled(style, plain)}`,
    );
  }
}

/** A table with the first column to the left, the others to the right. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  styleOf: (row: number) => Style | undefined,
): void {
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('   ');
  say(`  ${styled('dim', line(header))}`);
  rows.forEach((row, index) => {
    const style = styleOf(index);
    say(`  ${style === undefined ? line(row) : styled(style, line(row))}`);
  });
}
