/** What goes on at the moment: the line at the bottom of a terminal, which is drawn again and again. */
import type { MigratorEvent, MigratorEventOf, MigratorEventType } from '../../core/events.ts';
import { describeBlocker, describeHolder } from '../../core/runner.ts';
import { printableLine } from '../../core/text/printable.ts';
import { columnsOf, fit } from './width.ts';

/** The settings that end a wait, as `--connect-wait=60s`. */
export interface Ends {
  readonly connecting?: string;
  readonly waiting?: string;
}

interface Doing {
  readonly what: string;
  readonly more?: string;
  readonly since: number;
  readonly ends?: string | undefined;
}

interface Moment {
  readonly now: number;
  readonly before: Doing | undefined;
  readonly ends: Ends;
}

type Follow = {
  readonly [T in MigratorEventType]?: (event: MigratorEventOf<T>, moment: Moment) => Doing | undefined;
};

const nothing = (): undefined => undefined;

/** All others change nothing. */
const FOLLOW: Follow = {
  'database.waiting': ({ error }, { now, before, ends }) => ({
    what: 'waiting',
    more: error.summary,
    since: before?.since ?? now,
    ends: ends.connecting,
  }),
  'session.opened': nothing,
  'lock.waiting': ({ waitedMs, holder }, { now, ends }) => ({
    what: 'waiting',
    more: holder
      ? `the lock is held by ${describeHolder(holder)}`
      : 'the lock is held by a session that this role cannot see',
    since: now - waitedMs,
    ends: ends.waiting,
  }),
  'wait.pending': ({ message }, { now, before, ends }) => ({
    what: 'waiting',
    more: message,
    since: before?.since ?? now,
    ends: ends.waiting,
  }),
  'lock.acquired': nothing,
  'run.planned': nothing,
  'migration.all-skipped': nothing,
  'migration.started': ({ direction, version }, { now }) => ({ what: `${direction} ${version}`, since: now }),
  'hook.started': ({ version }, { now }) => ({ what: `hook of ${version}`, since: now }),
  'hook.finished': ({ version }, { now }) => ({ what: `up ${version}`, since: now }),
  'statement.finished': ({ statement, of }, { before }) =>
    before && { ...before, more: `statement ${statement} of ${of} is done` },
  'statement.running': (event, { before }) => before && { ...before, more: describeRunning(event) },
  'migration.applied': nothing,
  'migration.rolled-back': nothing,
  'migration.failed': nothing,
  'run.finished': nothing,
  'run.failed': nothing,
};

export class Activity {
  readonly #ends: Ends;
  #doing: Doing | undefined;
  #planned = 0;
  #done = 0;

  /** `now` is in milliseconds, here and below. */
  constructor(ends: Ends, now: number) {
    this.#ends = ends;
    if (ends.connecting !== undefined) this.#doing = { what: 'connecting', since: now, ends: ends.connecting };
  }

  follow(event: MigratorEvent, now: number): void {
    if (event.type === 'run.planned') [this.#planned, this.#done] = [event.versions.length, 0];
    if (event.type === 'migration.applied' || event.type === 'migration.rolled-back') this.#done += 1;
    // The table has a function per type; TypeScript can't tie the two together.
    const follow = FOLLOW[event.type] as ((event: MigratorEvent, moment: Moment) => Doing | undefined) | undefined;
    if (follow) this.#doing = follow(event, { now, before: this.#doing, ends: this.#ends });
  }

  /** At most `columns` wide; empty when there is nothing to wait for. */
  line(now: number, columns: number): string {
    if (!this.#doing) return '';
    const { what, more = '', since, ends } = this.#doing;
    const position = this.#planned > 1 ? `[${Math.min(this.#done + 1, this.#planned)}/${this.#planned}] ` : '';
    const time = ` ${Math.max(0, Math.floor((now - since) / 1000))} s`;
    const limit = ends === undefined ? '' : ` (${ends} ends it)`;
    const name = fit(printableLine(what), Math.max(12, columns - 30));
    const head = fit(`  ${position}${name}${time}${limit}`, columns);
    const room = columns - columnsOf(head) - 2;
    return more === '' || room < 12 ? head : `${head}: ${fit(printableLine(more), room)}`;
  }
}

function describeRunning({ progress, blockers }: MigratorEventOf<'statement.running'>): string {
  return [
    ...blockers.map((blocker) => `blocked by ${describeBlocker(blocker)}`),
    ...(progress ? [progress.percent === undefined ? progress.phase : `${progress.phase} ${progress.percent} %`] : []),
  ].join(', ');
}
