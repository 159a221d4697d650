/** What the user asks of `up` and `down`. */
import type { Version } from '../../core/migration.ts';
import type { DownChoice } from '../../core/plan/stored-down.ts';
import type { DownTarget, UpTarget } from '../../core/plan/target.ts';

interface UpRequest {
  readonly direction: 'up';
  readonly target: UpTarget;
  /** Held versions to apply again. */
  readonly reapply?: readonly Version[];
}

export interface DownRequest {
  readonly direction: 'down';
  readonly target: DownTarget;
  /** Which text runs when the file and the stored down SQL differ; without a choice, a difference is refused. */
  readonly choice?: DownChoice | undefined;
  /** Run stored SQL even if a role other than the owner could have written it. */
  readonly trustStored?: boolean;
  /** Whether to hold what is rolled back, for all known releases; undefined: hold it if any release is known. */
  readonly hold?: boolean | undefined;
  readonly reason?: string | undefined;
}

export type Request = UpRequest | DownRequest;
