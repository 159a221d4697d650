/**
 * What hangs on history and journal that would run with our rights when we read or write them, or hide rows from us.
 * An allow-list: what it does not know is found.
 */
import { MigratorError } from '../../../core/errors.ts';
import type { Access } from '../wire/own-path.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import { escapeLiteral } from '../wire/sql.ts';

/** The first oid that is none of PostgreSQL's own objects (`FirstNormalObjectId` of its sources). */
const FIRST_USER_OID = 16_384;

/** Of both tables. */
const COLUMNS = [
  'version checksum applied_at',
  'id at run event command direction statement duration_ms code error runner release image lockstep down_sql down_checksum irreversible hold statement_sql file line sqlstate',
]
  .join(' ')
  .split(' ');

/** Built-in functions that may stand in a default although they are not immutable: they run nothing of others'. */
const HARMLESS = [
  ...[
    'now',
    'transaction_timestamp',
    'statement_timestamp',
    'clock_timestamp',
    'timeofday',
    'timezone',
    'date',
    'timestamp',
    'timestamptz',
    'to_char',
  ],
  ...[
    'nextval',
    'random',
    'gen_random_uuid',
    'uuidv4',
    'uuidv7',
    'inet_client_addr',
    'pg_backend_pid',
    'current_database',
    'current_schema',
    'current_setting',
  ],
];

const NAMED = `pg_catalog.format('%I.%I', (SELECT nspname FROM pg_namespace n WHERE n.oid = c.relnamespace), c.relname)`;

/** An expression that can run nothing but built-in functions, and of these nothing that runs SQL. */
function isHarmless(tree: string, catalog: string, oid: string): string {
  const names = HARMLESS.map((name) => `'${name}'`).join(', ');
  return (
    `(NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.refobjid >= ${FIRST_USER_OID}` +
    ` AND d.refclassid <> 'pg_class'::regclass)` +
    ` AND NOT EXISTS (SELECT FROM regexp_matches(${tree}::text, ':funcid (\\d+)', 'g') m JOIN pg_proc p ON p.oid = m[1]::oid` +
    ` WHERE p.provolatile <> 'i' AND p.proname NOT IN (${names})))`
  );
}

/** Kind, and the object's name: SQL after `FROM pg_class c`, `c` being one of the tables. */
type Finding = readonly [kind: string, name: string, sql: string];

const READ: readonly Finding[] = [
  ['is no ordinary table', 'NULL', `WHERE (c.relkind <> 'r' OR c.relpersistence = 't')`],
  ['row security is active for this role', 'NULL', 'WHERE c.relrowsecurity AND row_security_active(c.oid)'],
  ['inherits to', 'i.inhrelid::regclass::text', 'JOIN pg_inherits i ON i.inhparent = c.oid WHERE true'],
  [
    'has a column that is generated or of a type that is not built in',
    'a.attname',
    `JOIN pg_attribute a ON a.attrelid = c.oid WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attname IN (${COLUMNS.map((name) => `'${name}'`).join(', ')})` +
      ` AND (a.atttypid >= ${FIRST_USER_OID} OR a.attgenerated <> '')`,
  ],
  [
    'has an index with functions or operators that are not built in',
    'i.indexrelid::regclass::text',
    `JOIN pg_index i ON i.indrelid = c.oid WHERE (EXISTS (SELECT FROM unnest(i.indclass::oid[]) k WHERE k >= ${FIRST_USER_OID})` +
      ` OR ((i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)` +
      ` AND NOT ${isHarmless(`concat(i.indexprs::text, i.indpred::text)`, 'pg_class', 'i.indexrelid')}))`,
  ],
  [
    'has statistics on expressions',
    's.stxname',
    'JOIN pg_statistic_ext s ON s.stxrelid = c.oid WHERE s.stxexprs IS NOT NULL',
  ],
];

const WRITE: readonly Finding[] = [
  ['belongs to another role', 'pg_get_userbyid(c.relowner)', `WHERE NOT pg_has_role(c.relowner, 'USAGE')`],
  [
    'belongs to a role that is not a superuser, although this role is one',
    'pg_get_userbyid(c.relowner)',
    `WHERE current_setting('is_superuser') = 'on' AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = c.relowner AND r.rolsuper)`,
  ],
  ['is unlogged: a crash would empty it', 'NULL', `WHERE c.relpersistence = 'u'`],
  [
    'has no replica identity, so the server refuses DELETE while it is in the publication',
    'v.pubname',
    `JOIN pg_publication_tables v ON v.tablename = c.relname AND v.schemaname = (SELECT n.nspname FROM pg_namespace n WHERE n.oid = c.relnamespace) JOIN pg_publication p ON p.pubname = v.pubname` +
      ` WHERE (p.pubupdate OR p.pubdelete) AND (c.relreplident = 'n' OR (c.relreplident = 'd'` +
      ` AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)))`,
  ],
  ['inherits from', 'i.inhparent::regclass::text', 'JOIN pg_inherits i ON i.inhrelid = c.oid WHERE true'],
  [
    'has the trigger',
    't.tgname',
    `JOIN pg_trigger t ON t.tgrelid = c.oid WHERE t.tgenabled <> 'D' AND NOT (t.tgisinternal AND t.tgfoid < ${FIRST_USER_OID})`,
  ],
  ['has the rule', 'r.rulename', 'JOIN pg_rewrite r ON r.ev_class = c.oid WHERE true'],
  [
    'has a check that is not built of built-in functions',
    'k.conname',
    `JOIN pg_constraint k ON k.conrelid = c.oid WHERE k.contype = 'c' AND NOT ${isHarmless('k.conbin', 'pg_constraint', 'k.oid')}`,
  ],
  [
    'has a default that is not built of built-in functions',
    'a.attname',
    `JOIN pg_attrdef f ON f.adrelid = c.oid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.adnum` +
      ` WHERE NOT (${isHarmless('f.adbin', 'pg_attrdef', 'f.oid')}` +
      // Before PostgreSQL 15 what a generated column needs is recorded as needed by the column.
      ` AND (a.attgenerated = '' OR NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass` +
      ` AND d.objid = f.adrelid AND d.objsubid = f.adnum AND d.refobjid >= ${FIRST_USER_OID} AND d.refclassid <> 'pg_class'::regclass)))`,
  ],
  [
    'has a column of a domain',
    'a.attname',
    `JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid WHERE a.attnum > 0 AND NOT a.attisdropped AND t.oid >= ${FIRST_USER_OID} AND t.typtype = 'd'`,
  ],
];

/** Only under our own path. */
function findings(access: Access, oids: string, columns: (finding: Finding) => string): string {
  return (access === 'read' ? READ : [...READ, ...WRITE])
    .map((finding) => `SELECT ${columns(finding)} FROM pg_class c ${finding[2]} AND c.oid IN (${oids})`)
    .join('\nUNION ALL ');
}

/**
 * The same in a tenth of the time, which finds too much: what is rare is not looked at more closely. `oids` is SQL for
 * a list of oids.
 */
function plainGuard(access: Access, oids: string): string {
  const table = [`relkind <> 'r' OR relpersistence = 't' OR relhassubclass OR relrowsecurity`];
  const more: string[] = [];
  if (access === 'write') {
    table.push(`relpersistence <> 'p' OR relreplident <> 'd'`);
    table.push(`NOT EXISTS (SELECT FROM pg_index p WHERE p.indrelid = c.oid AND p.indisprimary)`);
    table.push(
      `relhastriggers OR relhasrules OR relchecks <> 0 OR relispartition OR NOT pg_has_role(relowner, 'USAGE')`,
    );
    table.push(
      `(current_setting('is_superuser') = 'on' AND NOT (SELECT rolsuper FROM pg_roles r WHERE r.oid = relowner))`,
    );
    more.push(
      `pg_attrdef WHERE adrelid IN (${oids}) AND pg_get_expr(adbin, adrelid) NOT IN ('now()', 'clock_timestamp()', 'CURRENT_TIMESTAMP')`,
    );
    more.push(`pg_inherits WHERE inhrelid IN (${oids})`);
  }
  const found = [
    `pg_class c WHERE oid IN (${oids}) AND (${table.join(' OR ')})`,
    `pg_attribute WHERE attrelid IN (${oids}) AND attnum > 0 AND (atttypid >= ${FIRST_USER_OID} OR attgenerated <> '')`,
    `pg_index WHERE indrelid IN (${oids}) AND (indexprs IS NOT NULL OR indpred IS NOT NULL OR EXISTS (SELECT FROM unnest(indclass::oid[]) k WHERE k >= ${FIRST_USER_OID}))`,
    `pg_statistic_ext WHERE stxrelid IN (${oids})`,
    ...more,
  ];
  return found.map((one) => `NOT EXISTS (SELECT FROM ${one})`).join(' AND ');
}

/** How closely to look: `plain` finds too much, `closely` takes ten times as long. */
export type Care = 'plain' | 'closely';

/**
 * Fails (22012) when something is found; to be sent while the tables are locked, before they are used. `oids` is SQL
 * for a list.
 */
export function guard(access: Access, oids: string, care: Care): string {
  const harmless = care === 'plain' ? plainGuard(access, oids) : `NOT EXISTS (${findings(access, oids, () => '')})`;
  return `SELECT 1 / (${harmless})::integer`;
}

export const GUARD_FAILED = '22012';

/** What it found: table, what is with it, and the name of that. */
export function findingsQuery(access: Access, oids: string): string {
  return findings(access, oids, ([kind, name]) => `${NAMED}, ${escapeLiteral(kind)}, ${name}`);
}

export function readFindings(result: ResultSet | undefined): string[] {
  return (result?.rows ?? []).map(([table, kind, name]) => `${table} ${kind}${name == null ? '' : ` "${name}"`}`);
}

export function untrustedTables(access: Access, found: readonly string[]): MigratorError {
  const doing = access === 'read' ? 'reading' : 'writing';
  const summary = found.some((one) => one.includes('row security'))
    ? 'row security may hide what is in the history from this role'
    : `${doing} the history is refused: another role owns it, or another role's code would run with this role's rights`;
  return new MigratorError('HISTORY_CONFLICT', summary, {
    problems: found,
    hint:
      'if the tables are what they should be: run as their owner (--role OWNER), or give them to this role (ALTER TABLE … OWNER TO …),' +
      ' and drop what is listed; if somebody else made them, rename them, or choose another place with --table',
  });
}
