/** The argument of a pre-migration hook, written without the driver's types so that users do not need them. */
import type { Version } from '../../../core/migration.ts';

/** What a hook module exports as its default. */
export type Hook = (context: HookContext) => unknown;

/** The shape of a `pg.Pool`. */
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
  /** The hook's own pool, never the session that holds the lock. */
  readonly pool: HookPool;
  readonly version: Version;
  readonly log: (message: string) => void;
  /** Aborts on a signal, when the session is lost, and after --hook-timeout. */
  readonly signal: AbortSignal;
}
