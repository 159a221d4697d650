/** What a terminal shows of a command as it goes: lines that stay, and below them one that is drawn again and again. */
import type { MigratorEvent, MigratorEventOf, MigratorEventType } from '../../core/events.ts';
import type { Direction } from '../../core/migration.ts';
import { printableLine } from '../../core/text/printable.ts';
import { linesOnStdout, skipLine } from '../lines-on-stdout.ts';
import { describeEvent } from '../log/describe-event.ts';
import type { Level } from '../log/description.ts';
import { counted, seconds } from '../words.ts';
import { Activity, type Ends } from './activity.ts';
import { terminalError } from './error.ts';
import { createPaint, type Color, type Paint } from './paint.ts';
import { columnsOf, fit, wrapIndented } from './width.ts';

export interface ScreenOptions {
  /** As wide as the terminal is now. */
  readonly columns: () => number;
  readonly colored: boolean;
  /** The minimum level of log lines. */
  readonly level: Level;
  /** Each skipped migration, and what else only the line at the bottom says. */
  readonly verbose: boolean;
  readonly ends: Ends;
}

/** The line at the bottom says it while it is so. */
const PASSING: ReadonlySet<MigratorEventType> = new Set([
  'database.waiting',
  'lock.waiting',
  'lock.acquired',
  'wait.pending',
  'run.planned',
  'migration.started',
  'statement.finished',
  'statement.running',
  'hook.started',
  'hook.finished',
]);

/** As a dry run indents it. */
const SQL = /^ {6}/;
const LEVELS: readonly Level[] = ['error', 'warn', 'info', 'debug'];
const COLORS: Readonly<Record<Level, Color>> = { error: 'red', warn: 'yellow', info: 'plain', debug: 'dim' };
/** Times stand in a column of their own, unless a name is longer. */
const NAME_COLUMNS = 48;

export class Screen {
  readonly #options: ScreenOptions;
  readonly #paint: Paint;
  readonly #activity: Activity;
  #nameColumns = 0;
  #skipped: { readonly count: number; readonly direction: Direction } | undefined;

  /** `now` is in milliseconds, here and below. */
  constructor(options: ScreenOptions, now: number) {
    this.#options = options;
    this.#paint = createPaint(options.colored);
    this.#activity = new Activity(options.ends, now);
  }

  /** The lines that stay. */
  report(event: MigratorEvent, now: number): string[] {
    if (event.type === 'migration.skipped' && !this.#options.verbose) {
      this.#skipped = { count: (this.#skipped?.count ?? 0) + 1, direction: event.direction };
      return [];
    }
    if (event.type === 'run.planned')
      this.#nameColumns = Math.min(NAME_COLUMNS, Math.max(0, ...event.versions.map(columnsOf)));
    this.#activity.follow(event, now);
    return [...this.#skips(), ...this.#lines(event)];
  }

  /** The line at the bottom; empty when there is nothing to wait for. */
  bottom(now: number): string {
    // A character in the last column makes some terminals go on to the next line.
    return this.#paint('dim', this.#activity.line(now, this.#options.columns() - 1));
  }

  /** The answer of the command. */
  answer(text: string): string[] {
    // SQL stays as it is, so that it can be copied.
    return text.split('\n').flatMap((line) => (SQL.test(line) ? line : wrapIndented(line, this.#options.columns())));
  }

  /** Of those that were skipped before something else happened. */
  #skips(): string[] {
    if (!this.#skipped) return [];
    const { count, direction } = this.#skipped;
    this.#skipped = undefined;
    return [skipLine(counted(count, 'migration'), direction)];
  }

  #lines(event: MigratorEvent): string[] {
    if (event.type === 'migration.applied' || event.type === 'migration.rolled-back') return [this.#doneLine(event)];
    if (event.type === 'run.finished') return [this.#lastLine(event)];
    if (event.type === 'run.failed') return terminalError(event.error, this.#paint, this.#options.columns());
    const lines = linesOnStdout(event, this.#options.verbose);
    return lines.length > 0 ? lines.map((line) => fit(line, this.#options.columns())) : this.#logLines(event);
  }

  #doneLine({ type, version, durationMs }: MigratorEventOf<'migration.applied' | 'migration.rolled-back'>): string {
    const direction = type === 'migration.applied' ? 'up' : 'down';
    const took = seconds(durationMs).padStart(7);
    const room = this.#options.columns() - `  ${direction}   ${took}`.length;
    const name = fit(printableLine(version), room);
    const padding = ' '.repeat(Math.max(0, Math.min(this.#nameColumns, room) - columnsOf(name)));
    return `  ${this.#paint('green', direction)} ${name}${padding}  ${this.#paint('dim', took)}`;
  }

  #lastLine({ applied, durationMs }: MigratorEventOf<'run.finished'>): string {
    if (applied.length === 0) return 'Done.';
    return `Done. ${this.#paint('dim', `${counted(applied.length, 'migration')} in ${seconds(durationMs)}`)}`;
  }

  #logLines(event: MigratorEvent): string[] {
    const { level, message, detail, alsoOnStdout } = describeEvent(event);
    const passing = PASSING.has(event.type) && !this.#options.verbose;
    const needed = passing || alsoOnStdout === true ? 'debug' : level;
    if (LEVELS.indexOf(needed) > LEVELS.indexOf(this.#options.level)) return [];
    const text = printableLine(detail === undefined ? message : `${message}: ${detail}`);
    return wrapIndented(text, this.#options.columns()).map((line) => this.#paint(COLORS[level], line));
  }
}
