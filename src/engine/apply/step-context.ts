/** What every step of a run is given. */
import type { Clock, HookRunner, Limits, Reporter } from '../../core/ports.ts';

export interface ApplyOptions {
  readonly limits: Limits;
  readonly hookTimeoutMs: number;
  /**
   * Cancel runners that block inside PostgreSQL on our key: a concurrent build would wait for them, and they for us.
   */
  readonly cancelBlockedWaiters: boolean;
}

export interface ApplyPorts {
  readonly hooks: HookRunner;
  readonly reporter: Reporter;
  readonly clock: Clock;
}

export interface StepContext {
  readonly options: ApplyOptions;
  readonly ports: ApplyPorts;
  readonly signal: AbortSignal;
}
