/** The driver's client without its own defaults: nothing from the environment, no settings in the start-up packet. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type pg from 'pg';
import Client from 'pg/lib/client.js';

import { MigratorError } from '../../../core/errors.ts';
import type { ChannelBinding } from '../address/connection-settings.ts';

export interface Credentials {
  readonly user: string;
  readonly database: string;
  readonly password: string | undefined;
  /** The file or the command that it comes from, as named in messages. */
  readonly passwordSource: string | undefined;
  readonly applicationName: string;
  readonly channelBinding: ChannelBinding;
}

/** The configuration of DirectClient, also as a part of a pool's configuration. */
export interface DirectConfig extends pg.ClientConfig {
  readonly channelBinding?: ChannelBinding;
}

/** Sets every field that the driver would otherwise look up in the environment. */
export function directConfig(credentials: Credentials, isEncrypted: boolean): DirectConfig {
  const { user, database, applicationName, channelBinding } = credentials;
  return {
    user,
    database,
    // A function, because the driver reads ~/.pgpass if it has no password.
    password: () => passwordOf(credentials),
    application_name: applicationName,
    channelBinding,
    // Without TLS there is no channel to bind to, and the driver would tell the server that it offered none.
    enableChannelBinding: isEncrypted && channelBinding !== 'disable',
    ssl: false,
    sslnegotiation: 'postgres',
  };
}

export function passwordOf({
  user,
  password,
  passwordSource,
}: Pick<Credentials, 'user' | 'password' | 'passwordSource'>): string {
  if (password !== undefined) return password;
  if (passwordSource !== undefined) {
    throw new MigratorError(
      'ACCESS_REFUSED',
      `the server asks for the password of "${user}", but ${passwordSource} has no line for it`,
      {
        awaitsSecret: true,
        hint: 'a line is host:port:database:user:password; * matches anything',
      },
    );
  }
  throw new MigratorError('ACCESS_REFUSED', `the server asks for the password of "${user}", but none is set`, {
    hint: 'set it in the address, in PGPASSWORD, or in a password file',
  });
}

/** Can be the `Client` of a pool, which creates it with the pool's configuration. */
export class DirectClient extends Client {
  /** From the server's answer to the start-up packet. */
  declare readonly processID: number;
  declare readonly secretKey: number;
  readonly #applicationName: string;
  #serverEncoding: string | undefined;

  constructor(config: DirectConfig = {}) {
    super(config);
    this.connection.on(
      'parameterStatus',
      ({ parameterName, parameterValue }: { parameterName: string; parameterValue: string }) => {
        if (parameterName === 'server_encoding') this.#serverEncoding = parameterValue;
      },
    );
    this.#applicationName = config.application_name ?? '';
    if (config.channelBinding === 'require') this.#requireChannelBinding(config.enableChannelBinding === true);
  }

  /** The database's encoding, as reported by the server at login. */
  get serverEncoding(): string | undefined {
    return this.#serverEncoding;
  }

  /** The start-up packet, except the client encoding (UTF8). Poolers refuse any other setting in it. */
  getStartupConf(): Record<string, string> {
    return { user: this.user ?? '', database: this.database ?? '', application_name: this.#applicationName };
  }

  /** Closes the connection before a password is sent in any way but SCRAM bound to the TLS channel. */
  #requireChannelBinding(isEnabled: boolean): void {
    const { connection } = this;
    let isBound = false;
    const refuse = (): void => {
      const problem = 'channel_binding=require: the server does not offer SCRAM-SHA-256-PLUS over TLS';
      // At once: the packet that ends the start-up may have arrived together with this one.
      connection.emit('error', new MigratorError('ACCESS_REFUSED', problem));
      connection.stream.destroy();
    };
    connection.on('authenticationCleartextPassword', refuse);
    connection.on('authenticationMD5Password', refuse);
    connection.on('authenticationSASL', ({ mechanisms }: { mechanisms: string[] }) => {
      // The driver uses channel binding if it is enabled and offered.
      isBound = isEnabled && mechanisms.includes('SCRAM-SHA-256-PLUS');
      if (!isBound) refuse();
    });
    connection.on('authenticationOk', () => {
      if (!isBound) refuse();
    });
  }
}

/** Passes a connected socket to the driver, which calls `connect` and waits for the event. */
export function connectedStream(socket: Socket): () => Duplex {
  const connect = (): Socket => {
    queueMicrotask(() => socket.emit('connect'));
    return socket;
  };
  return () => Object.assign(socket, { connect });
}
