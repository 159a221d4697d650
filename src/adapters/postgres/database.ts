/** Opens sessions: on a connection of our own, or on a client of a pool that somebody gave us. */
import type pg from 'pg';

import type { Database, Reporter, Session } from '../../core/ports.ts';
import { applicationName, type RunnerIdentity } from '../../core/runner.ts';
import type { TableName } from '../../core/table-name.ts';
import { PostgresSession, type SessionState } from './session/session.ts';
import { Wire } from './session/wire.ts';

/** Not one that `lock` would take for a runner. */
const WATCHER_NAME = 'lockstep-watch';

/** A connected client, and how it is given back. */
export interface Connected {
  readonly client: pg.ClientBase;
  readonly address: string;
  /** Came from somebody's pool: it has that somebody's session settings, and its name is not ours. */
  readonly borrowed: boolean;
  /** The caller goes on with the session itself. */
  readonly givesBack: boolean;
  readonly release: (session: SessionState) => Promise<void>;
  /** Makes the statement that runs (if one does: `busy`) fail soon, on the server too. Resolves when the server has been told. */
  readonly interrupt: (session: { readonly busy: boolean }) => Promise<void>;
}

export type Connect = (applicationName: string, signal: AbortSignal) => Promise<Connected>;

export interface DatabaseOptions {
  readonly connect: Connect;
  /** A second connection for a moment, to look at a busy session; absent where there can be none. */
  readonly second?: Connect;
  /** A pooler in between is no reason to refuse, if it pools by session. */
  readonly allowPooler: boolean;
  readonly table: TableName;
  readonly lockKey: bigint | undefined;
  readonly role: string | undefined;
  readonly serverSettings: Readonly<Record<string, string>>;
  readonly reporter: Reporter;
}

export class PostgresDatabase implements Database {
  readonly #options: DatabaseOptions;

  constructor(options: DatabaseOptions) {
    this.#options = options;
  }

  async open(runner: RunnerIdentity, signal: AbortSignal): Promise<Session> {
    const { connect, second, allowPooler, table, lockKey, role, serverSettings, reporter } = this.#options;
    const name = applicationName(runner);
    const connected = await connect(name, signal);
    const { client, borrowed } = connected;
    const wire = new Wire(client);
    const giveUp = (): void => {
      wire.giveUp(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    wire.listen('notice', (notice: { readonly severity?: string; readonly message?: string }) => {
      reporter.report({ type: 'server.notice', severity: notice.severity ?? '', message: notice.message ?? '' });
    });
    try {
      return await PostgresSession.open({
        wire,
        address: connected.address,
        check: { table, lockKey, serverSettings, release: runner.release },
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
      signal.removeEventListener('abort', giveUp);
    }
  }
}

/** How long a second session may take where nothing else ends it. */
const SECOND_SESSION_MS = 5_000;

async function withSecondSession<T>(
  connect: Connect,
  body: (wire: Wire) => Promise<T>,
  signal = AbortSignal.timeout(SECOND_SESSION_MS),
): Promise<T> {
  const { client, release } = await connect(WATCHER_NAME, signal);
  const wire = new Wire(client);
  const giveUp = (): void => {
    wire.giveUp(signal.reason);
  };
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await body(wire);
  } finally {
    signal.removeEventListener('abort', giveUp);
    wire.detach();
    // It may be in a transaction.
    await release({ untouched: false, idle: false });
  }
}
