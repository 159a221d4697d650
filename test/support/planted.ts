/**
 * Plants every object that a role with CREATE in one schema of the path can create and that Lockstep's statements could
 * resolve by name.
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';

import { eventually } from './bounded.ts';

/** Types of values in Lockstep's statements, and the types to which the server converts them. */
const TYPES = [
  ...[
    'oid',
    'regclass',
    'regproc',
    'name',
    'text',
    '"char"',
    'varchar',
    'bpchar',
    'boolean',
    'smallint',
    'integer',
    'bigint',
    'numeric',
    'real',
    'double precision',
  ],
  ...[
    'json',
    'jsonb',
    'text[]',
    'name[]',
    'oid[]',
    'int2vector',
    'oidvector',
    'timestamptz',
    'timestamp',
    'interval',
    'uuid',
    'xid',
    'xid8',
    'bytea',
    'pg_node_tree',
    'bit(64)',
    'aclitem',
  ],
];

/** Every operator of PostgreSQL with a name that Lockstep uses, for every pair of those types. */
const OPERATORS = [
  '=',
  '<>',
  '<',
  '>',
  '<=',
  '>=',
  '+',
  '-',
  '*',
  '/',
  '&',
  '|',
  '#',
  '<<',
  '>>',
  '||',
  '->',
  '->>',
  '#>',
  '#>>',
  '@>',
  '?',
  '~',
  '!~',
  '~~',
  '!~~',
];

const BODY = `LANGUAGE plpgsql AS $b$ BEGIN RETURN NULL; END $b$`;

/** Runs with the privileges of a role that may create in `public`. */
const PLANT = `
SET search_path = pg_catalog;
SET check_function_bodies = off;
DO $plant$
DECLARE
  l text; r text; o text; f record;
BEGIN
  -- Operators for pairs of types; then those that PostgreSQL has, for their own types.
  FOREACH l IN ARRAY ARRAY[${TYPES.map((type) => `'${type}'`).join(', ')}] LOOP
    FOREACH r IN ARRAY ARRAY[${TYPES.map((type) => `'${type}'`).join(', ')}] LOOP
      EXECUTE format('CREATE FUNCTION public.planted(%s, %s) RETURNS boolean ${BODY}', l, r);
      FOREACH o IN ARRAY ARRAY[${OPERATORS.map((name) => `'${name}'`).join(', ')}] LOOP
        EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.planted)', o, l, r);
      END LOOP;
    END LOOP;
  END LOOP;
  FOR f IN SELECT oprname, format_type(oprleft, NULL) AS lt, format_type(oprright, NULL) AS rt, oprleft FROM pg_operator
    JOIN pg_type t ON t.oid = oprright WHERE t.typtype <> 'p' LOOP
    BEGIN
      IF f.oprleft = 0 THEN
        EXECUTE format('CREATE FUNCTION public.planted_%s(%s) RETURNS boolean ${BODY}', 'prefix', f.rt);
        EXECUTE format('CREATE OPERATOR public.%s (RIGHTARG = %s, FUNCTION = public.planted_prefix)', f.oprname, f.rt);
      ELSE
        EXECUTE format('CREATE FUNCTION public.planted_own(%s, %s) RETURNS boolean ${BODY}', f.lt, f.rt);
        EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.planted_own)', f.oprname, f.lt, f.rt);
      END IF;
    EXCEPTION WHEN duplicate_function THEN NULL;
    END;
  END LOOP;
  -- Functions with the names and the arguments of PostgreSQL's own; the last word is for those that take any type.
  FOR f IN SELECT proname, proretset, format_type(prorettype, NULL) AS rt, prorettype,
      (SELECT string_agg(format_type(a, NULL), ', ' ORDER BY n) FROM unnest(proargtypes::oid[]) WITH ORDINALITY u(a, n)) AS args
    FROM pg_proc p WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f'
    AND NOT EXISTS (SELECT FROM unnest(proargtypes::oid[] || prorettype) a JOIN pg_type t ON t.oid = a WHERE t.typtype = 'p'
      AND t.typname NOT IN ('anyelement', 'anyarray', 'record', 'void')) LOOP
    BEGIN
      EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s%s %s', f.proname, f.args,
        CASE WHEN f.proretset THEN 'SETOF ' END, f.rt,
        CASE WHEN f.proretset OR f.prorettype = 'void'::regtype THEN replace('${BODY}', 'RETURN NULL', 'RETURN') ELSE '${BODY}' END);
    EXCEPTION WHEN duplicate_function OR invalid_function_definition OR invalid_parameter_value OR datatype_mismatch OR feature_not_supported THEN NULL;
    END;
  END LOOP;
  -- Views with the names of catalogs, domains with the names of types.
  CREATE FUNCTION public.planted() RETURNS boolean ${BODY};
  FOR f IN SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v') LOOP
    EXECUTE format('CREATE VIEW public.%I AS SELECT public.planted() AS oid', f.relname);
  END LOOP;
  FOR f IN SELECT typname, format_type(oid, NULL) AS base FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typelem = 0 LOOP
    BEGIN
      EXECUTE format('CREATE DOMAIN public.%I AS pg_catalog.%I CHECK (public.planted() IS NULL)', f.typname, f.typname);
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
END $plant$;`;

export interface Planted {
  readonly functions: number;
  readonly operators: number;
  readonly relations: number;
  readonly types: number;
}

/**
 * Plants in `public` with the privileges of `role`, and makes the server count from now on whether anything planted
 * runs: calls of functions are counted in read-only transactions, too, and in those that are rolled back.
 */
export async function plant(databaseUrl: string, role: string): Promise<Planted> {
  return await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
    await client.query(`ALTER DATABASE ${rows[0]!.name} SET track_functions = 'all'`);
    await client.query(`GRANT CREATE ON SCHEMA public TO ${role}; SET ROLE ${role}; ${PLANT}`);
    const counts = await client.query<Planted>(`SELECT
      (SELECT count(*)::int FROM pg_proc WHERE pronamespace = 'public'::regnamespace) AS functions,
      (SELECT count(*)::int FROM pg_operator WHERE oprnamespace = 'public'::regnamespace) AS operators,
      (SELECT count(*)::int FROM pg_class WHERE relnamespace = 'public'::regnamespace) AS relations,
      (SELECT count(*)::int FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'd') AS types`);
    // From now on the planted objects come first on the path.
    await client.query(`RESET ROLE; ALTER DATABASE ${rows[0]!.name} SET search_path = public, pg_catalog`);
    return counts.rows[0]!;
  });
}

/** Every function of `schema` that has run since `plant`, by name, in sessions that have ended. */
export async function callsOf(databaseUrl: string, schema = 'public'): Promise<Record<string, number>> {
  await countsAreIn(databaseUrl);
  return await countsOf(databaseUrl, schema);
}

/**
 * Sessions report their counts when they end. Before PostgreSQL 15 a process of its own collects them, in the order in
 * which they come, and up to 500 ms may pass before others see them: so a call that comes last must be seen.
 */
async function countsAreIn(databaseUrl: string): Promise<void> {
  const last = `lockstep_test_last_${randomBytes(4).toString('hex')}`;
  await eventually('the sessions of Lockstep to end', () =>
    withClient(databaseUrl, async (client) => {
      await client.query('SET search_path = pg_catalog');
      const { rowCount } = await client.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name ~ '^lockstep (?!test)'`,
      );
      return rowCount === 0;
    }),
  );
  await withClient(databaseUrl, (client) =>
    client.query(
      `CREATE SCHEMA ${last}; CREATE FUNCTION ${last}.call() RETURNS pg_catalog.void LANGUAGE plpgsql AS $$ BEGIN END $$`,
    ),
  );
  await eventually('the counts of calls to be reported', async () => {
    await withClient(databaseUrl, (client) => client.query(`SET track_functions = 'all'; SELECT ${last}.call()`));
    return Object.keys(await countsOf(databaseUrl, last)).length > 0;
  });
  await withClient(databaseUrl, (client) => client.query(`DROP SCHEMA ${last} CASCADE`));
}

async function countsOf(databaseUrl: string, schema: string): Promise<Record<string, number>> {
  return await withClient(databaseUrl, async (client) => {
    await client.query('SET search_path = pg_catalog');
    const { rows } = await client.query<{ called: string; calls: number }>(
      `SELECT funcid::regprocedure::text AS called, calls::int AS calls FROM pg_stat_user_functions WHERE schemaname = $1 AND calls > 0`,
      [schema],
    );
    return Object.fromEntries(rows.map(({ called, calls }) => [called, calls]));
  });
}

export async function withClient<T>(databaseUrl: string, body: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}
