/** What `up` and `down` are asked to do. */
import type { Version } from '../../core/migration.ts';
import type { DownChoice } from '../../core/plan/stored-down.ts';
import type { DownTarget, UpTarget } from '../../core/plan/target.ts';

interface UpRequest {
  readonly direction: 'up';
  readonly target: UpTarget;
  /** Held versions that are to be applied again. */
  readonly reapply?: readonly Version[];
}

export interface DownRequest {
  readonly direction: 'down';
  readonly target: DownTarget;
  /** Which text runs where file and stored down SQL differ; without it they may not. */
  readonly choice?: DownChoice | undefined;
  /** Run stored SQL even if others than the owner could have written it. */
  readonly trustStored?: boolean;
  /** The releases that are known are not to apply again what is rolled back; undefined: if there are any. */
  readonly hold?: boolean | undefined;
  readonly reason?: string | undefined;
}

export type Request = UpRequest | DownRequest;
