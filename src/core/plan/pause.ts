/** How long a migration that failed is left alone, so that restarting replicas do not hammer it. */
import type { ErrorCode } from '../errors.ts';

/** Failures that will be the same a moment later. What nobody knows the end of, and what was told to stop, is tried again at once. */
export const PAUSING: readonly ErrorCode[] = ['MIGRATION_FAILED', 'MIGRATION_INCOMPLETE', 'CONTENTION', 'HOOK_FAILED'];

/** What the journal knows of tries that failed: of this version, this text, this release. */
export interface Failures {
  /** In a row, at least 1. */
  readonly count: number;
  /** Milliseconds since the last one, by the server's clock. */
  readonly agoMs: number;
  /** The code and the words of the last one. */
  readonly code: ErrorCode;
  readonly error: string;
}

const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 600_000;

/**
 * Doubles with each failure, from 30 s to 10 min; what is left of it, 0 when the next try may start. A failure that lies in the
 * future was written before a clock went back: how long ago that is nobody knows.
 */
export function pauseLeftMs({ count, agoMs }: Failures): number {
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(count - 1, 20), LONGEST_PAUSE_MS);
  return agoMs < 0 ? 0 : Math.max(0, Math.ceil(pause - agoMs));
}
