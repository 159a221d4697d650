/** Lockstep's own connections, by libpq's rules: they can be interrupted, and hooks connect to the same server. */
import { once } from 'node:events';

import { MigratorError } from '../../../core/errors.ts';
import { parseAddress, type AddressInput } from '../address/address.ts';
import { openClient } from './connect.ts';
import { describeAddress, type ConnectionSettings } from '../address/connection-settings.ts';
import type { Connected } from './connected.ts';
import type { DirectClient } from './driver.ts';
import { PasswordTries } from '../address/password-tries.ts';
import { SecretWatch } from '../address/secret-watch.ts';
import { cancelRequest, type ResolvedTarget } from './target.ts';

/** A cancelled statement usually ends at once; after this time the socket is closed. */
const CANCEL_GRACE_MS = 2_000;
/** How long to wait for the server to close the connection after Terminate. */
const GOODBYE_MS = 1_000;

/** Where hooks connect to: plain data, so that it can go to a worker thread. */
export interface HookTarget {
  readonly target: ResolvedTarget;
  /** The source of the password, which is read again for each connection. */
  readonly input: AddressInput;
  readonly serverSettings: Readonly<Record<string, string>>;
  readonly role: string | undefined;
}

/**
 * @throws MigratorError CONFIG_INVALID with every problem of the address, or DATABASE_UNAVAILABLE if the address file
 * does not exist yet.
 */
export function readAddress(input: AddressInput): ConnectionSettings {
  const { settings, problems } = parseAddress(input);
  if (settings) return settings;
  throw new MigratorError('CONFIG_INVALID', 'the database address cannot be used', {
    problems,
    hint: 'for example: DATABASE_URL=postgresql://user@host:5432/database',
  });
}

export class DedicatedConnections {
  readonly #input: AddressInput;
  readonly #role: string | undefined;
  readonly #tries = new PasswordTries();
  readonly #secrets = new SecretWatch();
  #hookTarget: HookTarget | undefined;

  /** The files that `input` names are read at each attempt: they may have changed. */
  constructor(input: AddressInput, role: string | undefined) {
    this.#input = input;
    this.#role = role;
  }

  readonly connect = async (applicationName: string, signal: AbortSignal): Promise<Connected> => {
    this.#secrets.look({ addressFile: this.#input.databaseUrlFile });
    const settings = readAddress(this.#input);
    this.#secrets.look(settings);
    const { client, target } = await openClient(settings, { applicationName, signal, tries: this.#tries });
    this.#hookTarget = { target, input: this.#input, serverSettings: settings.serverSettings, role: this.#role };
    return {
      client,
      serverSettings: settings.serverSettings,
      address: describeAddress(settings),
      borrowed: false,
      givesBack: false,
      release: ({ idle }) => goodbye(client, idle),
      interrupt: ({ busy }) => interrupt(client, target, busy),
    };
  };

  /** Resolves when a file has changed since the last attempt, or when the signal aborts. */
  readonly secretChanged = (signal: AbortSignal): Promise<void> => this.#secrets.changed(signal);

  /** @throws MigratorError INTERNAL before the first connection. */
  readonly hookTarget = (): HookTarget => {
    if (this.#hookTarget) return this.#hookTarget;
    throw new MigratorError('INTERNAL', 'a hook was to run before there was a connection');
  };
}

async function interrupt(client: DirectClient, target: ResolvedTarget, busy: boolean): Promise<void> {
  const cutOff = setTimeout(() => client.connection.stream.destroy(), CANCEL_GRACE_MS);
  // Do not keep a process alive that has finished before.
  cutOff.unref();
  if (!busy) return;
  // If the request is refused or lost, the socket is closed, which the server notices within a second.
  await cancelRequest(target, client.processID, client.secretKey, AbortSignal.timeout(CANCEL_GRACE_MS)).catch(
    () => undefined,
  );
}

/** If the session is not idle, waits until the server has ended it and so released the lock. */
async function goodbye(client: DirectClient, idle: boolean): Promise<void> {
  const { stream } = client.connection;
  const cutOff = setTimeout(() => stream.destroy(), GOODBYE_MS);
  const ended = client.end().catch(() => undefined);
  await (idle ? Promise.race([ended, once(stream, 'finish').catch(() => undefined)]) : ended);
  clearTimeout(cutOff);
  if (idle) stream.destroy();
}
