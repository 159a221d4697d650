/** What a pre-migration hook is given. Told without the driver's types, so that users of ours need not have those. */
import type { Version } from '../../../core/migration.ts';

/** What a hook module exports as its default. */
export type Hook = (context: HookContext) => unknown;

/** A `pg.Pool`, told by its shape. */
export interface HookPool {
  query(text: string, values?: readonly unknown[]): Promise<HookResult>;
  connect(): Promise<HookClient>;
  end(): Promise<void>;
}

interface HookClient {
  query(text: string, values?: readonly unknown[]): Promise<HookResult>;
  release(destroy?: boolean | Error): void;
}

interface HookResult {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as the driver has it: only the hook's author knows the columns
  readonly rows: any[];
  readonly rowCount: number | null;
}

export interface HookContext {
  /** A pool of the hook's own, never the session that holds the lock. */
  readonly pool: HookPool;
  readonly version: Version;
  readonly log: (message: string) => void;
  /** Aborts on a signal, on a lost session, and when the hook's time is up. */
  readonly signal: AbortSignal;
}
