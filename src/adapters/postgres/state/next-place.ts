/** Where the next run will look for the history, when this one has changed the path of its role or database. */
import type { SessionContext } from './context.ts';
import { keepPlace, place } from './place.ts';
import { BEGIN, OWN_PATH } from '../wire/own-path.ts';
import { Statements } from '../wire/statements.ts';
import { identifier, literal } from '../wire/sql.ts';

/**
 * The path that a new session gets: the most specific setting of role and database, else what the server gives
 * everybody. `reset_val` is what this session began with. Asked under the session's own path, which is part of the
 * answer.
 */
const NEXT_PATH = `SELECT coalesce((SELECT pg_catalog.substr(c.setting, 13) FROM pg_catalog.pg_db_role_setting s
    CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c(setting)
    WHERE pg_catalog.starts_with(c.setting, 'search_path=')
    AND (s.setdatabase OPERATOR(pg_catalog.=) 0 OR s.setdatabase OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()))
    AND (s.setrole OPERATOR(pg_catalog.=) 0 OR s.setrole OPERATOR(pg_catalog.=) (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) SESSION_USER))
    ORDER BY s.setrole OPERATOR(pg_catalog.<>) 0 DESC, s.setdatabase OPERATOR(pg_catalog.<>) 0 DESC LIMIT 1),
  CASE WHEN p.source OPERATOR(pg_catalog.=) ANY (ARRAY['database', 'user', 'database user']) THEN p.boot_val ELSE p.reset_val END)
  FROM pg_catalog.pg_settings p WHERE p.name OPERATOR(pg_catalog.=) 'search_path'`;

/** A sentence when it is another place than this run's. */
export async function placeOfNextRun({ relation, settings, wire, named }: SessionContext): Promise<string | undefined> {
  if (named) return undefined;
  // Of the address's path a file may have made a schema that was missing.
  const path = settings.serverSettings['search_path'] ?? (await wire.asIs(NEXT_PATH))[0]?.rows[0]?.[0] ?? '';
  const message = new Statements().add(BEGIN.read);
  if (settings.role !== undefined) message.add(`SET LOCAL ROLE ${identifier(settings.role)}`);
  message.add(`SELECT pg_catalog.set_config('search_path', ${literal(path)}, true)`);
  keepPlace(message, relation.name);
  message
    .add(OWN_PATH)
    .add(
      `SELECT ${place(relation.name)}, current_setting('lockstep.current'), quote_ident(${literal(relation.schema)})`,
      'next',
    )
    .add('COMMIT');
  const [found, current, mine] = message.result('next', await wire.transactionAsIs(message.text))?.rows[0] ?? [];
  if (found === mine && (current === mine || path === DEFAULT_PATH)) return undefined;
  return (
    `search_path of new sessions is now ${path}, where unqualified names are created in ${current === '' ? 'no schema' : current};` +
    ` the history stays in ${relation.schema}: set --table ${relation.schema}.${relation.name} (LOCKSTEP_TABLE) before the next run, which would look elsewhere`
  );
}

const DEFAULT_PATH = '"$user", public';
