/** Which rows of the system catalogs can have changed since they were looked at? A stamp for each thing says so. */
import { isUsersSchema } from './fragments.ts';

/** PostgreSQL's own oids end before 16384 (manual, "System Catalog Initial Data"). */
const FIRST = 16_384;

/** A row is written again when it changes; a row that is gone is missing in the count. */
const STAMP = `concat_ws(' ', count(*), sum(x::text::bigint), max(x::text::bigint))`;

/** Rows of `from` that belong to the relation or index `oid`. */
const OF_RELATION: readonly (readonly [from: string, oid: string])[] = [
  ['pg_class', 'oid'],
  ['pg_attribute', 'attrelid'],
  ['pg_attrdef', 'adrelid'],
  ['pg_constraint', 'conrelid'],
  ['pg_index', 'indrelid'],
  ['pg_trigger', 'tgrelid'],
  ['pg_rewrite', 'ev_class'],
  ['pg_policy', 'polrelid'],
  ['pg_inherits', 'inhrelid'],
  ['pg_sequence', 'seqrelid'],
  ['pg_foreign_table', 'ftrelid'],
];

const RELATIONS = `SELECT 'relation', coalesce(i.indrelid, o), ${STAMP} FROM (
  ${OF_RELATION.map(([from, oid]) => `SELECT ${oid} AS o, xmin AS x FROM ${from} WHERE ${oid} >= ${FIRST}${from === 'pg_attribute' ? ' AND attnum > 0' : ''}`).join(' UNION ALL ')}
  UNION ALL SELECT m.oid, t.xmin FROM pg_class m JOIN pg_class t ON t.oid = m.reltoastrelid WHERE m.oid >= ${FIRST}
  UNION ALL SELECT objid, xmin FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid >= ${FIRST} AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
  UNION ALL SELECT coalesce(k.conrelid, g.tgrelid, w.ev_class, p.polrelid, d.objoid), d.xmin FROM pg_description d
    LEFT JOIN pg_constraint k ON d.classoid = 'pg_constraint'::regclass AND k.oid = d.objoid
    LEFT JOIN pg_trigger g ON d.classoid = 'pg_trigger'::regclass AND g.oid = d.objoid
    LEFT JOIN pg_rewrite w ON d.classoid = 'pg_rewrite'::regclass AND w.oid = d.objoid
    LEFT JOIN pg_policy p ON d.classoid = 'pg_policy'::regclass AND p.oid = d.objoid
    WHERE d.objoid >= ${FIRST} AND d.classoid IN ('pg_class'::regclass, 'pg_constraint'::regclass, 'pg_trigger'::regclass, 'pg_rewrite'::regclass, 'pg_policy'::regclass)
) r LEFT JOIN pg_index i ON i.indexrelid = o GROUP BY 2`;

const FUNCTIONS = `SELECT 'function', o, ${STAMP} FROM (
  SELECT oid AS o, xmin AS x FROM pg_proc WHERE oid >= ${FIRST}
  UNION ALL SELECT aggfnoid, xmin FROM pg_aggregate WHERE aggfnoid >= ${FIRST}
  UNION ALL SELECT objoid, xmin FROM pg_description WHERE objoid >= ${FIRST} AND classoid = 'pg_proc'::regclass
) f GROUP BY 2
UNION ALL SELECT 'function name', oid, concat_ws(' ', proname, pronamespace, proargtypes) FROM pg_proc WHERE oid >= ${FIRST}`;

/** Each on its own, as another name of a type, or of an enum's value, is in the text of others. */
const TYPES = [
  'pg_type WHERE oid',
  'pg_enum WHERE oid',
  'pg_range WHERE rngtypid',
  'pg_constraint WHERE conrelid = 0 AND oid',
].map((from) => {
  const [catalog = '', oid = ''] = [from.split(' ', 1)[0], /\w+$/.exec(from)?.[0]];
  return `SELECT 'type of ${catalog}', ${oid}, xmin::text FROM ${from} >= ${FIRST}`;
});

const STATISTICS = `SELECT 'statistics', 0::oid, ${STAMP} FROM (
  SELECT xmin AS x FROM pg_statistic_ext UNION ALL SELECT xmin FROM pg_description WHERE classoid = 'pg_statistic_ext'::regclass
) s`;

const WITH_OID =
  'namespace collation cast operator opclass opfamily amop amproc ts_config ts_dict ts_parser ts_template conversion extension language am transform foreign_data_wrapper foreign_server event_trigger publication publication_rel default_acl';

/** Of PostgreSQL's own schemas only rights can change, which nobody compares. */
function rest(version: number): string {
  const sources = [
    ...WITH_OID.split(' ').map((name) => `pg_${name} WHERE oid >= ${FIRST}`),
    `pg_namespace WHERE oid < ${FIRST} AND ${isUsersSchema('nspname')}`,
    `pg_ts_config_map WHERE mapcfg >= ${FIRST}`,
    `pg_depend WHERE deptype = 'e' AND objid >= ${FIRST}`,
    'pg_db_role_setting',
    'pg_tablespace',
    `pg_description WHERE (objoid >= ${FIRST} OR classoid = 'pg_namespace'::regclass) AND classoid NOT IN ('pg_class'::regclass, 'pg_constraint'::regclass, 'pg_trigger'::regclass, 'pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass, 'pg_statistic_ext'::regclass)`,
    ...(version >= 150_000 ? ['pg_publication_namespace'] : []),
  ];
  return [
    ...sources.map((from, at) => `SELECT 'rest', ${at}::oid, ${STAMP} FROM (SELECT xmin AS x FROM ${from}) s`),
    `SELECT 'rest', ${sources.length}::oid, concat_ws(' ', current_setting('lockstep.catalog_owner'), count(*), sum(hashtext(oid || ' ' || rolname))) FROM pg_roles`,
    // Comments on constraints of domains.
    `SELECT 'rest', ${sources.length + 1}::oid, ${STAMP} FROM (SELECT d.xmin AS x FROM pg_description d JOIN pg_constraint k ON k.oid = d.objoid AND k.contypid <> 0 WHERE d.classoid = 'pg_constraint'::regclass) s`,
  ].join(' UNION ALL ');
}

/**
 * Class, oid and stamp of everything: `relation` (with all that belongs to it), `function`, `function name`,
 * `type of …`, `statistics`, and `rest`, whose change may change the text of anything.
 */
export function stampQuery(version: number): string {
  return [RELATIONS, FUNCTIONS, ...TYPES, STATISTICS, rest(version)].join(' UNION ALL ');
}

/** Relations in whose text one of the relations in $1 may be named: a view, a foreign key, a sequence that it owns. */
export const DEPENDENTS = `SELECT DISTINCT coalesce(i.indrelid, w.ev_class, nullif(k.conrelid, 0), a.adrelid, p.polrelid, g.tgrelid, CASE e.classid WHEN 'pg_class'::regclass THEN e.objid END)
  FROM (SELECT unnest($1) AS oid UNION SELECT indexrelid FROM pg_index WHERE indrelid = ANY ($1)) c
  JOIN pg_depend e ON e.refclassid = 'pg_class'::regclass AND e.refobjid = c.oid
  LEFT JOIN pg_index i ON e.classid = 'pg_class'::regclass AND i.indexrelid = e.objid
  LEFT JOIN pg_rewrite w ON e.classid = 'pg_rewrite'::regclass AND w.oid = e.objid
  LEFT JOIN pg_constraint k ON e.classid = 'pg_constraint'::regclass AND k.oid = e.objid
  LEFT JOIN pg_attrdef a ON e.classid = 'pg_attrdef'::regclass AND a.oid = e.objid
  LEFT JOIN pg_policy p ON e.classid = 'pg_policy'::regclass AND p.oid = e.objid
  LEFT JOIN pg_trigger g ON e.classid = 'pg_trigger'::regclass AND g.oid = e.objid`;
