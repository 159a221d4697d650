/** The driver's client, held to what it is told: nothing from the environment, no settings in the start-up packet. */
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
  /** The file or the command that has it, as messages call it. */
  readonly passwordSource: string | undefined;
  readonly applicationName: string;
  readonly channelBinding: ChannelBinding;
}

/** What DirectClient understands, also as a part of a pool's configuration. */
export interface DirectConfig extends pg.ClientConfig {
  readonly channelBinding?: ChannelBinding;
}

/** Each field that is absent here is one that the driver would look up in the environment. */
export function directConfig(credentials: Credentials, isEncrypted: boolean): DirectConfig {
  const { user, database, applicationName, channelBinding } = credentials;
  return {
    user,
    database,
    // As a function, for without a password the driver would go and read ~/.pgpass.
    password: () => passwordOf(credentials),
    application_name: applicationName,
    channelBinding,
    // In clear there is nothing to bind to, and the driver would tell the server that it had not offered it.
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
      `the server asks for the password of "${user}", and ${passwordSource} has no line for it`,
      {
        awaitsSecret: true,
        hint: 'a line is host:port:database:user:password; * stands for any',
      },
    );
  }
  throw new MigratorError('ACCESS_REFUSED', `the server asks for the password of "${user}", and there is none`, {
    hint: 'put it into the address, PGPASSWORD, or a password file',
  });
}

/** Also fits as `Client` of a pool, which makes it with the pool's configuration. */
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

  /** Of the database, as the server has told it at the log-in. */
  get serverEncoding(): string | undefined {
    return this.#serverEncoding;
  }

  /** The whole start-up packet, but for the client encoding (UTF8). Poolers refuse any other setting in it. */
  getStartupConf(): Record<string, string> {
    return { user: this.user ?? '', database: this.database ?? '', application_name: this.#applicationName };
  }

  /** Hangs up before a password goes out in any way but SCRAM bound to the TLS channel. */
  #requireChannelBinding(isEnabled: boolean): void {
    const { connection } = this;
    let isBound = false;
    const refuse = (): void => {
      const problem = 'channel_binding=require: the server does not offer SCRAM-SHA-256-PLUS over TLS';
      // At once, for the packet that ends the start-up may have come together with this one.
      connection.emit('error', new MigratorError('ACCESS_REFUSED', problem));
      connection.stream.destroy();
    };
    connection.on('authenticationCleartextPassword', refuse);
    connection.on('authenticationMD5Password', refuse);
    connection.on('authenticationSASL', ({ mechanisms }: { mechanisms: string[] }) => {
      // What is enabled and offered is what the driver chooses.
      isBound = isEnabled && mechanisms.includes('SCRAM-SHA-256-PLUS');
      if (!isBound) refuse();
    });
    connection.on('authenticationOk', () => {
      if (!isBound) refuse();
    });
  }
}

/** For the driver, which connects the stream that it is given: a socket that is connected already, and says so. */
export function connectedStream(socket: Socket): () => Duplex {
  const connect = (): Socket => {
    queueMicrotask(() => socket.emit('connect'));
    return socket;
  };
  return () => Object.assign(socket, { connect });
}
