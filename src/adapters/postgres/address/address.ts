/** Parses the database address, a URL or `key=value` words, and completes it from the PG… variables as libpq does. */
import { isIP } from 'node:net';
import { join } from 'node:path';

import { SSL_MODES, TLS_VERSIONS } from './connection-settings.ts';
import type { ConnectionSettings, HostSettings, KeepAlive, SslMode, TlsSettings } from './connection-settings.ts';
import { parseConninfo } from './conninfo.ts';
import { Parameters, type Environment } from './parameters.ts';
import { SETTING_VARIABLES } from './keywords.ts';
import { readSecretFile } from './secret-file.ts';
import { parseOptions, settingProblem } from './server-settings.ts';

/** Plain data, so that it can go to a worker thread. */
export interface AddressInput {
  readonly databaseUrl?: string | undefined;
  /** A file that holds the address and nothing else. */
  readonly databaseUrlFile?: string | undefined;
  readonly env: Environment;
  /** The home folder, for `.pgpass` and `.postgresql`; without one those files are not looked for. */
  readonly home?: string | undefined;
  /** A file that holds the password and nothing else. */
  readonly passwordFile?: string | undefined;
  /** A program that prints the password, and its arguments. */
  readonly passwordCommand?: readonly string[] | undefined;
}

export interface ParsedAddress {
  /** Absent when there are problems. */
  readonly settings?: ConnectionSettings;
  /** Every problem at once, and never with a value from the address: any part of it may be a secret. */
  readonly problems: readonly string[];
}

/** libpq waits without limit; here, the next host is tried even if one swallows packets. */
const CONNECT_TIMEOUT_S = 10;
/**
 * A lost server is noticed after 25 s, even while waiting for an answer; the operating system's defaults take minutes.
 */
const KEEPALIVE_IDLE_S = 10;
const KEEPALIVE_INTERVAL_S = 5;
const KEEPALIVE_COUNT = 3;

/**
 * @throws MigratorError DATABASE_UNAVAILABLE if the address file does not exist yet, CONFIG_INVALID if it cannot be
 * read.
 */
export function parseAddress(input: AddressInput): ParsedAddress {
  const { databaseUrlFile: file } = input;
  const address = file === undefined ? (input.databaseUrl ?? '') : readSecretFile(file, '--database-url-file:');
  const conninfo = address.trim() === '' ? new Map<string, string>() : parseConninfo(address);
  if ('problem' in conninfo) return { problems: [`database address: ${conninfo.problem}`] };
  const parameters = new Parameters(conninfo, input.env);
  const { problems } = parameters;
  parameters.refuse();
  const hosts = readHosts(parameters, conninfo.size > 0);
  const user = parameters.text('user');
  if (user === undefined) problems.push('no database user: add it to the address, or set PGUSER');
  const passfile = parameters.text('passfile');
  const settings = {
    hosts,
    database: parameters.text('dbname') ?? user ?? '',
    user: user ?? '',
    password: parameters.text('password'),
    passwordFile: input.passwordFile,
    passwordCommand: input.passwordCommand,
    addressFile: file,
    passfile: passfile === undefined ? defaultPassfile(input.home) : { path: passfile, named: true },
    loadBalance: parameters.oneOf('load_balance_hosts', ['disable', 'random'], 'disable') === 'random',
    connectTimeoutMs: parameters.wholeNumber('connect_timeout', CONNECT_TIMEOUT_S) * 1000,
    tls: readTls(parameters, input.home),
    channelBinding: parameters.oneOf('channel_binding', ['disable', 'prefer', 'require'], 'prefer'),
    targetSession: parameters.oneOf('target_session_attrs', ['any', 'read-write', 'primary'], 'any'),
    keepAlive: readKeepAlive(parameters),
    runnerName: readRunnerName(parameters),
    // Last, because it takes all remaining keywords.
    serverSettings: readServerSettings(parameters, input.env),
  } satisfies ConnectionSettings;
  return problems.length > 0 ? { problems } : { settings, problems };
}

function readHosts(parameters: Parameters, hasAddress: boolean): HostSettings[] {
  const { problems } = parameters;
  const names = parameters.list('host');
  const addresses = parameters.list('hostaddr');
  const ports = parameters.list('port') ?? ['5432'];
  const hosts = names ?? addresses;
  if (hosts === undefined) {
    problems.push(
      hasAddress
        ? 'the database address has no host, and PGHOST is not set'
        : 'no database address: set DATABASE_URL or PGHOST',
    );
    return [];
  }
  if (addresses !== undefined && addresses.length !== hosts.length)
    problems.push('hostaddr: must have as many entries as host');
  if (ports.length !== 1 && ports.length !== hosts.length)
    problems.push('port: must have one entry, or as many as host');
  if (addresses?.some((one) => isIP(one) === 0)) problems.push('hostaddr: must be an IP address');
  if (!hosts.every((host) => host.startsWith('/') || /^[^\s/\\@?#'"[\]]+$/.test(host))) {
    problems.push('host: each entry must be a name, an IP address, or the folder of a unix socket (starting with /)');
  }
  const numbers = ports.map((port) => (port === '' ? 5432 : /^\d{1,5}$/.test(port) ? Number(port) : 0));
  if (!numbers.every((port) => port >= 1 && port <= 65535)) problems.push('port: must be a number from 1 to 65535');
  return hosts.map((host, index) => ({
    host,
    address: addresses?.[index],
    port: numbers[numbers.length === 1 ? 0 : index] ?? 5432,
  }));
}

function defaultPassfile(home: string | undefined): ConnectionSettings['passfile'] {
  return home === undefined ? undefined : { path: join(home, '.pgpass'), named: false };
}

function readTls(parameters: Parameters, home: string | undefined): TlsSettings {
  const { problems } = parameters;
  const rootCert = parameters.text('sslrootcert');
  const mode: SslMode = parameters.oneOf('sslmode', SSL_MODES, rootCert === 'system' ? 'verify-full' : 'prefer');
  const negotiation = parameters.oneOf('sslnegotiation', ['postgres', 'direct'], 'postgres');
  const minVersion = parameters.oneOf('ssl_min_protocol_version', TLS_VERSIONS, 'TLSv1.2');
  const maxVersion = parameters.oneOf('ssl_max_protocol_version', TLS_VERSIONS, undefined);
  if (rootCert === 'system' && mode !== 'verify-full') problems.push('sslrootcert=system: needs sslmode=verify-full');
  if (negotiation === 'direct' && !['require', 'verify-ca', 'verify-full'].includes(mode)) {
    problems.push('sslnegotiation=direct: needs sslmode=require, verify-ca or verify-full');
  }
  if (maxVersion !== undefined && minVersion > maxVersion) {
    problems.push('ssl_min_protocol_version: is newer than ssl_max_protocol_version');
  }
  return {
    mode,
    rootCert,
    cert: parameters.text('sslcert'),
    key: parameters.text('sslkey'),
    keyPassword: parameters.text('sslpassword'),
    crl: parameters.text('sslcrl'),
    folder: home === undefined ? undefined : join(home, '.postgresql'),
    sendsCert: parameters.oneOf('sslcertmode', ['allow', 'disable'], 'allow') === 'allow',
    sendsName: parameters.oneOf('sslsni', ['0', '1'], '1') === '1',
    minVersion,
    maxVersion,
    negotiation,
  };
}

function readKeepAlive(parameters: Parameters): KeepAlive | undefined {
  const on = parameters.oneOf('keepalives', ['0', '1'], '1') === '1';
  const keepAlive = {
    idleMs: parameters.wholeNumber('keepalives_idle', KEEPALIVE_IDLE_S) * 1000,
    intervalMs: parameters.wholeNumber('keepalives_interval', KEEPALIVE_INTERVAL_S) * 1000,
    count: parameters.wholeNumber('keepalives_count', KEEPALIVE_COUNT),
  };
  return on ? keepAlive : undefined;
}

function readRunnerName(parameters: Parameters): string | undefined {
  const fallback = parameters.text('fallback_application_name');
  return parameters.text('application_name') ?? fallback;
}

/** Keyword parameters win over `options`, which wins over PGTZ and its like. */
function readServerSettings(parameters: Parameters, env: Environment): Record<string, string> {
  const settings = new Map<string, string>();
  const add = (name: string, value: string): void => {
    const problem = settingProblem(name);
    if (problem === undefined) settings.set(name.toLowerCase(), value);
    else parameters.problems.push(`${name}: ${problem}`);
  };
  for (const [variable, name] of Object.entries(SETTING_VARIABLES)) {
    const value = env[variable] ?? '';
    if (value !== '' && value.toLowerCase() !== 'default') add(name, value);
  }
  const from = parameters.from('options');
  const options = parseOptions(parameters.text('options') ?? '');
  if ('problem' in options) parameters.problems.push(`${from}: ${options.problem}`);
  else for (const [name, value] of options) add(name, value);
  // This includes tcp_user_timeout: Node has no such socket option, so it applies at the server's end of the
  // connection.
  for (const [name, value] of parameters.rest()) add(name, value);
  return Object.fromEntries(settings);
}
