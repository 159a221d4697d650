/** How long a failed migration is not tried again, so that restarting replicas do not hammer the database. */
import type { ErrorCode, RecordedFailure } from '../errors.ts';

/** Failures that would repeat a moment later. Runs with an unknown outcome and interrupted runs are retried at once. */
export const PAUSING: readonly ErrorCode[] = ['MIGRATION_FAILED', 'MIGRATION_INCOMPLETE', 'CONTENTION', 'HOOK_FAILED'];

/** What the journal knows about failed attempts at this version, with this text, by this release. */
export interface Failures extends RecordedFailure {
  /** In a row, at least 1. */
  readonly count: number;
  /** Milliseconds since the last one, by the server's clock. */
  readonly agoMs: number;
  /** Of the last one, like its other facts. */
  readonly code: ErrorCode;
}

const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 600_000;

/**
 * What is left of the pause, which doubles with each failure from 30 s to 10 min; 0 when the next attempt may start. A
 * failure in the future was written before the clock was set back, so its age is unknown and no pause applies.
 */
export function pauseLeftMs({ count, agoMs }: Failures): number {
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(count - 1, 20), LONGEST_PAUSE_MS);
  return agoMs < 0 ? 0 : Math.max(0, Math.ceil(pause - agoMs));
}
