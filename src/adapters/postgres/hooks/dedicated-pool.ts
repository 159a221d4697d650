/** Opens a hook's pool in the hook's thread, to the server that the migrations are connected to. */
import pg from 'pg';

import { passwordOf } from '../connection/driver.ts';
import { readPassword, type Password } from '../address/passfile.ts';
import { PasswordTries } from '../address/password-tries.ts';
import { SecretWatch } from '../address/secret-watch.ts';
import { poolConfig } from '../connection/target.ts';
import { readAddress, type HookTarget } from '../connection/dedicated.ts';
import type { ConnectingOptions } from './hook-connector.ts';
import { hookConnections, type HookConnections } from './hook-pool.ts';
import { chosenStatements, setStatement } from '../state/settings.ts';
import { isPasswordRefused } from '../wire/sqlstate.ts';

/** Resets timeouts that a role may have set: a hook has --hook-timeout instead. Only settings that the server knows. */
const NO_TIMEOUTS =
  `SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=)` +
  ` ANY ('{statement_timeout,lock_timeout,idle_session_timeout,transaction_timeout}'::pg_catalog.text[])`;

/** A small pool with the session settings of the migrations; the password is read again for each connection. */
export function openHookPool(
  { target, input, serverSettings, role }: HookTarget,
  options: Pick<ConnectingOptions, 'connectWaitMs' | 'onWait'>,
): HookConnections {
  const statements = [NO_TIMEOUTS, ...chosenStatements({ serverSettings, role, serverVersion: 0 })];
  // pg-pool waits for the promise; its types do not say so.
  const onConnect: (client: pg.ClientBase) => unknown = async (client) => {
    // So that a hook that is ended leaves no statement running. Some servers refuse this setting.
    await client.query(setStatement([['client_connection_check_interval', '1s']])).catch(() => undefined);
    await client.query(statements.join(';\n'));
  };
  const tries = new PasswordTries();
  const secrets = new SecretWatch();
  let last: Password | undefined;
  const password = async (): Promise<string> => {
    const settings = readAddress(input);
    secrets.look(settings);
    last = (await readPassword(settings, new AbortController().signal))(target);
    tries.check(last.text);
    return passwordOf({ user: target.user, password: last.text, passwordSource: last.source });
  };
  return hookConnections(new pg.Pool({ ...poolConfig(target, { max: 4 }), password, onConnect }), {
    ...options,
    secretChanged: (signal) => secrets.changed(signal),
    refused: (error) => {
      const { server } = error.details;
      if (last?.source === undefined || !server || !isPasswordRefused(server, error.cause)) return error;
      const refused = error.with({ awaitsSecret: true });
      tries.refused(last.text, refused);
      return refused;
    },
  });
}
