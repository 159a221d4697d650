/** What happened when in one run? Metrics and traces are made of it. */
import type { MigratorError } from './errors.ts';
import type { MigratorEvent, MigratorEventOf, MigratorEventType } from './events.ts';
import type { Direction, Version } from './migration.ts';
import type { StepResult } from './outcome.ts';

/** In milliseconds since the epoch. */
export interface Span {
  readonly startedAt: number;
  readonly endedAt: number;
}

/** A migration with its hook and its retries. */
export interface RecordedStep extends Span {
  readonly version: Version;
  readonly direction: Direction;
  /** Of one that failed. */
  readonly error?: MigratorError | undefined;
}

export interface RunRecord extends Span {
  /** Undefined if no session was opened. */
  readonly database?: string | undefined;
  /** Undefined if the lock was not needed. */
  readonly lockWait?: Span | undefined;
  readonly steps: readonly RecordedStep[];
  /** Of a run over many schemas, instead of steps: each migration once, with its longest time. */
  readonly inSchemas: readonly RecordedInSchemas[];
}

export interface RecordedInSchemas extends StepResult {
  /** In how many schemas. */
  readonly count: number;
}

type Rules = { readonly [T in MigratorEventType]?: (event: MigratorEventOf<T>, now: number) => void };

export class RunRecorder {
  readonly #startedAt: number;
  readonly #steps: RecordedStep[] = [];
  readonly #inSchemas = new Map<string, RecordedInSchemas>();
  #database: string | undefined;
  #waitsSince: number | undefined;
  #lockWait: Span | undefined;
  #step = { version: '', since: 0 };

  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  /** `now` is when the event was reported. */
  see(event: MigratorEvent, now: number): void {
    // The table has a function per type; TypeScript can't tie the two together.
    const rule = this.#rules[event.type] as ((event: MigratorEvent, now: number) => void) | undefined;
    rule?.(event, now);
  }

  recorded(endedAt: number): RunRecord {
    const waited = this.#waitsSince === undefined ? undefined : { startedAt: this.#waitsSince, endedAt };
    return {
      startedAt: this.#startedAt,
      endedAt,
      database: this.#database,
      lockWait: this.#lockWait ?? waited,
      steps: this.#steps,
      inSchemas: [...this.#inSchemas.values()],
    };
  }

  readonly #rules: Rules = {
    'session.opened': ({ database }) => {
      this.#database = database;
    },
    'lock.waiting': ({ waitedMs }, now) => {
      this.#waitsSince ??= now - waitedMs;
    },
    'lock.acquired': ({ waitedMs }, now) => {
      this.#lockWait = { startedAt: now - waitedMs, endedAt: now };
    },
    'tenant.event': ({ event }) => {
      if (event.type === 'migration.applied') this.#addInSchemas({ ...event, direction: 'up' });
      if (event.type === 'migration.rolled-back') this.#addInSchemas({ ...event, direction: 'down' });
    },
    'hook.started': ({ version }, now) => this.#begin(version, now),
    'migration.started': ({ version }, now) => this.#begin(version, now),
    'migration.applied': ({ version, durationMs }, now) => {
      this.#steps.push({ version, direction: 'up', startedAt: now - durationMs, endedAt: now });
    },
    'migration.rolled-back': ({ version, durationMs }, now) => {
      this.#steps.push({ version, direction: 'down', startedAt: now - durationMs, endedAt: now });
    },
    'migration.failed': ({ version, direction, error }, now) => {
      this.#steps.push({ version, direction, error, startedAt: this.#step.since, endedAt: now });
    },
  };

  #addInSchemas({ version, direction, durationMs }: StepResult): void {
    const known = this.#inSchemas.get(`${direction} ${version}`);
    this.#inSchemas.set(`${direction} ${version}`, {
      version,
      direction,
      durationMs: Math.max(durationMs, known?.durationMs ?? 0),
      count: (known?.count ?? 0) + 1,
    });
  }

  /** A hook comes before its migration, and is a part of it. */
  #begin(version: Version, now: number): void {
    if (this.#step.version !== version) this.#step = { version, since: now };
  }
}
