/** Opens a connection: tries servers, encryption and passwords in libpq's order. */
import { isIP } from 'node:net';

import { MigratorError, toMigratorError } from '../../../core/errors.ts';
import {
  describePlace,
  type ConnectionSettings,
  type HostSettings,
  type SslMode,
} from '../address/connection-settings.ts';
import type { DirectClient } from './driver.ts';
import { readPassword, type Password } from '../address/passfile.ts';
import { PasswordTries } from '../address/password-tries.ts';
import { openSocket } from './socket.ts';
import { startUp } from './start-up.ts';
import type { ResolvedTarget } from './target.ts';
import { readTls, type Tls } from './tls.ts';
import { untilAborted } from '../../../core/until-aborted.ts';

export interface OpenOptions {
  readonly applicationName: string;
  readonly signal: AbortSignal;
  /** Shared by all attempts that may use the same password. */
  readonly tries?: PasswordTries;
}

export interface Opened {
  readonly client: DirectClient;
  readonly target: ResolvedTarget;
}

interface Place extends HostSettings {
  readonly address: string;
}

type Encryption = 'none' | 'tls-if-offered' | 'tls';

/** What all attempts share. */
interface Opening extends Required<OpenOptions> {
  readonly settings: ConnectionSettings;
  readonly passwordOf: (place: HostSettings) => Password;
  /** From all attempts so far. */
  readonly failures: MigratorError[];
}

interface Failure {
  readonly error: MigratorError;
  /** Whether to try the same server with the next kind of encryption. */
  readonly mayFallBack: boolean;
}

/** What libpq tries with each mode (PostgreSQL manual, "SSL Support", "SSL Mode Descriptions"). */
const ENCRYPTIONS: Readonly<Record<SslMode, readonly Encryption[]>> = {
  disable: ['none'],
  allow: ['none', 'tls'],
  prefer: ['tls-if-offered', 'none'],
  require: ['tls'],
  'verify-ca': ['tls'],
  'verify-full': ['tls'],
};

/** The server's answer if pg_hba.conf has no entry for this kind of connection. */
const INVALID_AUTHORIZATION = '28000';

/**
 * Tries each address of each host once. The next one is tried only if a server is not available: a wrong password is
 * wrong everywhere.
 * @throws MigratorError of the last attempt, with all of them as `problems`; or the signal's reason.
 */
export async function openClient(settings: ConnectionSettings, options: OpenOptions): Promise<Opened> {
  const failures: MigratorError[] = [];
  const opening = {
    tries: new PasswordTries(),
    ...options,
    settings,
    failures,
    passwordOf: await readPassword(settings, options.signal),
  };
  for (const host of inOrder(settings.hosts, settings)) {
    for (const place of await placesOf(host, opening)) {
      const opened = await openAt(place, opening);
      if (opened !== undefined) return opened;
      if (failures.at(-1)?.code !== 'DATABASE_UNAVAILABLE') throw summed(failures);
    }
  }
  throw summed(failures);
}

async function openAt(place: Place, opening: Opening): Promise<Opened | undefined> {
  // A unix socket has no TLS, whatever sslmode is.
  const encryptions = place.host.startsWith('/') ? (['none'] as const) : ENCRYPTIONS[opening.settings.tls.mode];
  for (const encryption of encryptions) {
    const result = await attempt(place, encryption, opening);
    if ('client' in result) return result;
    opening.failures.push(result.error);
    if (!result.mayFallBack) return undefined;
  }
  return undefined;
}

async function attempt(place: Place, encryption: Encryption, opening: Opening): Promise<Opened | Failure> {
  const { settings, signal, applicationName, tries } = opening;
  const limit = limited(settings, signal);
  const { text: password, source: passwordSource } = opening.passwordOf(place);
  let isConnected = false;
  try {
    tries.check(password);
    const { database, user, channelBinding, keepAlive, connectTimeoutMs } = settings;
    const tls: Tls | false = encryption === 'none' ? false : readTls(settings.tls, place.host);
    const target = {
      ...place,
      tls,
      keepAlive,
      user,
      database,
      password,
      passwordSource,
      applicationName,
      channelBinding,
      connectTimeoutMs,
    };
    const socket = await openSocket(target, limit, encryption === 'tls-if-offered' ? 'if-offered' : 'required');
    isConnected = true;
    const resolved = { ...target, tls: 'encrypted' in socket && tls };
    return { client: await startUp(socket, resolved, settings.targetSession, limit), target: resolved };
  } catch (thrown) {
    signal.throwIfAborted();
    const error = limit.aborted ? noAnswer(place, settings) : toMigratorError(thrown);
    // Another kind of encryption would not help, and each attempt counts.
    if (error.details.awaitsSecret === true) {
      if (isConnected) tries.refused(password, error);
      return { error, mayFallBack: false };
    }
    // Before the login, only TLS can be refused.
    const mayFallBack = isConnected
      ? error.details.server?.sqlstate === INVALID_AUTHORIZATION
      : error.code === 'ACCESS_REFUSED';
    return { error, mayFallBack };
  }
}

/** The addresses of a host; none, and one more failure, if its name cannot be resolved. */
async function placesOf(host: HostSettings, { settings, signal, failures }: Opening): Promise<Place[]> {
  const fixed = host.address ?? (isIP(host.host) !== 0 || host.host.startsWith('/') ? host.host : undefined);
  if (fixed !== undefined) return [{ ...host, address: fixed }];
  const limit = limited(settings, signal);
  try {
    const { lookup } = await import('node:dns/promises');
    const found = await untilAborted(lookup(host.host, { all: true }), limit);
    return inOrder(found, settings).map(({ address }) => ({ ...host, address }));
  } catch (cause) {
    signal.throwIfAborted();
    const summary = `cannot resolve ${host.host}: ${(cause as Error).message}`;
    failures.push(
      limit.aborted ? noAnswer(host, settings) : new MigratorError('DATABASE_UNAVAILABLE', summary, { cause }),
    );
    return [];
  }
}

function limited({ connectTimeoutMs }: ConnectionSettings, signal: AbortSignal): AbortSignal {
  return connectTimeoutMs === 0 ? signal : AbortSignal.any([signal, AbortSignal.timeout(connectTimeoutMs)]);
}

function noAnswer(host: HostSettings, { connectTimeoutMs }: ConnectionSettings): MigratorError {
  return new MigratorError(
    'DATABASE_UNAVAILABLE',
    `no answer from ${describePlace(host)} within ${connectTimeoutMs / 1000} s`,
    {
      hint: 'check for a firewall or a network policy in between; connect_timeout sets how long to wait',
    },
  );
}

/** In the order given, or shuffled for `load_balance_hosts=random`. */
function inOrder<T>(items: readonly T[], { loadBalance }: ConnectionSettings): readonly T[] {
  if (!loadBalance) return items;
  return items
    .map((item) => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/** The last failure, which ended the attempt, with all failures as its problems. */
function summed(failures: readonly MigratorError[]): MigratorError {
  const last = failures.at(-1) ?? new MigratorError('DATABASE_UNAVAILABLE', 'the host name has no address');
  const summaries = [...new Set(failures.map(({ summary }) => summary))];
  return summaries.length < 2 ? last : last.with({ problems: summaries });
}
