/** Decides what of a run becomes a Kubernetes Event: few enough that the cluster and its readers bear them. */
import { describeBriefly } from '../../core/brief-error.ts';
import type { MigratorEvent, MigratorEventOf, MigratorEventType } from '../../core/events.ts';
import type { Direction, Version } from '../../core/migration.ts';
import { cutBytes, oneLine } from '../../core/text/one-line.ts';
import { describeBlocker, describeHolder } from '../../core/runner.ts';
import { REASON_OF_FAILURE, type Reason } from './reasons.ts';

/** The API server refuses a longer note (events.k8s.io/v1). */
export const MAX_NOTE_BYTES = 1024;
/** Of one run; the end of it always has room. */
export const MAX_EVENTS = 20;
const MAX_STEPS_TOLD = 10;
const MAX_PROGRESS = 5;
const WAITING_MS = 5_000;
const UNREACHABLE_MS = 10_000;

export interface EventText {
  readonly reason: Reason;
  readonly note: string;
}

export interface DigestOptions {
  readonly direction: Direction;
  /** Somebody looks at a Job; in pods, nothing to do is the rule. */
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

  /** The Event that is due now, if any. */
  of(event: MigratorEvent): EventText | undefined {
    // The table has a function per type; TypeScript can't tie the two together.
    const rule = this.#rules[event.type] as ((event: MigratorEvent) => EventText | undefined) | undefined;
    const text = rule?.(event);
    const isLast = event.type === 'run.finished' || event.type === 'run.failed';
    if (!text || this.#sum >= (isLast ? MAX_EVENTS : MAX_EVENTS - 1)) return undefined;
    this.#sum += 1;
    this.#sent.set(text.reason, this.#count(text.reason) + 1);
    return { reason: text.reason, note: cutBytes(oneLine(text.note), MAX_NOTE_BYTES) };
  }

  readonly #rules: Rules = {
    'database.waiting': ({ error }) => {
      const now = this.#options.now();
      this.#unreachableSince ??= now;
      if (now - this.#unreachableSince < UNREACHABLE_MS || this.#count('DatabaseUnreachable') > 0) return undefined;
      return { reason: 'DatabaseUnreachable', note: `Still trying: ${describeBriefly(error, MAX_NOTE_BYTES)}` };
    },
    'lock.waiting': ({ waitedMs, holder }) => {
      if (waitedMs < WAITING_MS || this.#count('WaitingForLock') > 0) return undefined;
      return {
        reason: 'WaitingForLock',
        note: `Waiting for the lock, held by ${holder ? describeHolder(holder) : 'a session that cannot be seen'}`,
      };
    },
    'database.ahead': ({ versions }) => {
      if (!this.#options.inJob) return undefined;
      return {
        reason: 'SchemaAhead',
        note: `The database is ahead: ${counted(versions)} applied that these files do not have: ${listed(versions)}`,
      };
    },
    'run.planned': ({ versions }) => {
      this.#planned = versions;
      return this.#isUp
        ? { reason: 'MigrationStarted', note: `Applying ${counted(versions)}: ${listed(versions)}` }
        : { reason: 'RollbackStarted', note: `Rolling back ${counted(versions)}: ${listed(versions)}` };
    },
    'migration.applied': ({ version, durationMs }) =>
      this.#step('MigrationApplied', `Applied ${version} in ${seconds(durationMs)}`),
    'migration.rolled-back': ({ version, durationMs }) =>
      this.#step('MigrationRolledBack', `Rolled back ${version} in ${seconds(durationMs)}`),
    'statement.running': (event) => this.#progress(event),
    'migration.all-skipped': ({ versions }) => {
      if (!this.#options.inJob || this.#planned) return undefined;
      return this.#isUp
        ? { reason: 'MigrationsUpToDate', note: `Nothing to do: ${counted(versions)} applied already` }
        : { reason: 'RollbackCompleted', note: 'Nothing to roll back' };
    },
    'run.finished': ({ applied, durationMs }) => {
      if (!this.#planned) return undefined;
      const facts = `${counted(applied)} in ${seconds(durationMs)}`;
      return this.#isUp
        ? { reason: 'MigrationsCompleted', note: `Applied ${facts}; the last was ${applied.at(-1)}` }
        : { reason: 'RollbackCompleted', note: `Rolled back ${facts}; the last was ${applied.at(-1)}` };
    },
    'run.failed': ({ error }) => {
      const prefix = `${error.code} (exit ${error.exit}): `;
      return {
        reason: REASON_OF_FAILURE[error.code],
        note: prefix + describeBriefly(error, MAX_NOTE_BYTES - prefix.length),
      };
    },
    // The end of the run tells why.
    'migration.failed': undefined,
    // For the log: too many, or of no interest to whoever looks at a pod.
    'session.opened': undefined,
    'session.setting-refused': undefined,
    'lock.acquired': undefined,
    'lock.released': undefined,
    'lock.waiters-cancelled': undefined,
    'wait.pending': undefined,
    'run.lost': undefined,
    'migration.skipped': undefined,
    'migration.started': undefined,
    'migration.retrying': undefined,
    // Those who are held say so themselves, when they end with 22.
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

  #step(reason: Reason, note: string): EventText | undefined {
    return this.#planned && this.#count(reason) < MAX_STEPS_TOLD ? { reason, note } : undefined;
  }

  /** Each time after twice the time: an hour's statement is told five times, not a hundred. */
  #progress({ version, elapsedMs, progress, blockers }: MigratorEventOf<'statement.running'>): EventText | undefined {
    // Less than before: another statement.
    if (elapsedMs <= this.#progressSeenMs) this.#nextProgressMs = 0;
    this.#progressSeenMs = elapsedMs;
    if (!this.#planned || elapsedMs < this.#nextProgressMs || this.#count('MigrationProgress') >= MAX_PROGRESS)
      return undefined;
    this.#nextProgressMs = elapsedMs * 2;
    const parts = [`A statement of ${version} has run for ${seconds(elapsedMs)}`];
    if (progress)
      parts.push(progress.percent === undefined ? progress.phase : `${progress.phase} ${progress.percent} %`);
    // Without their queries, which are for the log.
    for (const { pid, applicationName } of blockers)
      parts.push(`blocked by ${describeBlocker({ pid, applicationName })}`);
    return { reason: 'MigrationProgress', note: parts.join(', ') };
  }
}

function counted(versions: readonly Version[]): string {
  return versions.length === 1 ? '1 migration' : `${versions.length} migrations`;
}

function listed(versions: readonly Version[]): string {
  return versions.length <= 5 ? versions.join(', ') : `${versions.slice(0, 3).join(', ')}, …, ${versions.at(-1)}`;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
