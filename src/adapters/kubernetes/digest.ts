/** Decides which events of a run become Kubernetes Events: few enough for the cluster and its readers. */
import type { MigratorEvent, MigratorEventOf, MigratorEventType } from '../../core/events.ts';
import type { Direction, Version } from '../../core/migration.ts';
import * as notes from '../../output/events/notes.ts';
import { REASON_OF_FAILURE, type Reason } from './reasons.ts';

/** Per run. One of them is reserved for the end of the run. */
export const MAX_EVENTS = 20;
const MAX_STEPS = 10;
const MAX_PROGRESS = 5;
const WAITING_MS = 5_000;
const UNREACHABLE_MS = 10_000;

export interface EventText {
  readonly reason: Reason;
  readonly note: string;
}

export interface DigestOptions {
  readonly direction: Direction;
  /** Of a fleet: begins every note, as all pods of a Job say it of the same Job. */
  readonly target?: string | undefined;
  /** In a Job, "nothing to do" is worth an Event; in a pod it is the rule. */
  readonly inJob: boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

type Rules = { readonly [T in MigratorEventType]: ((event: MigratorEventOf<T>) => EventText | undefined) | undefined };

export class Digest {
  readonly #options: DigestOptions;
  readonly #sent = new Map<Reason, number>();
  #sum = 0;
  #planned: readonly Version[] | undefined;
  #unreachableSince: number | undefined;
  #progressSeenMs = 0;
  #nextProgressMs = 0;

  constructor(options: DigestOptions) {
    this.#options = options;
  }

  /** The Event to send for this event, if any. */
  of(event: MigratorEvent): EventText | undefined {
    // The table has a function per type; TypeScript can't tie the two together.
    const rule = this.#rules[event.type] as ((event: MigratorEvent) => EventText | undefined) | undefined;
    const text = rule?.(event);
    const isLast = ['run.finished', 'tenants.finished', 'run.failed'].includes(event.type);
    if (!text || this.#sum >= (isLast ? MAX_EVENTS : MAX_EVENTS - 1)) return undefined;
    this.#sum += 1;
    const { target } = this.#options;
    this.#sent.set(text.reason, this.#count(text.reason) + 1);
    return {
      reason: text.reason,
      note: notes.fittedNote(target === undefined ? text.note : `${target}: ${text.note}`),
    };
  }

  readonly #rules: Rules = {
    'database.waiting': ({ error }) => {
      const now = this.#options.now();
      this.#unreachableSince ??= now;
      if (now - this.#unreachableSince < UNREACHABLE_MS || this.#count('DatabaseUnreachable') > 0) return undefined;
      return { reason: 'DatabaseUnreachable', note: notes.unreachableNote(error) };
    },
    'lock.waiting': ({ waitedMs, holder }) => {
      if (waitedMs < WAITING_MS || this.#count('WaitingForLock') > 0) return undefined;
      return { reason: 'WaitingForLock', note: notes.waitingNote(holder) };
    },
    'database.ahead': ({ versions }) =>
      this.#options.inJob ? { reason: 'SchemaAhead', note: notes.aheadNote(versions) } : undefined,
    'run.planned': ({ versions }) => {
      this.#planned = versions;
      const reason = this.#isUp ? 'MigrationStarted' : 'RollbackStarted';
      return { reason, note: notes.plannedNote(this.#options.direction, versions) };
    },
    'migration.applied': ({ version, durationMs }) =>
      this.#step('MigrationApplied', notes.stepNote('up', version, durationMs)),
    'migration.rolled-back': ({ version, durationMs }) =>
      this.#step('MigrationRolledBack', notes.stepNote('down', version, durationMs)),
    'statement.running': (event) => this.#progress(event),
    'migration.all-skipped': ({ versions }) => {
      if (!this.#options.inJob || this.#planned) return undefined;
      const reason = this.#isUp ? 'MigrationsUpToDate' : 'RollbackCompleted';
      return { reason, note: notes.nothingToDoNote(this.#options.direction, versions) };
    },
    'run.finished': ({ applied, durationMs }) => {
      if (!this.#planned) return undefined;
      const reason = this.#isUp ? 'MigrationsCompleted' : 'RollbackCompleted';
      return { reason, note: notes.finishedNote(this.#options.direction, applied, durationMs) };
    },
    'run.failed': ({ error }) => ({ reason: REASON_OF_FAILURE[error.code], note: notes.failedNote(error) }),
    'tenants.planned': ({ direction, work, schemas }) => {
      this.#planned = [];
      const reason = this.#isUp ? 'MigrationStarted' : 'RollbackStarted';
      return { reason, note: notes.tenantsPlannedNote(direction, work, schemas) };
    },
    'tenants.waiting': ({ holder }) =>
      this.#count('WaitingForLock') > 0 ? undefined : { reason: 'WaitingForLock', note: notes.waitingNote(holder) },
    'tenants.finished': (event) => this.#tenantsEnd(event),
    // The error at the end names the first of them.
    'tenant.failed': undefined,
    'tenant.event': undefined,
    'tenant.done': undefined,
    'tenant.gone': undefined,
    // `run.failed` follows and says why.
    'migration.failed': undefined,
    // For the log only: too many, or of no interest to whoever looks at a pod.
    'session.opened': undefined,
    'session.setting-refused': undefined,
    'lock.acquired': undefined,
    'lock.released': undefined,
    'lock.waiters-cancelled': undefined,
    'wait.pending': undefined,
    'wait.failed': undefined,
    'run.lost': undefined,
    'migration.skipped': undefined,
    'migrations.skipped': undefined,
    'migration.started': undefined,
    'migration.retrying': undefined,
    // A run that is refused because of a held version ends with 22, which is an Event of its own.
    'rollback.held': undefined,
    'rollback.not-held': undefined,
    'hold.ended': undefined,
    'migration.baselined': undefined,
    'migration.imported': undefined,
    'table.renamed': undefined,
    'repair.planned': undefined,
    'statement.finished': undefined,
    'index.dropped': undefined,
    'hook.started': undefined,
    'hook.finished': undefined,
    'hook.log': undefined,
    'server.notice': undefined,
    warning: undefined,
  };

  get #isUp(): boolean {
    return this.#options.direction === 'up';
  }

  #count(reason: Reason): number {
    return this.#sent.get(reason) ?? 0;
  }

  #tenantsEnd({ direction, counts, dryRun, durationMs }: MigratorEventOf<'tenants.finished'>): EventText | undefined {
    // `run.failed` follows.
    if (dryRun || counts.failed + counts.notRun > 0) return undefined;
    if (this.#planned) {
      const reason = this.#isUp ? 'MigrationsCompleted' : 'RollbackCompleted';
      return { reason, note: notes.tenantsFinishedNote(direction, counts, durationMs) };
    }
    if (!this.#options.inJob) return undefined;
    const reason = this.#isUp ? 'MigrationsUpToDate' : 'RollbackCompleted';
    return { reason, note: notes.tenantsUpToDateNote(counts) };
  }

  #step(reason: Reason, note: string): EventText | undefined {
    return this.#planned && this.#count(reason) < MAX_STEPS ? { reason, note } : undefined;
  }

  /** Each Event after twice the time of the last: a statement that runs for an hour yields five, not a hundred. */
  #progress(event: MigratorEventOf<'statement.running'>): EventText | undefined {
    const { elapsedMs } = event;
    // Less than before: another statement.
    if (elapsedMs <= this.#progressSeenMs) this.#nextProgressMs = 0;
    this.#progressSeenMs = elapsedMs;
    if (!this.#planned || elapsedMs < this.#nextProgressMs || this.#count('MigrationProgress') >= MAX_PROGRESS)
      return undefined;
    this.#nextProgressMs = elapsedMs * 2;
    return { reason: 'MigrationProgress', note: notes.progressNote(event) };
  }
}
