/** A reason to refuse a plan. */
import type { ErrorCode } from '../errors.ts';

export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}
