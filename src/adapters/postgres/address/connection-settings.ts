/** Where the database is and how to get in, as plain data; parsed by address.ts, used by connect.ts. */

export const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

export const TLS_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

/** One server to try. */
export interface HostSettings {
  /** A name, an IP address, or the folder of a unix socket (starts with a slash). */
  readonly host: string;
  /** `hostaddr`: the IP address to connect to, so that the name need not be looked up. */
  readonly address: string | undefined;
  readonly port: number;
}

/** Files are given by path and read at each attempt. */
export interface TlsSettings {
  readonly mode: SslMode;
  /** A file, or `system` for the trusted roots of the machine. */
  readonly rootCert: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly keyPassword: string | undefined;
  readonly crl: string | undefined;
  /** Where libpq looks for files that are not named: `~/.postgresql`. */
  readonly folder: string | undefined;
  readonly sendsCert: boolean;
  readonly sendsName: boolean;
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion | undefined;
  readonly negotiation: 'postgres' | 'direct';
}

export interface KeepAlive {
  /** 0 leaves it to the operating system, here and below. */
  readonly idleMs: number;
  readonly intervalMs: number;
  readonly count: number;
}

export type TargetSession = 'any' | 'read-write' | 'primary';
export type ChannelBinding = 'disable' | 'prefer' | 'require';

export interface ConnectionSettings {
  /** In the order to try. */
  readonly hosts: readonly HostSettings[];
  readonly loadBalance: boolean;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  /** A file that holds the password and nothing else; it wins over `password`. */
  readonly passwordFile: string | undefined;
  /** A program that prints the password, and its arguments; it wins over all other sources. */
  readonly passwordCommand: readonly string[] | undefined;
  /** The file that the address was read from. */
  readonly addressFile: string | undefined;
  /** A file in the format of `.pgpass`, asked when there is no password. */
  readonly passfile: { readonly path: string; readonly named: boolean } | undefined;
  /** For one attempt; 0 waits without limit. */
  readonly connectTimeoutMs: number;
  readonly tls: TlsSettings;
  readonly channelBinding: ChannelBinding;
  readonly targetSession: TargetSession;
  readonly keepAlive: KeepAlive | undefined;
  /** `application_name`: the name that the user has chosen for this runner. */
  readonly runnerName: string | undefined;
  /** Names in lower case. Apply with `set_config`, because a value such as `app, public` is one text. */
  readonly serverSettings: Readonly<Record<string, string>>;
}

/** `host:port` for people: IPv6 in brackets, a socket's folder as it is. */
export function describePlace({ host, port }: { host: string; port: number }): string {
  return `${host.includes(':') && !host.startsWith('/') ? `[${host}]` : host}:${port}`;
}

/** `user@host:port/database`, without secrets. */
export function describeAddress(settings: ConnectionSettings): string {
  return `${settings.user}@${settings.hosts.map(describePlace).join(',')}/${settings.database}`;
}
