/** Every Kubernetes Event that Lockstep sends: its reason, its type, and when it is sent. */
import type { ErrorCode } from '../../core/errors.ts';

interface ReasonEntry {
  readonly type: 'Normal' | 'Warning';
  /** When it is sent; docs/kubernetes.md shows it. */
  readonly when: string;
}

export const REASONS = {
  MigrationStarted: { type: 'Normal', when: '`up` has the lock and starts the first pending migration' },
  MigrationApplied: { type: 'Normal', when: 'a migration is applied; at most 10 in a run' },
  MigrationProgress: {
    type: 'Normal',
    when: 'a statement has run for 10 s, then each time after twice as long; at most 5 in a run',
  },
  MigrationsCompleted: { type: 'Normal', when: '`up` has applied every planned migration' },
  MigrationsUpToDate: { type: 'Normal', when: 'nothing was pending; only in a Job' },
  WaitingForLock: { type: 'Normal', when: 'another runner has held the lock for 5 s; once' },
  LockTimeout: { type: 'Warning', when: '`up` or `down` did not get the lock within `--lock-wait` (31)' },
  DatabaseUnreachable: {
    type: 'Warning',
    when: 'the database has not answered for 10 s, once; and when the run gives up (30)',
  },
  MigrationFailed: {
    type: 'Warning',
    when: 'the run failed for any other reason: the SQL (40, 41), the files (21), …',
  },
  HistoryConflict: { type: 'Warning', when: 'the files and the history of the database disagree (22)' },
  SchemaAhead: { type: 'Warning', when: 'the database has versions without a file here; only in a Job, once' },
  RollbackStarted: { type: 'Normal', when: '`down` has the lock and starts' },
  MigrationRolledBack: { type: 'Normal', when: 'a migration is rolled back; at most 10 in a run' },
  RollbackCompleted: { type: 'Normal', when: '`down` has finished; in a Job also if there was nothing to roll back' },
  RollbackRefused: { type: 'Warning', when: '`down` was refused and nothing ran (24)' },
  SchemaDrifted: { type: 'Warning', when: '`drift` has found that the database is not what the migrations make (42)' },
  Interrupted: { type: 'Warning', when: 'a signal ended the run (130, 143)' },
} as const satisfies Record<string, ReasonEntry>;

export type Reason = keyof typeof REASONS;

/** The Event of a failed run. */
export const REASON_OF_FAILURE = {
  INTERNAL: 'MigrationFailed',
  CONFIG_INVALID: 'MigrationFailed',
  MIGRATIONS_INVALID: 'MigrationFailed',
  HISTORY_CONFLICT: 'HistoryConflict',
  ACCESS_REFUSED: 'MigrationFailed',
  ROLLBACK_REFUSED: 'RollbackRefused',
  DATABASE_UNAVAILABLE: 'DatabaseUnreachable',
  LOCK_TIMEOUT: 'LockTimeout',
  CONTENTION: 'MigrationFailed',
  PENDING: 'MigrationFailed',
  OUTCOME_UNKNOWN: 'MigrationFailed',
  HOOK_FAILED: 'MigrationFailed',
  MIGRATION_FAILED: 'MigrationFailed',
  MIGRATION_INCOMPLETE: 'MigrationFailed',
  NOT_PROVEN: 'MigrationFailed',
  DRIFTED: 'SchemaDrifted',
  INTERRUPTED: 'Interrupted',
} as const satisfies Record<ErrorCode, Reason>;
