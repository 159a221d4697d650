/** What the database records: the history (applied versions) and the journal (events). */
import type { ErrorCode, RecordedFailure } from './errors.ts';
import type { Direction, Version } from './migration.ts';

/** A row of the history table. */
export interface AppliedVersion {
  readonly version: Version;
  readonly checksum?: string | undefined;
  readonly appliedAt?: Date | undefined;
}

/** The history as one read saw it. */
export interface HistoryState {
  readonly exists: boolean;
  readonly applied: readonly AppliedVersion[];
}

export type JournalEvent =
  | 'run started'
  | 'run ended'
  | 'run lost'
  | 'started'
  | 'statement started'
  | 'statement done'
  | 'applied'
  | 'rolled back'
  | 'baselined'
  | 'repaired'
  | 'renamed'
  | 'down stored'
  | 'held'
  | 'hold ended'
  | 'progress reset'
  | 'release seen'
  | 'statement failed'
  | 'statement reset'
  | 'failed';

/** A row of the journal; rows are only ever added. */
export interface JournalEntry {
  readonly id: string;
  readonly at: Date;
  readonly run: string;
  readonly event: JournalEvent;
  readonly command?: string | undefined;
  readonly version?: Version | undefined;
  readonly direction?: Direction | undefined;
  readonly statement?: number | undefined;
  readonly durationMs?: number | undefined;
  readonly code?: ErrorCode | undefined;
  readonly error?: string | undefined;
  /** Where in the file it failed, and the server's code. */
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly sqlstate?: string | undefined;
  readonly runner?: string | undefined;
  readonly release?: string | undefined;
  readonly image?: string | undefined;
  readonly checksum?: string | undefined;
  readonly hold?: JournalHeldVersion | undefined;
}

/**
 * For *rolled back* and *held*: which releases must not apply it again, and why; for *applied* and *hold ended*: why
 * the hold ended; for *renamed*: the new name.
 */
export interface JournalHeldVersion {
  readonly releases?: readonly string[];
  /** The release that had applied it. */
  readonly appliedBy?: string;
  /** Only in rows that an early version of Lockstep wrote. */
  readonly upChecksum?: string;
  readonly reason?: string;
}

/** What later runs repeat of a failure. */
export function recordedFailure({
  error = '',
  file,
  line = 1,
  sqlstate,
}: Pick<JournalEntry, 'error' | 'file' | 'line' | 'sqlstate'>): RecordedFailure {
  return { error, at: file === undefined ? undefined : { file, line }, sqlstate };
}

/** A failed migration in one line for people. */
export function describeFailure({ version = '', at, runner, error = '', file, line }: JournalEntry): string {
  const place = file === undefined ? '' : ` (${error.includes(file) ? 'line ' : `${file}:`}${line})`;
  return `${version} failed at ${at.toISOString()}${runner === undefined ? '' : ` on ${runner}`}${place}: ${error}`;
}
