/** A connection, Lockstep's own or borrowed from a caller, and how to give it back. */
import type pg from 'pg';

/** The state of a session when it is given back. */
export interface SessionState {
  /** Nothing in the session has changed. */
  readonly untouched: boolean;
  /** No statement is running, no transaction is open, and the lock is not held. */
  readonly idle: boolean;
}

/** A connected client, and how it is given back. */
export interface Connected {
  readonly client: pg.ClientBase;
  readonly address: string;
  /** The server settings in the address. */
  readonly serverSettings: Readonly<Record<string, string>>;
  /** From a caller's pool: it has the caller's session settings and name. */
  readonly borrowed: boolean;
  /** The caller continues to use the session. */
  readonly givesBack: boolean;
  readonly release: (session: SessionState) => Promise<void>;
  /**
   * Cancels the running statement (if there is one: `busy`), on the server too. Resolves when the server has the
   * request.
   */
  readonly interrupt: (session: { readonly busy: boolean }) => Promise<void>;
}

export type Connect = (applicationName: string, signal: AbortSignal) => Promise<Connected>;
