/** Opens sessions: on a connection of our own, or on a caller's client. */
import type { Database, Reporter, Session } from '../../core/ports.ts';
import { applicationName, type RunnerIdentity } from '../../core/runner.ts';
import { boundedWords } from '../../core/server-words.ts';
import type { TableName } from '../../core/table-name.ts';
import type { Connect } from './connection/connected.ts';
import { whenAborted } from '../../core/until-aborted.ts';
import { PostgresSession } from './session.ts';
import type { Tenant } from './state/context.ts';
import { Wire } from './wire/wire.ts';

/** A name that `lock` does not take for a runner's. */
const WATCHER_NAME = 'lockstep-watch';

export interface DatabaseOptions {
  readonly connect: Connect;
  /** A second connection for a moment, to look at a busy session; absent where there can be none. */
  readonly second?: Connect;
  /** Accept a connection pooler that pools by session. */
  readonly allowPooler: boolean;
  readonly table: TableName;
  readonly lockKey: bigint | undefined;
  /** The table is that of one schema of many. */
  readonly tenant?: Tenant | undefined;
  readonly role: string | undefined;
  /** Resolves when the reason for the last refused attempt may be gone; absent where that cannot be known. */
  readonly secretChanged?: (signal: AbortSignal) => Promise<void>;
  readonly reporter: Reporter;
}

export class PostgresDatabase implements Database {
  readonly #options: DatabaseOptions;

  constructor(options: DatabaseOptions) {
    this.#options = options;
  }

  async secretChanged(signal: AbortSignal): Promise<void> {
    await this.#options.secretChanged?.(signal);
  }

  async open(runner: RunnerIdentity, signal: AbortSignal): Promise<Session> {
    const { connect, second, allowPooler, table, lockKey, tenant, role, reporter } = this.#options;
    const name = applicationName(runner);
    const connected = await connect(name, signal);
    const { client, borrowed, serverSettings } = connected;
    const wire = new Wire(client);
    const stopListening = whenAborted(signal, () => wire.giveUp(signal.reason));
    wire.listen('notice', (notice: { readonly severity?: string; readonly message?: string }) => {
      reporter.report({
        type: 'server.notice',
        severity: notice.severity ?? '',
        message: boundedWords(notice.message ?? ''),
      });
    });
    try {
      return await PostgresSession.open({
        wire,
        address: connected.address,
        check: { table, lockKey, tenant, serverSettings, role, release: runner.release },
        runner,
        role,
        ...(borrowed && { borrowedName: name }),
        onRefused: (setting, reason) => {
          reporter.report({ type: 'session.setting-refused', setting, reason });
        },
        givesBack: connected.givesBack,
        close: connected.release,
        interrupt: connected.interrupt,
        allowPooler,
        ...(second && { secondSession: (body, ended) => withSecondSession(second, body, ended) }),
      });
    } catch (error) {
      wire.detach();
      await connected.release({ untouched: false, idle: false });
      throw error;
    } finally {
      stopListening();
    }
  }
}

/** How long a second session may take when nothing else ends it, in milliseconds. */
const SECOND_SESSION_MS = 5_000;

export async function withSecondSession<T>(
  connect: Connect,
  body: (wire: Wire) => Promise<T>,
  signal = AbortSignal.timeout(SECOND_SESSION_MS),
): Promise<T> {
  const { client, release } = await connect(WATCHER_NAME, signal);
  const wire = new Wire(client);
  const stopListening = whenAborted(signal, () => wire.giveUp(signal.reason));
  try {
    return await body(wire);
  } finally {
    stopListening();
    wire.detach();
    // It may be in a transaction.
    await release({ untouched: false, idle: false });
  }
}
