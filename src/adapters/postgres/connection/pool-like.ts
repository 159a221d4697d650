/**
 * The shapes of pool and client that the library accepts, written without the driver's types so that users do not need
 * them.
 */

/** What the library needs of `pg.Pool`; a pool of another copy of the driver fits too. */
export interface PoolLike {
  connect(): Promise<ClientLike & { release(destroy?: boolean | Error): void }>;
}

/** What the library needs of `pg.Client`, connected. */
export interface ClientLike {
  query(...args: never[]): unknown;
  on(event: string, listener: (...args: never[]) => void): unknown;
}
