/** The pool of a hook in its own thread: to the place of the connection that the migrations have. */
import pg from 'pg';

import { poolConfig } from './connection/target.ts';
import type { HookTarget } from './dedicated.ts';
import { hookConnections, type HookConnections } from './hook-pool.ts';
import { chosenStatements, setStatement } from './session/settings.ts';

/** A small pool with the session settings that the migrations have. */
export function openHookPool({ target, serverSettings, role }: HookTarget): HookConnections {
  const statements = chosenStatements({ serverSettings, role, serverVersion: 0 });
  // pg-pool waits for the promise; its types do not say so.
  const onConnect: (client: pg.ClientBase) => unknown = async (client) => {
    // So that a hook which is ended leaves no statement behind; some servers refuse it.
    await client.query(setStatement([['client_connection_check_interval', '1s']])).catch(() => undefined);
    if (statements.length > 0) await client.query(statements.join(';\n'));
  };
  return hookConnections(new pg.Pool({ ...poolConfig(target, { max: 4 }), onConnect }));
}
