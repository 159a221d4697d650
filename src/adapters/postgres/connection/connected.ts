/** A connection as the rest gets it, of our own or borrowed, and how it is given back. */
import type pg from 'pg';

/** How a session is left. */
export interface SessionState {
  /** It is as it was when it came. */
  readonly untouched: boolean;
  /** It runs nothing, is in no transaction, and does not hold the lock. */
  readonly idle: boolean;
}

/** A connected client, and how it is given back. */
export interface Connected {
  readonly client: pg.ClientBase;
  readonly address: string;
  /** What the address asks of the session. */
  readonly serverSettings: Readonly<Record<string, string>>;
  /** Came from somebody's pool: it has that somebody's session settings, and its name is not ours. */
  readonly borrowed: boolean;
  /** The caller goes on with the session itself. */
  readonly givesBack: boolean;
  readonly release: (session: SessionState) => Promise<void>;
  /** Makes the statement that runs (if one does: `busy`) fail soon, on the server too. Resolves when the server has been told. */
  readonly interrupt: (session: { readonly busy: boolean }) => Promise<void>;
}

export type Connect = (applicationName: string, signal: AbortSignal) => Promise<Connected>;
